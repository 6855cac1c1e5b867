"""Cuts what a scanner sends into codes. No device here."""

from __future__ import annotations

CODE_LENGTH_MAX = 64
"""More is no bar code of a member card: it is thrown away up to its end."""
LOST = "\ufffd"
"""What a driver puts where characters were lost: the code that they belonged to is thrown away."""
_ENDS = frozenset("\r\n\t")


class Codes:
    """The characters of a code that is not complete yet."""

    def __init__(self) -> None:
        self._held = ""
        self._spoilt = False

    @property
    def is_open(self) -> bool:
        """Whether a code has begun and not ended."""
        return bool(self._held) or self._spoilt

    def feed(self, text: str) -> list[str]:
        """The codes that `text` completes. Carriage return, line feed and tab end one.

        Control characters around a code are dropped (STX, ETX). A code with a character that no
        bar code of a member number has is thrown away: on a bad line the number would be another.
        """
        codes: list[str] = []
        for character in text:
            if character in _ENDS:
                codes += self.end()
            elif " " <= character <= "~":
                self._hold(character)
            elif character >= "\x7f":
                self._spoilt = True
        return codes

    def end(self) -> list[str]:
        """The code that is held, for a scanner that sends no end; none where there is nothing."""
        code = "" if self._spoilt else self._held
        self._held, self._spoilt = "", False
        return [code] if code.strip() else []

    def _hold(self, character: str) -> None:
        if len(self._held) >= CODE_LENGTH_MAX:
            self._spoilt = True
        else:
            self._held += character
