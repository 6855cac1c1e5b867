"""The message catalogue: every sentence that a person meets, in Japanese and in English.

Keys are stable names (`code.L-SUSP.say`), so a reworded sentence changes no code. Only the standard
library's gettext is needed to read the compiled files that stand beside this module.
"""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe

VALUE_LENGTH_MAX = 64
"""A value inside a sentence: a date, a position, a count, an adapter's name."""

_UNKNOWN_VALUE = "?"


@unique
class Language(Enum):
    """Languages of the counter. English is plain ASCII, for consoles that cannot draw more."""

    JAPANESE = "ja"
    ENGLISH = "en"

    @property
    def other(self) -> Language:
        """The language that the language key changes to."""
        return Language.ENGLISH if self is Language.JAPANESE else Language.JAPANESE


@dataclass(frozen=True, slots=True)
class CodeText:
    """What is said of a code: a title for the band, one sentence, one next step."""

    title: str
    say: str
    next: str


class _Values(dict[str, str]):
    """A value that nobody gave shows as `?`: a sentence with a gap is better than none."""

    def __missing__(self, key: str) -> str:
        return _UNKNOWN_VALUE


class Catalog:
    """The texts of one language. Immutable; cheap to make (one file of some 30 kB)."""

    def __init__(self, language: Language) -> None:
        self.language = language
        # A plain path: importlib.resources is slow to import, and this is on the way to the
        # first paint.
        path = Path(__file__).parent / language.value / "LC_MESSAGES" / "mykey.mo"
        with path.open("rb") as file:
            self._messages = gettext.GNUTranslations(file)

    def text(self, key: str, /, **values: str | int) -> str:
        """The text of `key` with `values` filled in; values are made safe to show.

        Raises:
            KeyError: there is no such key. A test holds the code's keys against the catalogue.
        """
        return _fill(self._message(key), {name: str(value) for name, value in values.items()})

    def code(self, code: Code, values: Mapping[str, str] | None = None) -> CodeText:
        """Title, sentence and next step of `code`."""
        given = values or {}
        return CodeText(
            *(
                _fill(self._message(f"code.{code.value}.{part}"), given)
                for part in ("title", "say", "next")
            )
        )

    def _message(self, key: str) -> str:
        message = self._messages.gettext(key)
        if message == key:
            raise KeyError(key)
        return message


def _fill(message: str, values: Mapping[str, str]) -> str:
    if "{" not in message:
        return message
    return message.format_map(
        _Values((name, safe(value, VALUE_LENGTH_MAX)) for name, value in values.items())
    )
