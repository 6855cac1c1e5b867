"""Every action that a key calls: one registry for the keys, the footer, the help and the key sheet.

Function keys differ between consoles (`ESC [ [ A`, `ESC O P`, none at all), so each has a digit or
letter that does the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A thing to do: `id` names the method and the texts, the first of `keys` is the one shown.

    `in_key_row` is false for the second half of a pair that the key row names once.
    """

    id: str
    keys: tuple[str, ...]
    in_key_row: bool = True

    @property
    def label(self) -> str:
        """Catalogue key of the short name beside the key."""
        return f"action.{self.id}.label"

    @property
    def help(self) -> str:
        """Catalogue key of the sentence in the help."""
        return f"action.{self.id}.help"

    @property
    def shown(self) -> str:
        """The key as it is printed."""
        return shown(self.keys[0])

    @property
    def other(self) -> str:
        """The digit or letter that does the same, as it is printed; empty where there is none."""
        return next((shown(key) for key in self.keys[1:] if len(key) == 1), "")


HELP = Action("help", ("f1", "1", "question_mark"))
LINK = Action("link", ("f2", "2"))
QUEUE = Action("queue", ("f3", "3"))
CARD = Action("card", ("f4", "4"))
CUT = Action("cut", ("f5", "5"))
MEND = Action("mend", ("f5", "5"))
TEST = Action("test", ("f6", "6"))
TOUR = Action("tour", ("f7", "7"))
TRAY = Action("tray", ("f8", "8"))
LANGUAGE = Action("language", ("f9", "9"))
DOCTOR = Action("doctor", ("f12", "x"))
"""On every screen whose status line may say that the reader is not well."""
LEAVE = Action("leave", ("f10", "0"))
ENTER = Action("enter", ("enter",))
BACK = Action("back", ("escape",))
REGISTER = Action("register", ("enter",))
AGAIN = Action("again", ("r",))
SEND = Action("send", ("s",))
RETRY = Action("retry", ("r",))
OPEN = Action("open", ("enter",))
KEEP = Action("keep", ("k",))
REPLACE = Action("replace", ("c",))
DROP = Action("drop", ("d",))
DECIDE = Action("decide", ("y",))
"""Not Enter: a key that is pressed twice must not decide."""
EXPORT = Action("export", ("e",))
EXAMINE = Action("examine", ("r", "f12"))
EVIDENCE = Action("evidence", ("e",))
TAPS = Action("taps", ("t",))
LIVE = Action("live", ("l",))
SCAN = Action("scan", ("b",))
USE_GAP = Action("gap", ("s",))
"""Not Enter, which a scanner sends."""
TRACE = Action("trace", ("a",))
NUMBER = Action("number", ("n",))
ANEW = Action("anew", ("r",))
UP = Action("up", ("up",))
DOWN = Action("down", ("down",), in_key_row=False)
YES = Action("yes", ("enter", "y"))
PLACE = Action("place", ("enter",))
REMOVE = Action("remove", ("backspace", "delete", "minus"))

ALL = (
    HELP, LINK, QUEUE, CARD, CUT, MEND, TEST, TOUR, TRAY, LANGUAGE, DOCTOR, LEAVE, ENTER, BACK, REGISTER, AGAIN,
    SEND, RETRY, OPEN, KEEP, REPLACE, DROP, DECIDE, EXPORT, EXAMINE, EVIDENCE, TAPS, LIVE,
    SCAN, USE_GAP, TRACE, NUMBER, ANEW, UP, DOWN, YES, PLACE, REMOVE,
)  # fmt: skip

_PRINTED = {
    "enter": "Enter",
    "escape": "Esc",
    "up": "Up",
    "down": "Down",
    "backspace": "BackSpace",
    "delete": "Delete",
    "minus": "-",
    "question_mark": "?",
}


def shown(key: str) -> str:
    """A key's name as people know it: `F1`, `Enter`, `R`; control keys as `Ctrl+C`."""
    if key in _PRINTED:
        return _PRINTED[key]
    return "+".join(part.capitalize() for part in key.split("+"))
