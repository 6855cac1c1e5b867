"""Cards that answer anything. Each sees every command, and none that is not allowed may come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from mykey_tui.card.connection import CardConnection
from mykey_tui.domain.errors import TransmissionError
from mykey_tui.reader.card_file import CardFile, CardKind, CardPin
from mykey_tui.reader.emulated_card import EmulatedCard
from mykey_tui.simulated.cards import MY_NUMBER_CARD_ATR
from mykey_tui.simulated.foreign import DRIVING_LICENCE_ATR, FELICA_ATR, MIFARE_ATR

COMMANDS_MAX = 300
"""In one session, whatever the card answers: one that never ends is given up."""
_AUTH_CERTIFICATE, _AUTH_KEY = 0x000A, 0x0017

# Written from the card's description, not from our list of allowed commands.
_ALLOWED = re.compile(
    rb"\x00\xa4\x04\x0c\x0a\xd3\x92\xf0\x00\x26\x01\x00\x00\x00\x01"
    rb"|\x00\xa4\x02\x0c\x02\x00[\x06\x08\x0a\x0b\x17\x18]"
    rb"|\x00\xb0[\x00-\x7f].."
    rb"|\x00\xc0\x00\x00."
    rb"|\x00\x20\x00\x80(?:\x04[0-9]{4})?"
    rb"|\x80\x2a\x00\x80\x33\x30\x31.{49}\x00",
    re.DOTALL,
)
_ALLOWED_OF_STORAGE = re.compile(
    rb"\xff\xca\x00\x00\x00"
    rb"|\xff\xa4\x00\x01\x02\x0b\x01|\xff\xb0\x00\x00\x00"
    rb"|\xff\x00\x00\x00\x10\x10\x06.{8}\x01\x0b\x01\x01\x80\x00"
    rb"|\xff\x46\x01\x01\x04\x0b\x01\x80\x00",
    re.DOTALL,
)
_EMPTY_VERIFY, _VERIFY, _SIGN = b"\x00\x20\x00\x80", b"\x00\x20\x00\x80\x04", b"\x80\x2a"
_FEATURES = bytes.fromhex("06044233000C")
"""FEATURE_VERIFY_PIN_DIRECT, and a code for it."""
_WORDS = tuple(
    int(word, 16)
    for word in [
        "9000",
        "6100",
        "6101",
        "61FF",
        "6200",
        "6282",
        "6283",
        "6300",
        "63C0",
        "63C1",
        "63C2",
        "63C3",
        "63CF",
        "6400",
        "6581",
        "6700",
        "6881",
        "6981",
        "6982",
        "6983",
        "6984",
        "6985",
        "6986",
        "6A80",
        "6A81",
        "6A82",
        "6A84",
        "6A86",
        "6A87",
        "6A88",
        "6B00",
        "6C00",
        "6C01",
        "6CFF",
        "6D00",
        "6E00",
        "6F00",
        "9001",
        "9100",
        "9301",
        "0000",
        "FFFF",
    ]
)
_LABELS = (
    b"JPKIAPICCTOKEN2", b"JPKIAPGPSETOKEN", b"JPKIAPIOSTOKEN", b"", b"\0" * 32, b"\xff" * 40,
    b"JPKIAPICCTOKEN3", b"\x1b]0;x\x07", "公的個人認証".encode(), b" " * 200,
)  # fmt: skip

Distortion: TypeAlias = Callable[[Random, bytes, bytes], bytes]
"""From the dice, the command and the right answer to what the card sends; may raise instead."""


class ViolationError(Exception):
    """The product did what it promises never to do. Outside of its own error tree, so that it shows."""


@dataclass
class HostileCard:
    """A `CardConnection` over a card that distorts some of its answers, or all from some point on."""

    dice: Random
    card: EmulatedCard
    habits: tuple[Distortion, ...]
    share: float
    begins: int
    storage: bool
    commands: int = 0
    pins: int = 0
    told: int | None = None
    """Tries left, as the last answer to the empty VERIFY told them."""
    own_ns: int = 0
    """Processor time that the answers took, which is not the product's."""

    @property
    def atr(self) -> bytes:
        """See `CardConnection.atr`."""
        return self.card.atr

    def transmit(self, command: bytes) -> bytes:
        """Answer; see `CardConnection.transmit`. Raises `ViolationError` for what must not come."""
        begun = time.process_time_ns()
        try:
            return self._answered(command)
        finally:
            self.own_ns += time.process_time_ns() - begun

    def _answered(self, command: bytes) -> bytes:
        self._watch(command)
        answer = self._right(command)
        if self.commands >= self.begins and self.dice.random() < self.share:
            answer = self.dice.choice(self.habits)(self.dice, command, answer)
        if command == _EMPTY_VERIFY:
            told = answer[-1] & 0x0F if answer[-2:-1] == b"\x63" else 0
            self.told = told if len(answer) == 2 and answer[-1] >> 4 == 0xC else 0
        return answer

    def _watch(self, command: bytes) -> None:
        self.commands += 1
        allowed = _ALLOWED_OF_STORAGE if self.storage else _ALLOWED
        if not allowed.fullmatch(command):
            raise ViolationError(f"a command that is never sent: {command[:4].hex()}")
        if self.commands > COMMANDS_MAX:
            raise ViolationError("a session without an end")
        if command.startswith(_VERIFY):
            self._watch_pin()

    def _watch_pin(self) -> None:
        self.pins += 1
        if self.pins > 1:
            raise ViolationError("a PIN sent twice")
        if self.told is None or self.told < 2:
            raise ViolationError("a PIN sent with the last try")

    def _right(self, command: bytes) -> bytes:
        """As the card would; a signature only of its form, because a real one takes too long."""
        if command == b"\x00\xa4\x02\x0c\x02\x00\x17":
            return b"\x90\x00"
        if command.startswith(_SIGN):
            return self.dice.randbytes(256) + b"\x90\x00"
        return self.card.transmit(command)


