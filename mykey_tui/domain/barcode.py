"""What printed numbers carry against misreading: check digits of a number, and of a bar code.

A *check digit* is the last digit of the member number itself, so a typing error shows too. A
*symbol* is what a scanner may send around the number: start and stop letters, a check character of
the bar code. Those are not part of the number, and are taken off.

Sources: JIS X 0502 (EAN/JAN), JIS X 0503 (Code 39), JIS X 0506 (NW-7, Codabar); ISO/IEC 7813 (track 2 of a
magnetic stripe); ISO/IEC 7812-1
annex B (Luhn, which Japanese libraries call モジュラス10 ウェイト2・1分割); 7DR as parcel and library
numbers use it. Standards leave a check on NW-7 to whoever uses it, so each is the provider's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, unique
from types import MappingProxyType

from mykey_tui.domain.errors import CheckDigitError

_NW7_ENDS = frozenset("ABCD")
_NW7_VALUES = {character: value for value, character in enumerate("0123456789-$:/.+ABCD")}
_CODE39_VALUES = {
    character: value
    for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%")
}


@unique
class CheckDigit(Enum):
    """How the last digit of a number follows from the others. The value is the written form."""

    LUHN = "luhn"
    EAN = "ean"
    SEVEN = "7dr"

    def verify(self, digits: str) -> None:
        """Raises `CheckDigitError` unless the last of these ASCII digits follows from the rest."""
        if len(digits) < 2 or int(digits[-1]) != _DIGIT_OF[self](digits[:-1]):
            raise CheckDigitError


@unique
class Symbol(Enum):
    """What a scanner may send around a number. The value is the written form."""

    NW7 = "nw7"
    """Start and stop letters A to D."""
    NW7_CHECKED = "nw7-16"
    """The same, with a check character (modulus 16) before the stop letter."""
    CODE39_CHECKED = "code39"
    """A check character (modulus 43) behind the number."""
    TRACK2 = "track2"
    """A magnetic stripe: `;` before, `?` behind, and after `=` what is no part of the number."""

    def number_in(self, text: str, *, length: int) -> str:
        """The number alone. A text without the symbol's marks was typed, and stays as it is.

        `length` is the number's own: with Code 39 one character more is how a scan is told.

        Raises:
            CheckDigitError: the check character does not follow from the others.
        """
        if self is Symbol.CODE39_CHECKED:
            return _checked_39(text) if len(text) == length + 1 else text
        text = text.strip()
        if self is Symbol.TRACK2:
            return text[1:-1].partition("=")[0] if (text[:1], text[-1:]) == (";", "?") else text
        if len(text) < 3 or not {text[0], text[-1]} <= _NW7_ENDS:
            return text
        return text[1:-1] if self is Symbol.NW7 else _checked_16(text)


def _luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        product = int(digit) * (2 if place % 2 == 0 else 1)
        total += product // 10 + product % 10
    return -total % 10


def _ean(digits: str) -> int:
    return -sum(int(d) * (3 if n % 2 == 0 else 1) for n, d in enumerate(reversed(digits))) % 10


def _seven(digits: str) -> int:
    return int(digits) % 7


_DIGIT_OF: Mapping[CheckDigit, Callable[[str], int]] = MappingProxyType(
    {CheckDigit.LUHN: _luhn, CheckDigit.EAN: _ean, CheckDigit.SEVEN: _seven}
)


def _checked_16(text: str) -> str:
    """All characters of the symbol, start and stop too, add up to a multiple of 16."""
    try:
        total = sum(_NW7_VALUES[character] for character in text)
    except KeyError:
        raise CheckDigitError from None
    if total % 16:
        raise CheckDigitError
    return text[1:-2]


def _checked_39(text: str) -> str:
    *number, check = (_CODE39_VALUES.get(character) for character in text)
    values = [value for value in number if value is not None]
    if len(values) != len(number) or check is None or sum(values) % 43 != check:
        raise CheckDigitError
    return text[:-1]
