"""Four digits on their way from a key to the card: kept nowhere else, shown to nobody.

Python cannot promise that a copy of a few bytes is gone from memory. What it can do is done: one
object holds the digits, overwrites them, has nothing to print, cannot be pickled or compared, and
cannot exist in a process that could leave a core.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NoReturn

from mykey_tui.card.allow_list import PIN_LENGTH
from mykey_tui.flows.no_core import forbid_core_dumps

_DIGITS = frozenset("0123456789")


class PinEntry:
    """What was typed so far. Any thread may press, erase and wipe; `take` empties it.

    Raises `OSError` at construction where the system would still allow a core.
    """

    __slots__ = ("_digits", "_lock", "_over", "_sealed")

    def __init__(self) -> None:
        forbid_core_dumps()
        self._digits = bytearray()
        self._over = 0
        self._sealed = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "<PinEntry>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a PIN is never stored")

    @property
    def count(self) -> int:
        """How many digits there are: the number of dots."""
        with self._lock:
            return len(self._digits)

    @property
    def complete(self) -> bool:
        """Whether exactly as many digits were pressed as are ever sent, and not one more."""
        with self._lock:
            return len(self._digits) == PIN_LENGTH and not self._over

    def press(self, key: str) -> bool:
        """Take one ASCII digit; False for anything else, and for a fifth one.

        A fifth one is not kept but counted: the first four of a longer number are no PIN.
        """
        with self._lock:
            if key not in _DIGITS or self._sealed:
                return False
            if len(self._digits) >= PIN_LENGTH:
                self._over += 1
                return False
            self._digits += key.encode("ascii")
            return True

    def spoil(self) -> None:
        """Count a key that is no digit: digits among other characters are a code, and no PIN."""
        with self._lock:
            if not self._sealed:
                self._over += 1

    def erase(self) -> None:
        """Forget the last key, also one that was only counted."""
        with self._lock:
            if self._over:
                self._over -= 1
            elif self._digits:
                self._digits[-1] = 0
                del self._digits[-1]

    def wipe(self) -> None:
        """Forget all digits; the same bytes are overwritten before they are let go."""
        with self._lock:
            self._overwrite()

    def seal(self) -> None:
        """Forget all digits, and take none ever after, whoever still presses."""
        with self._lock:
            self._sealed = True
            self._overwrite()

    def moved(self) -> PinEntry:
        """The digits in an object of their own: what is pressed from now on does not change them."""
        other = PinEntry()
        with self._lock:
            other._digits, self._digits = self._digits, other._digits
            other._over, self._over = self._over, other._over
        return other

    def take(self) -> str:
        """The digits, once: empty ever after."""
        with self._lock:
            digits = self._digits.decode("ascii")
            self._overwrite()
            return digits

    def _overwrite(self) -> None:
        self._digits[:] = bytes(len(self._digits))
        self._digits.clear()
        self._over = 0


@dataclass(frozen=True, slots=True)
class PinGiven:
    """What a person did to give the PIN, for one attempt.

    `entry` is None where it is typed on the reader's own keys. `allow_last_try` is true only after
    somebody typed the word that the screen asks for.
    """

    entry: PinEntry | None
    allow_last_try: bool = False

    def forget(self) -> None:
        """Overwrite the digits: nobody will use them."""
        if self.entry is not None:
            self.entry.wipe()