class HostileReaderWithKeys(HostileCard):
    """The same on a reader that says it has keys of its own."""

    def control(self, code: int, data: bytes) -> bytes:
        """Features, or the answer to a PIN entry; right at times."""
        right = _FEATURES
        if data:
            self._watch_pin()
            right = self.dice.choice((b"\x90\x00", b"\x63\xc1"))
        return right if self.dice.random() < 0.5 else _anything(self.dice, data, right)


@dataclass
class HostileReader:
    """A `CardReader` as far as the use cases need one: sessions with one card."""

    connection: HostileCard

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        """See `CardReader.session`."""
        self.connection.commands = 0
        yield self.connection


def draw_card(dice: Random, certificate: bytes, *, with_keys: bool = False) -> HostileCard:
    """A card with an application: with this certificate, some label, some tries, some habits."""
    card = CardFile(
        kind=CardKind.JPKI if dice.random() < 0.97 else CardKind.ISO,
        name="hostile",
        atr=MY_NUMBER_CARD_ATR if dice.random() < 0.9 else DRIVING_LICENCE_ATR,
        files={
            _AUTH_CERTIFICATE: certificate + b"\xff" * dice.choice((0, 0, 7, 600)),
            0x0006: dice.choice(_LABELS[:1] * 6 + _LABELS),
        },
        pins={
            0x0018: CardPin(dice.choice(("1234", "1234", "9999")), dice.choice((0, 1, 2, 3, 3, 3)))
        },
        closed=frozenset({_AUTH_CERTIFICATE} if dice.random() < 0.08 else ()),
    )
    made = HostileReaderWithKeys if with_keys else HostileCard
    return made(dice, EmulatedCard(card), *_temper(dice), storage=False)


def draw_point_card(dice: Random) -> HostileCard:
    """A card with a number and nothing else."""
    atr = dice.choice((FELICA_ATR, FELICA_ATR, MIFARE_ATR))
    uid = dice.randbytes(dice.choice((4, 7, 8, 8, 8, 10, 0, 1, 5)))
    uid = dice.choice((uid, uid, uid, b"\x08" + uid[1:], b"\x01\xfe" + uid[2:], bytes(len(uid))))
    blocks = {0x010B: dice.choice((b"0123456789ABCDEF", b"12\0", bytes(16), dice.randbytes(16)))}
    card = CardFile(kind=CardKind.STORAGE, name="hostile", atr=atr, uid=uid or None, files=blocks)
    return HostileCard(dice, EmulatedCard(card), *_temper(dice), storage=True)


