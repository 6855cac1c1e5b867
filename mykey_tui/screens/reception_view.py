"""What the reception's stage shows in each of its states, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from mykey_tui.domain.assurance import Assurance
from mykey_tui.domain.codes import Code
from mykey_tui.domain.text import safe
from mykey_tui.flows.outcomes import (
    Found,
    HandOver,
    Linked,
    NotLinked,
    NotLoaded,
    Stopped,
    Unconfirmed,
)
from mykey_tui.screens.big_digits import big
from mykey_tui.screens.host import Face
from mykey_tui.screens.layout import Line, Role, band, centre, rows, wrap

DAYS_LEFT_SAID = 60
"""From here on the screen says how long the certificate is still good: time to renew it."""


@dataclass(frozen=True, slots=True)
class Preparing:
    """The services are not loaded yet."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """For a card; `trouble` is why none can be read."""

    trouble: Code | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A card is being read."""


@dataclass(frozen=True, slots=True)
class Confirming:
    """A clerk has confirmed a look-up in old rows; the answer comes from the card desk."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The marked test value went to the till, or did not."""

    handover: HandOver


@dataclass(frozen=True, slots=True)
class CannotStart:
    """The counter's own data could not be opened."""

    code: Code


Shown: TypeAlias = (
    Preparing
    | Waiting
    | Reading
    | Found
    | NotLinked
    | NotLoaded
    | Unconfirmed
    | Confirming
    | Stopped
    | Linked
    | Tested
    | CannotStart
)

# Could not tell, or may be tried again at once: asked, not refused.
_ASKING = frozenset(
    {
        Code.TRUST_NO_ANCHORS,
        Code.TRUST_CLOCK,
        Code.CARD_NOT_LAID,
        Code.HANDOVER_TIMEOUT,
        Code.ROWS_OLD,
        Code.ROWS_CLOCK,
        Code.ROWS_STALE,
        Code.ROWS_MANY,
        Code.ROWS_LOADING,
        Code.LINK_UNPROVEN,
    }
)


_PROMPTS: dict[type[object], str] = {
    Preparing: "reception.preparing",
    Reading: "reception.reading",
    Confirming: "reception.confirming",
}


def reception(shown: Shown, face: Face, *, card_lies: bool) -> list[Line]:
    """The stage of the reception."""
    match shown:
        case Preparing() | Reading() | Confirming():
            lines = _prompt(face.text(_PROMPTS[type(shown)]))
        case Waiting(trouble):
            lines = said(Stopped(trouble), face) if trouble else _waiting(face, card_lies=card_lies)
        case Found():
            lines = _found(shown, face, card_lies=card_lies)
        case NotLinked():
            lines = _not_linked(shown, face)
        case NotLoaded(values=values):
            lines = said(Stopped(Code.ROWS_LOADING, values), face)
            lines[11] = centre(face.text("reception.not.loaded"), Role.DIM)
        case Unconfirmed(code=code, values=values):
            lines = said(Stopped(code, values), face)
            lines[11] = centre(face.text("reception.confirm"), Role.STRONG)
        case Linked():
            lines = finished(shown, face, card_lies=card_lies)
        case Tested(handover):
            lines = _tested(handover, face)
        case Stopped():
            lines = said(shown, face)
        case CannotStart(code):
            lines = said(Stopped(code), face)
        case _:
            assert_never(shown)
    return lines


def _prompt(text: str) -> list[Line]:
    return rows((5, centre(text, Role.STRONG)))


def _waiting(face: Face, *, card_lies: bool) -> list[Line]:
    if card_lies:
        return _prompt(face.text("reception.take"))
    other = face.text("reception.waiting.other")
    return rows(
        (5, centre(face.text("reception.waiting"), Role.STRONG)),
        (7, centre("" if face.is_console else other, Role.DIM)),
        (10, [centre(row, Role.DIM) for row in face.profile.glyphs.frame]),
        (15, centre(face.text("profile.why.short") if face.profile.why else "", Role.DIM)),
    )


def _found(found: Found, face: Face, *, card_lies: bool) -> list[Line]:
    number = safe(found.service_id.text, 32)
    sent = _handed_over(found.handover, face)
    taking = [centre(face.text("reception.take"), Role.STRONG)] if card_lies else []
    days = face.text("reception.days", days=found.days_left)
    proven = found.assurance is Assurance.AUTHENTICATED
    return rows(
        (0, band(face.marked("good", face.code(Code.FOUND).title), Role.GOOD)),
        (4, centre(face.text("service.id.long"))),
        (6, [centre(row, Role.STRONG) for row in big(number, face.profile)]),
        (10, centre(number, Role.STRONG) if not face.is_console else Line()),
        (12, sent),
        (14, taking),
        (15, centre(face.text("reception.provisional") if found.provisional else "", Role.DIM)),
        (16, centre(days if found.days_left <= DAYS_LEFT_SAID else "")),
        (17, centre(face.text("reception.proven") if proven else "", Role.DIM)),
    )


