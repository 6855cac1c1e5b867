"""Cuts what a scanner sends into codes. No device here."""

from __future__ import annotations

CODE_LENGTH_MAX = 64
"""More is no bar code of a member card: it is thrown away up to its end."""
_ENDS = frozenset("\r\n\t")


class Codes:
    """The characters of a code that is not complete yet."""

    def __init__(self) -> None:
        self._held = ""
        self._too_long = False

    @property
    def is_open(self) -> bool:
        """Whether a code has begun and not ended."""
        return bool(self._held) or self._too_long

    def feed(self, text: str) -> list[str]:
        """The codes that `text` completes. Carriage return, line feed and tab end one.

        Only printable ASCII is kept: the rest is no part of a member number in any bar code.
        """
        codes: list[str] = []
        for character in text:
            if character in _ENDS:
                codes += self.end()
            elif " " <= character <= "~":
                self._hold(character)
        return codes

    def end(self) -> list[str]:
        """The code that is held, for a scanner that sends no end; none where there is nothing."""
        code = "" if self._too_long else self._held.strip()
        self._held, self._too_long = "", False
        return [code] if code else []

    def _hold(self, character: str) -> None:
        if len(self._held) >= CODE_LENGTH_MAX:
            self._too_long = True
        else:
            self._held += character
