"""How a command answers: one JSON object or a few lines, and an exit code that scripts rely on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum, unique

from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import NO_VALUES, Stopped
from mykey_tui.i18n.catalog import Catalog, Language

_JAPANESE = "ja"


@unique
class Exit(IntEnum):
    """Exit codes of every command; a contract with scripts."""

    DONE = 0
    REFUSED = 1
    """The answer is no, with a code and a text."""
    USAGE = 2
    COULD_NOT = 3
    """Reader, server, store or till: nothing is known of the card's own answer."""


_COULD_NOT_PREFIXES = ("D-", "K-", "N-", "H-", "X-")
_COULD_NOT = frozenset(
    {
        Code.CARD_REMOVED,
        Code.CARD_UNREADABLE,
        Code.CARD_MUTE,
        Code.CARD_SLOW,
        Code.CARD_NOT_LAID,
        Code.TRUST_NO_ANCHORS,
        Code.TRUST_CLOCK,
        Code.ENROL_EXTRA_MISSING,
    }
)


_REFUSED = frozenset({Code.STORE_UNSENT})
"""The store could, and the answer is no."""


def exit_of(code: Code) -> Exit:
    """The exit code of something that did not happen."""
    if code in _REFUSED:
        return Exit.REFUSED
    if code in _COULD_NOT or code.value.startswith(_COULD_NOT_PREFIXES):
        return Exit.COULD_NOT
    return Exit.REFUSED


def language_of(chosen: str | None, environment: Mapping[str, str] = os.environ) -> Language:
    """The counter's language, else Japanese where the locale can be Japanese, else English."""
    if chosen is not None:
        return Language(chosen)
    locale = next(
        (environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)),
        _JAPANESE,
    )
    if environment.get("TERM") == "linux" or not locale.startswith(_JAPANESE):
        return Language.ENGLISH
    return Language.JAPANESE


class AnswerLostError(Exception):
    """Standard output takes nothing: a full disk, a closed pipe. There is nobody to tell."""


class Output:
    """Where a command's answer goes. With `--json` nothing but the object is on standard output."""

    def __init__(self, *, as_json: bool, language: Language) -> None:
        self.as_json = as_json
        self.catalog = Catalog(language)

    def answer(self, facts: Mapping[str, object], lines: Sequence[str]) -> None:
        """The command's one answer: `facts` for a script, `lines` for a person.

        Raises:
            AnswerLostError: standard output takes nothing.
        """
        if self.as_json:
            _print(_one_line_of_json(facts))
            return
        for line in lines:
            _print(line)

    def code_lines(
        self, code: Code, values: Mapping[str, str] = NO_VALUES, next_step: str | None = None
    ) -> list[str]:
        """What a code says to a person: title with the code, sentence, next step or another one."""
        text = self.catalog.code(code, values)
        then = text.next if next_step is None else next_step
        return [line for line in (f"{text.title}   {code.value}", text.say, then) if line]

    def stopped(
        self,
        stopped: Stopped,
        *,
        result: str | None = None,
        facts: Mapping[str, object] = NO_VALUES,
        next_step: str | None = None,
        about: str | None = None,
    ) -> Exit:
        """Answer with a code, its text and its values; returns the exit code that belongs to it.

        `result` is "refused" or "failed", as the exit code says, unless the command has its own
        word; `facts` are the command's other keys; `next_step` is what a person does here, where
        that is not what the code says to a clerk; `about` is a line that comes before all.
        """
        exit_code = exit_of(stopped.code)
        told = {
            "result": result or ("refused" if exit_code is Exit.REFUSED else "failed"),
            "code": stopped.code.value,
            "text": self.catalog.code(stopped.code, stopped.values).say,
            **stopped.values,
        }
        lines = self.code_lines(stopped.code, stopped.values, next_step)
        if about is not None:
            lines.insert(0, about)
        if "detail" in stopped.values:
            lines.append(stopped.values["detail"])
        self.answer({**facts, **told}, lines)
        return exit_code

    def tell(self, key: str, **values: str | int) -> None:
        """A line for whoever waits, on standard error; nothing with `--json`."""
        if not self.as_json:
            say_aside(self.catalog.text(key, **values))


def say_aside(line: str) -> None:
    """A line on standard error. Whether anybody can read it there changes nothing."""
    if sys.stderr is None:
        return  # print would take standard output instead.
    try:
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # for whoever waits, not the answer
    except OSError:
        point_at_nothing(2)


def _one_line_of_json(facts: Mapping[str, object]) -> str:
    """Readable where the stream can carry it; JSON's own escapes where it cannot."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return json.dumps(facts, ensure_ascii=not encoding.lower().startswith("utf"))


def _print(line: str) -> None:
    if sys.stdout is None:
        raise AnswerLostError
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    shown = line.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, flush=True)  # noqa: T201  # a command's answer is what it prints
    except OSError as error:
        point_at_nothing(1)
        raise AnswerLostError from error


def point_at_nothing(descriptor: int) -> None:
    """What is still buffered for a stream that is gone goes nowhere, and fails nowhere."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