def _handed_over(handover: HandOver, face: Face) -> list[Line]:
    if handover.code is Code.HANDED_OVER:
        adapter = face.text(f"adapter.{handover.adapter}") if handover.adapter in _ADAPTERS else ""
        return [centre(face.text("reception.sent", adapter=adapter))] if adapter else [
            centre(face.code(Code.HANDED_OVER).title)
        ]  # fmt: skip
    text = face.code(handover.code)
    return [
        centre(f"{text.title}   {handover.code.value}", Role.WARN),
        centre(text.next),
    ]


_ADAPTERS = frozenset({"file", "command"})


def _not_linked(outcome: NotLinked, face: Face) -> list[Line]:
    text = face.code(Code.NOT_LINKED)
    identity = f"{face.text('my.key.id')}   {outcome.card.cn.my_key_id.text}"
    return rows(
        (0, band(face.marked("ask", text.title), Role.WARN, Code.NOT_LINKED.value)),
        (4, centre(identity, Role.STRONG)),
        (7, [centre(row) for row in (*wrap(text.say), *wrap(text.next))]),
        (11, centre(face.text("reception.start.link"), Role.STRONG)),
    )


def said(stopped: Stopped, face: Face) -> list[Line]:
    """A refusal: what, its code, and what now."""
    text = face.code(stopped.code, stopped.values)
    asking = stopped.code in _ASKING
    last = stopped.values.get("last", "")
    title = face.marked("ask" if asking else "bad", text.title)
    return rows(
        (0, band(title, Role.WARN if asking else Role.BAD, stopped.code.value)),
        (4, [centre(row) for row in wrap(text.say)]),
        (7, [centre(row, Role.STRONG) for row in wrap(text.next)]),
        (10, centre(face.text("reception.dup.last", last=last) if last else "")),
        (12, centre(face.text("reception.doctor") if _is_of_the_reader(stopped.code) else "")),
    )


def _is_of_the_reader(code: Code) -> bool:
    """Whether the doctor can say more."""
    return code.value.startswith("D-")


def finished(linked: Linked, face: Face, *, card_lies: bool) -> list[Line]:
    """The link (or its removal) is stored."""
    text = face.code(linked.code, {"count": str(linked.waiting)})
    number = safe(linked.service_id.text, 32) if linked.service_id else ""
    return rows(
        (0, band(face.marked("good", text.title), Role.GOOD, linked.code.value)),
        (4, centre(face.text("service.id.long") if number else "")),
        (6, centre(number, Role.STRONG)),
        (9, [centre(row) for row in wrap(text.say)]),
        (12, [centre(row, Role.STRONG) for row in wrap(text.next)]),
        (15, centre(face.text("reception.take") if card_lies else "", Role.STRONG)),
    )


def _tested(handover: HandOver, face: Face) -> list[Line]:
    good = handover.code is Code.HANDED_OVER
    text = face.code(handover.code)
    adapter = face.text(f"adapter.{handover.adapter}") if handover.adapter in _ADAPTERS else ""
    title = face.marked("good" if good else "bad", text.title)
    say = face.text("test.sent", adapter=adapter) if good else text.say
    then = face.text("test.look") if good else face.text("test.next")
    return rows(
        (0, band(title, Role.GOOD if good else Role.BAD, handover.code.value)),
        (4, centre(face.text("test.title"))),
        (7, [centre(row) for row in wrap(say)]),
        (10, [centre(row, Role.STRONG) for row in wrap(then)]),
    )


def next_words(shown: Shown, face: Face, *, demo: bool) -> str:
    """The words of row 21."""
    table: dict[type[object], Callable[[], str]] = {
        Waiting: lambda: face.text("reception.demo") if demo else "",
        Found: lambda: face.text("next.clear"),
        Linked: lambda: face.text("next.clear"),
        Tested: lambda: face.text("next.clear"),
        NotLinked: lambda: face.text("next.nothing.sent"),
        NotLoaded: lambda: face.text("next.nothing.sent.clear"),
        Unconfirmed: lambda: face.text("next.confirm"),
        Stopped: lambda: face.text("next.nothing.sent.clear"),
        CannotStart: lambda: face.text("next.start.again"),
    }
    words = table.get(type(shown))
    return words() if words else ""
