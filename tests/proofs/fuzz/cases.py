"""One case from one number: what is drawn, what the product makes of it, and what must hold then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from random import Random
from typing import NamedTuple, TypeAlias, cast

from cryptography import x509

from mykey_tui.card.apdu import ResponseApdu
from mykey_tui.card.blocks import NumberPlace, ReaderFamily, read_number
from mykey_tui.card.connection import CardReader
from mykey_tui.card.status_word import StatusWord
from mykey_tui.card.storage import read_uid
from mykey_tui.card.tlv import parse_head
from mykey_tui.domain.assurance import Assurance
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import CardError, MyKeyError
from mykey_tui.domain.ids import CertificateRef, SubjectCn
from mykey_tui.domain.verdict import Accepted, Refused, Verdict
from mykey_tui.flows.identify import CertificateJudge, identify
from mykey_tui.flows.outcomes import IdentifiedCard, PinWanted, Stopped
from mykey_tui.flows.pin import PURPOSE_LOOKUP, ask_tries, authenticate
from mykey_tui.flows.pin_entry import PinEntry, PinGiven
from mykey_tui.flows.timings import Timings
from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.trust.certificate import quietly
from mykey_tui.trust.chain import judge
from tests.proofs.fuzz import certificates
from tests.proofs.fuzz.cards import (
    HostileCard,
    HostileReader,
    ViolationError,
    draw_card,
    draw_point_card,
)
from tests.proofs.fuzz.der import length_field

PLACES = tuple(NumberPlace(family, 0x010B, 0, 0, 10) for family in ReaderFamily)
"""The commands of `cards` are for this service and block."""


class FixedClock:
    """Always the day of the vectors."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return certificates.AT

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return 0.0


class Case(NamedTuple):
    """A kind, what the product is made to do, and a look at what came of it.

    `check` gives the outcome a name to be counted by, or raises `ViolationError`.
    """

    kind: str
    act: Callable[[], object]
    check: Callable[[object], str]
    card: HostileCard | None = None


Draw: TypeAlias = Callable[[Random], Case]


@cache
def _judge() -> CertificateJudge:
    return CertificateJudge(load_anchors(anchors_dir()), FixedClock())


@cache
def _known_card() -> IdentifiedCard:
    der = certificates.vectors()[certificates.GOOD[1]]
    card = _judge().judge(der)
    assert isinstance(card, IdentifiedCard)
    return card


def draw(number: int) -> Case:
    """The case of this number; always the same one."""
    dice = Random(number)  # noqa: S311  # a seed
    return dice.choices(list(KINDS), list(KINDS.values()))[0](dice)


def _certificate(dice: Random) -> Case:
    shown = certificates.draw(dice)

    def check(verdict: object) -> str:
        if isinstance(verdict, Accepted):
            _require_entitled(shown, shown.der, verdict.cn, verdict.certificate)
            return "accepted"
        if not isinstance(verdict, Refused):
            raise ViolationError(f"a verdict that is none: {type(verdict).__name__}")
        return verdict.reason.value

    return Case("certificate", lambda: _verdict(shown.der), check)


def _verdict(der: bytes) -> Verdict:
    return judge(der, _judge().anchors, at=certificates.AT)


def _read(dice: Random) -> Case:
    """A tap: everything from SELECT to the verdict."""
    shown = _shown_by_a_card(dice)
    card = draw_card(dice, shown.der)

    def check(outcome: object) -> str:
        if isinstance(outcome, IdentifiedCard):
            _require_entitled(shown, outcome.der, outcome.cn, outcome.certificate)
            return "identified"
        return _code_of(outcome)

    act = lambda: identify(_reader(card), _judge(), Timings(FixedClock()))  # noqa: E731  # one expression
    return Case("read", act, check, card)


def _pin(dice: Random) -> Case:
    """The tries, and a PIN with a signature where it comes so far."""
    good = certificates.Shown(_known_card().der, certificates.entitled())
    shown = good if dice.random() < 0.8 else _shown_by_a_card(dice)
    on_reader = dice.random() < 0.2
    card = draw_card(dice, shown.der, with_keys=on_reader)

    def act() -> object:
        wanted = ask_tries(_reader(card), _known_card())
        if not isinstance(wanted, PinWanted):
            return wanted
        card.told = None
        return authenticate(_reader(card), _judge(), _known_card(), _given(wanted), PURPOSE_LOOKUP)

    def check(outcome: object) -> str:
        if isinstance(outcome, IdentifiedCard):
            raise ViolationError(f"{Assurance.AUTHENTICATED.value} by a signature of noise")
        return _code_of(outcome)

    return Case("pin", act, check, card)


