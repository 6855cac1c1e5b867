"""Cards for training and tests with one thing wrong, by name: `NAME` or `NAME:at=3,seconds=0.2`.

Some misbehave on the reader (`FaultName`), others behave and hold something that is refused. The
table says what a counter answers; docs/cards.md shows it, and a test makes every one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from mykey_tui.card.allow_list import FILE_AUTH_PIN
from mykey_tui.card.profile import IPHONE
from mykey_tui.domain.codes import Code
from mykey_tui.reader.card_file import CardFile, CardPin, FaultName, fault_of
from mykey_tui.simulated.cards import copied_card, make_card, newer_card, phone
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card, mifare_card

DAYS_LEFT_MAX = 5 * 365
"""No certificate lives longer."""
RENEWED_DAYS_LEFT = 5 * 365 - 1
"""Issued anew: another serial number and another end than the card that the same CN had before."""
ENDING_DAYS_LEFT = 10
_RANDOM_UID = bytes.fromhex("08A1B2C3")

Values: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SampleFault:
    """One row. `make` is given the CN, now, the PIN, and what stood behind the name.

    `lookup` is what `mykey lookup` says of it, without a PIN, to a counter where nobody is linked;
    `with_pin` what is said where a PIN is asked for, if that is another thing.
    """

    name: str
    lookup: Code
    make: Callable[[str, datetime, str, Values], CardFile]
    options: tuple[str, ...] = ()
    with_pin: Code | None = None


class SampleFaultError(ValueError):
    """The text names no fault, or one with other options. The message says what can be written."""


def make_faulty_card(text: str, cn: str, *, at: datetime, pin: str) -> CardFile:
    """The card that `text` asks for.

    Raises:
        SampleFaultError: no such fault, no such option, or no such number.
        CardFileError: a number that is out of bounds.
        MalformedIdError, ValueError: as `make_card`.
    """
    name, _, rest = text.partition(":")
    row = next((row for row in SAMPLE_FAULTS if row.name == name), None)
    if row is None:
        raise SampleFaultError(f"one of {', '.join(row.name for row in SAMPLE_FAULTS)}")
    values: dict[str, float] = {}
    for part in rest.split(",") if rest else []:
        option, _, number = part.partition("=")
        if option not in row.options:
            raise SampleFaultError(f"{name} takes {', '.join(row.options) or 'nothing behind it'}")
        try:
            values[option] = float(number)
        except ValueError as error:
            raise SampleFaultError(f"{option}: a number") from error
    return row.make(cn, at, pin, values)


def _behaving(name: FaultName, lookup: Code, *options: str) -> SampleFault:
    def make(cn: str, at: datetime, pin: str, values: Values) -> CardFile:
        return make_card(cn, at=at, pin=pin, fault=fault_of({"name": name.value, **values}))

    return SampleFault(name.value, lookup, make, options)


def _wrong(variant: Variant, lookup: Code) -> SampleFault:
    def make(cn: str, at: datetime, pin: str, values: Values) -> CardFile:
        return make_card(cn, at=at, pin=pin, variant=variant)

    return SampleFault(variant.value, lookup, make)


def _with_tries(tries: int, cn: str, at: datetime, pin: str, values: Values) -> CardFile:
    card = make_card(cn, at=at, pin=pin)
    return replace(card, pins={**card.pins, FILE_AUTH_PIN: CardPin(pin, tries)})


def _with_days(days: int, cn: str, at: datetime, pin: str, values: Values) -> CardFile:
    left = values.get("days", days)
    if not 0 <= left <= DAYS_LEFT_MAX:
        raise SampleFaultError(f"days: 0 to {DAYS_LEFT_MAX}")
    return make_card(cn, at=at, pin=pin, days_left=int(left))


def _of_person(make: Callable[..., CardFile], **more: str) -> Callable[..., CardFile]:
    def made(cn: str, at: datetime, pin: str, values: Values) -> CardFile:
        return replace(make(cn, at=at, **more), pins=make_card(cn, at=at, pin=pin).pins)

    return made


def _of_nobody(make: Callable[[], CardFile]) -> Callable[..., CardFile]:
    return lambda cn, at, pin, values: make()


SAMPLE_FAULTS = (
    _behaving(FaultName.SLOW, Code.NOT_LINKED, "seconds"),
    _behaving(FaultName.HANG, Code.NOT_LINKED, "at", "seconds"),
    _behaving(FaultName.REMOVED_DURING_READ, Code.CARD_REMOVED, "at"),
    _behaving(FaultName.MUTE, Code.CARD_MUTE),
    _behaving(FaultName.SHORT_READS, Code.NOT_LINKED, "count"),
    _behaving(FaultName.READER_LOST, Code.READER_LOST, "at"),
    _behaving(FaultName.READER_BUSY, Code.READER_BUSY),
    _behaving(FaultName.LYING_LENGTH, Code.CARD_UNREADABLE),
    _behaving(FaultName.ENDLESS_TLV, Code.CARD_UNREADABLE),
    _behaving(FaultName.GARBAGE_CERTIFICATE, Code.CERTIFICATE_MALFORMED),
    _wrong(Variant.EXPIRED, Code.CERTIFICATE_EXPIRED),
    _wrong(Variant.NOT_YET_VALID, Code.CERTIFICATE_NOT_YET_VALID),
    _wrong(Variant.WRONG_ISSUER, Code.CERTIFICATE_UNKNOWN_ISSUER),
    _wrong(Variant.FORGED, Code.CERTIFICATE_FORGED),
    _wrong(Variant.WRONG_KEY_USAGE, Code.CERTIFICATE_WRONG_USAGE),
    _wrong(Variant.WRONG_POLICY, Code.CERTIFICATE_WRONG_POLICY),
    _wrong(Variant.CN_OF_WRONG_LENGTH, Code.CERTIFICATE_MALFORMED),
    SampleFault("ending", Code.NOT_LINKED, partial(_with_days, ENDING_DAYS_LEFT), ("days",)),
    SampleFault("renewed", Code.NOT_LINKED, partial(_with_days, RENEWED_DAYS_LEFT)),
    SampleFault("locked", Code.NOT_LINKED, partial(_with_tries, 0), (), Code.PIN_BLOCKED),
    SampleFault("last-try", Code.NOT_LINKED, partial(_with_tries, 1), (), Code.PIN_LAST),
    SampleFault("copied", Code.NOT_LINKED, _of_person(copied_card), (), Code.CARD_NOT_PROVEN),
    SampleFault("phone", Code.CARD_IS_PHONE, _of_person(phone)),
    SampleFault("iphone", Code.CARD_IS_PHONE, _of_person(phone, label=IPHONE.label)),
    SampleFault("next-generation", Code.CARD_UNKNOWN_KIND, _of_person(newer_card)),
    SampleFault("driving-licence", Code.CARD_NOT_JPKI, _of_nobody(driving_licence)),
    SampleFault("felica", Code.CARD_IS_POINT_CARD, _of_nobody(felica_card)),
    SampleFault("mifare", Code.CARD_IS_POINT_CARD, _of_nobody(mifare_card)),
    SampleFault(
        "random-uid", Code.CARD_IS_POINT_CARD, _of_nobody(partial(mifare_card, uid=_RANDOM_UID))
    ),
)
"""All of them; `renewed` is one whose person the rows know by the CN, which is the same."""
