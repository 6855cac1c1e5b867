"""What a service ID may look like at one provider, and the guard against the 12-digit My Number."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mykey_tui.domain.barcode import CheckDigit, Symbol
from mykey_tui.domain.errors import MalformedIdError, MyNumberTypedError
from mykey_tui.domain.ids import ServiceId

SERVICE_ID_LENGTH_MAX = 32
_FORMAT = re.compile(r"(digits|alnum):(\d{1,2})(?:-(\d{1,2}))?((?:\+[0-9a-z-]{1,8}){0,2})")
_DIGITS = frozenset("0123456789")
_ALNUM = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")


@dataclass(frozen=True, slots=True)
class ServiceIdFormat:
    """A provider's form: which characters, and how many of them.

    Written `digits:10`, `alnum:1-32`, `digits:14+nw7+luhn`: behind the lengths what the bar code
    puts around the number, and how its last digit is checked. Not a regular expression, because it
    arrives from outside and is applied to text from outside.
    """

    digits_only: bool = False
    length_min: int = 1
    length_max: int = SERVICE_ID_LENGTH_MAX
    symbol: Symbol | None = None
    check_digit: CheckDigit | None = None

    @classmethod
    def parse(cls, text: str) -> ServiceIdFormat:
        """Read the written form. Raises `MalformedIdError`."""
        match = _FORMAT.fullmatch(text)
        if match is None:
            raise MalformedIdError("service ID format", position=1)
        low = int(match[2])
        high = int(match[3]) if match[3] else low
        if not 1 <= low <= high <= SERVICE_ID_LENGTH_MAX:
            raise MalformedIdError("service ID format", position=match.start(2) + 1)
        symbol, check_digit = _extras(match[4].split("+")[1:])
        digits_only = match[1] == "digits"
        # Letters would be taken for a symbol's own, and a check character for one of the number.
        needs_digits = check_digit is not None or symbol in (Symbol.NW7, Symbol.NW7_CHECKED)
        needs_length = symbol is Symbol.CODE39_CHECKED
        if (needs_digits and not digits_only) or (needs_length and low != high):
            raise MalformedIdError("service ID format", position=match.start(4) + 1)
        return cls(digits_only, low, high, symbol, check_digit)

    @property
    def text(self) -> str:
        """The written form."""
        kind = "digits" if self.digits_only else "alnum"
        lengths = f"{self.length_min}-{self.length_max}"
        if self.length_min == self.length_max:
            lengths = f"{self.length_min}"
        extras = [extra.value for extra in (self.symbol, self.check_digit) if extra is not None]
        return "+".join([f"{kind}:{lengths}", *extras])

    @property
    def is_twelve_digits(self) -> bool:
        """True where the provider's own numbers have the shape of a My Number."""
        return self.digits_only and self.length_min == self.length_max == 12

    def check(self, text: str) -> ServiceId:
        """Normalise what was typed, scanned or received, and check it.

        Full-width becomes half-width, lower case upper case, surrounding blanks go, and what the
        bar code puts around the number.

        Raises:
            MalformedIdError: with the position (from 1) of the first wrong character, or of the
                first missing one.
            CheckDigitError: every character could be one, and the check digit does not fit.
            MyNumberTypedError: 12 digits that pass the My Number's check digit, at a provider
                whose own numbers do not have 12 digits. The text is in no message.
        """
        normal = unicodedata.normalize("NFKC", text[: 4 * SERVICE_ID_LENGTH_MAX]).upper()
        self._refuse_my_number(normal)
        if self.symbol is not None:  # Before blanks go: one may be a check character.
            normal = self.symbol.number_in(normal.strip("\t\r\n"), length=self.length_max)
            self._refuse_my_number(normal)
        normal = normal.strip()
        if normal.startswith("-"):  # A formula to a spreadsheet, an option to a program.
            raise MalformedIdError("service ID", position=1)
        allowed = _DIGITS if self.digits_only else _ALNUM
        for position, character in enumerate(normal[: self.length_max], start=1):
            if character not in allowed:
                raise MalformedIdError("service ID", position=position)
        if not self.length_min <= len(normal) <= self.length_max:
            raise MalformedIdError("service ID", position=min(len(normal), self.length_max) + 1)
        if self.check_digit is not None:
            self.check_digit.verify(normal)
        return ServiceId(normal)

    def _refuse_my_number(self, text: str) -> None:
        # The card prints it in groups of four, and so people type it.
        if not self.is_twelve_digits and is_my_number(re.sub(r"[\s-]", "", text)):
            raise MyNumberTypedError


def _extras(words: list[str]) -> tuple[Symbol | None, CheckDigit | None]:
    """At most one of each kind, the symbol first. Raises `MalformedIdError`."""
    symbols, digits = {s.value: s for s in Symbol}, {d.value: d for d in CheckDigit}
    symbol = symbols.get(words[0]) if words else None
    rest = words[1:] if symbol is not None else words
    check_digit = digits.get(rest[0]) if rest else None
    if len(rest) > (check_digit is not None):
        raise MalformedIdError("service ID format", position=1)
    return symbol, check_digit


ANY_SERVICE_ID = ServiceIdFormat()
"""The default: 1 to 32 of 0-9, A-Z and the hyphen, which is never the first."""


def is_my_number(text: str) -> bool:
    """Whether 12 ASCII digits carry the check digit of a 個人番号.

    The rule is public (総務省令第85号, 2014, article 5): weights 2-7 then 2-6 from the right,
    modulo 11. About one in ten other 12-digit numbers passes it too.
    """
    if len(text) != 12 or not text.isascii() or not text.isdigit():
        return False
    digits = [int(character) for character in reversed(text[:11])]
    total = sum(digit * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(digits, start=1))
    remainder = total % 11
    return int(text[11]) == (0 if remainder <= 1 else 11 - remainder)