def _given(wanted: PinWanted) -> PinGiven:
    if wanted.on_reader:
        return PinGiven(None)
    entry = PinEntry()
    for digit in "1234":
        entry.press(digit)
    return PinGiven(entry)


def _point_card(dice: Random) -> Case:
    card, place = draw_point_card(dice), dice.choice((None, None, *PLACES))

    def act() -> object:
        return read_uid(card) if place is None else read_number(card, place)

    def check(number: object) -> str:
        if isinstance(number, bytes):
            _require_lasting(number)
            return "number"
        if not (isinstance(number, str) and 0 < len(number) <= 10 and number.isprintable()):
            raise ViolationError("a text that is none")
        return "text"

    return Case("point card", act, check, card)


def _require_lasting(number: bytes) -> None:
    if len(number) not in (4, 7, 8, 10) or set(number) in ({0x00}, {0xFF}):
        raise ViolationError("a number that is none")
    drawn = len(number) == 4 and number[0] == 0x08
    if drawn or (len(number) == 8 and number[:2] in (b"\x01\xfe", b"\x02\xfe")):
        raise ViolationError("a number of the moment")


def _head(dice: Random) -> Case:
    """The head of an object: what is said of it must be what stands there."""
    length = dice.choice((0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000))
    data = bytes([dice.choice((0x30, 0x31, 0x1F, dice.randrange(256)))])
    data += dice.choice(
        (length_field(length), b"\x81\x05", b"\x82\x00\x90", b"\x80", b"\x84\0\0\0\1")
    )
    data = dice.choice(
        (data, data[:-1], data + dice.randbytes(5), dice.randbytes(dice.randrange(6)))
    )

    def check(head: object) -> str:
        tag, begin, value = (getattr(head, name) for name in ("tag", "head_length", "value_length"))
        if data[:begin] != bytes([tag]) + length_field(value):
            raise ViolationError("a head that does not stand there")
        return "head"

    return Case("head", lambda: parse_head(data), check)


def _response(dice: Random) -> Case:
    """An answer taken apart and put together again, and what its status word says."""
    size = dice.choice((0, 1, 2, 3, 258, 259, 300))
    data = dice.randbytes(size)

    def act() -> object:
        response = ResponseApdu.decode(data)
        return response, response.sw.tries_left, response.sw.bytes_waiting, response.sw.right_length

    def check(seen: object) -> str:
        response, tries, waiting, right = cast(
            "tuple[ResponseApdu, int | None, int | None, int | None]", seen
        )
        word = int.from_bytes(data[-2:], "big")
        blocked = 0 if word in (0x6983, 0x6984) else None
        expected = (
            word & 15 if word >> 4 == 0x63C else blocked,
            (word & 255 or 256) if word >> 8 == 0x61 else None,
            (word & 255 or 256) if word >> 8 == 0x6C else None,
        )
        if (tries, waiting, right) != expected or response.sw != StatusWord(word):
            raise ViolationError("a status word that says something else")
        if response.encode() != data or not 2 <= len(data) <= 258:
            raise ViolationError("an answer that did not come")
        return "answer"

    return Case("response", act, check)


KINDS: dict[Draw, int] = {
    _certificate: 50, _read: 28, _pin: 9, _point_card: 5, _head: 4, _response: 4,
}  # fmt: skip
"""What is drawn, and how often against the others."""


def _shown_by_a_card(dice: Random) -> certificates.Shown:
    if dice.random() < 0.6:
        return certificates.Shown(
            certificates.vectors()[dice.choice(certificates.GOOD)], certificates.entitled()
        )
    return certificates.draw(dice)


def _reader(card: HostileCard) -> CardReader:
    return cast("CardReader", HostileReader(card))


def _require_entitled(
    shown: certificates.Shown, der: bytes, cn: SubjectCn, ref: CertificateRef
) -> None:
    """Accepted is only what was signed: the part that the library sees, and what we took out of it."""
    with quietly():
        decoded = x509.load_der_x509_certificate(der)
    if decoded.tbs_certificate_bytes not in shown.entitled:
        raise ViolationError("another certificate was accepted")
    (name,) = decoded.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if (cn.text, ref.serial) != (name.value, decoded.serial_number):
        raise ViolationError("another person was read")


def _code_of(outcome: object) -> str:
    code = outcome.code if isinstance(outcome, Stopped) else Code.BUG
    if code is Code.BUG:
        raise ViolationError(f"an outcome that is none: {type(outcome).__name__}")
    return str(code.value)


def perform(case: Case) -> object:
    """Let the product work; its own errors are outcomes too, for what has no use case around it."""
    try:
        return case.act()
    except CardError as error:
        return error


def outcome_of(case: Case, made: object) -> str:
    """The outcome's name. Raises `ViolationError`."""
    if isinstance(made, MyKeyError):
        return type(made).__name__
    return case.check(made)