def _temper(dice: Random) -> tuple[tuple[Distortion, ...], float, int]:
    """What it does wrong, how often, and from which command on."""
    if dice.random() < 0.06:
        return (_HABITS, 0.0, 0)
    if dice.random() < 0.5:
        return (_HABITS, dice.choice((0.02, 0.1, 0.3, 1.0)), dice.randint(1, 4))
    return ((dice.choice(_HABITS),), dice.choice((0.2, 1.0, 1.0)), dice.randint(1, 10))


def _word(dice: Random, command: bytes, right: bytes) -> bytes:
    word = dice.choice(_WORDS) if dice.random() < 0.8 else dice.randrange(0x10000)
    return (right[:-2] if dice.random() < 0.3 else b"") + word.to_bytes(2, "big")


def _one_word(dice: Random, command: bytes, right: bytes) -> bytes:
    """The same in this card's whole life: it depends on the card's bytes, not on the dice."""
    return _WORDS[len(right) % len(_WORDS)].to_bytes(2, "big")


def _more_waits(dice: Random, command: bytes, right: bytes) -> bytes:
    """61xx with one byte, for ever."""
    return right[:1] + b"\x61" + dice.choice((b"\x00", b"\x01", b"\xff"))


def _other_length(dice: Random, command: bytes, right: bytes) -> bytes:
    return b"\x6c" + dice.choice((b"\x00", b"\x01", b"\x80", b"\xff"))


def _length_then_more(dice: Random, command: bytes, right: bytes) -> bytes:
    """6Cxx, then one byte and 61xx: the longest way that a byte can take."""
    return b"\x6c\x01" if command[-1:] != b"\x01" else right[:1].ljust(1, b"\0") + b"\x61\x01"


def _byte_by_byte(dice: Random, command: bytes, right: bytes) -> bytes:
    return right[:1] + b"\x90\x00" if len(right) > 2 else right


def _never_ends(dice: Random, command: bytes, right: bytes) -> bytes:
    """A file without an end, and an object as long as the file."""
    if command[1] != 0xB0:
        return right
    head = b"\x30\x82\x7f\xfb" if command[2:4] == b"\0\0" else b""
    return head.ljust(command[4] or 256, b"\0")[: command[4] or 256] + b"\x90\x00"


def _one_byte_of_many(dice: Random, command: bytes, right: bytes) -> bytes:
    """The two before together."""
    if command[1] != 0xB0 or command[2:4] == b"\0\0":
        return _never_ends(dice, command, right)
    return b"\0\x90\x00"


def _lying_head(dice: Random, command: bytes, right: bytes) -> bytes:
    if command[1] != 0xB0 or command[2:4] != b"\0\0":
        return right
    heads = ("30820000", "3082FFFF", "30827FFB", "30820800", "30820801", "3080", "3084FFFF", "3003",
             "30", "3000", "1F82", "308104", "3181FF02", "7F214001")  # fmt: skip
    return bytes.fromhex(dice.choice(heads)) + b"\x90\x00"


def _bits(dice: Random, command: bytes, right: bytes) -> bytes:
    changed = bytearray(right)
    for _ in range(dice.randint(1, 3)):
        changed[dice.randrange(len(right))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(dice: Random, command: bytes, right: bytes) -> bytes:
    return right[: dice.randrange(len(right))]


def _more(dice: Random, command: bytes, right: bytes) -> bytes:
    """More than was asked for; up to more than an answer holds."""
    return right[:-2] + dice.randbytes(dice.choice((1, 2, 255, 256, 257, 66_000))) + b"\x90\x00"


def _nothing(dice: Random, command: bytes, right: bytes) -> bytes:
    return dice.choice((b"", b"\x90", b"\x00", b"\x90\x00"))


def _anything(dice: Random, command: bytes, right: bytes) -> bytes:
    return dice.randbytes(dice.choice((0, 1, 2, 3, 4, 12, 100, 258, 300)))


def _silence(dice: Random, command: bytes, right: bytes) -> bytes:
    raise TransmissionError("no answer", removed=dice.random() < 0.5)


_HABITS: tuple[Distortion, ...] = (
    _word, _one_word, _more_waits, _other_length, _length_then_more, _byte_by_byte, _never_ends,
    _one_byte_of_many, _lying_head, _bits, _cut, _more, _nothing, _anything, _silence,
)  # fmt: skip
