"""The status line in words: line, queue, age of the revocation data, reader."""

from __future__ import annotations

from enum import IntEnum

from rich.cells import cell_len

from mykey_tui.card.connection import ReaderState
from mykey_tui.flows.outcomes import LineState, Status
from mykey_tui.i18n.catalog import Catalog
from mykey_tui.screens.host import Face, Host
from mykey_tui.screens.layout import STAGE_WIDTH, Line, Part, Role

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Detail(IntEnum):
    """How much the status line says; what a narrow line can do without goes first."""

    ALL = 0
    COARSE = 1
    SHORT = 2
    BARE = 3


def age(seconds: float, catalog: Catalog, *, fine: bool = False) -> str:
    """A length of time in words that change at most once a minute; `fine` keeps hours and minutes.

    Hours up to three days, because the limits of old rows lie there.
    """
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return catalog.text("age.moment")
    if whole < _HOUR:
        return catalog.text("age.minutes", n=whole // _MINUTE)
    if whole < 3 * _DAY:
        hours, minutes = whole // _HOUR, whole % _HOUR // _MINUTE
        if fine and minutes and whole < _DAY:
            return catalog.text("age.hours.minutes", n=hours, m=minutes)
        return catalog.text("age.hours", n=hours)
    return catalog.text("age.days", n=whole // _DAY)


def ago(seconds: float, catalog: Catalog) -> str:
    """How long ago, in words."""
    if seconds < _MINUTE:
        return catalog.text("age.now")
    return catalog.text("age.ago", age=age(seconds, catalog))


def status_line(host: Host, width: int = STAGE_WIDTH) -> Line:
    """The line for the row above the keys; details go first where it is too narrow."""
    face, status = host.face, host.status
    if status is not None:
        return _whole(status, face, width)
    state: Part = (face.text("status.preparing"), Role.PLAIN)
    if host.trouble is not None:
        state = (f"{face.code(host.trouble).title}   {host.trouble.value}", Role.WARN)
    if host.reader is None:
        return _joined((state,), face)
    return _joined((state, _reader_part(host.reader, face)), face)


def _whole(status: Status, face: Face, width: int) -> Line:
    line = Line()
    for detail in (Detail.ALL, Detail.COARSE, Detail.SHORT, Detail.BARE):
        line = _joined(
            (
                _line_part(status, face, detail),
                _queue_part(status, face, detail),
                _revocation_part(status, face),
                _reader_part(status.reader, face),
            ),
            face,
        )
        if cell_len(line.text) <= width:
            break
    return line


def _joined(parts: tuple[Part, ...], face: Face) -> Line:
    bar: Part = (face.profile.glyphs.bar, Role.PLAIN)
    joined: list[Part] = [(" ", Role.PLAIN)]
    for number, part in enumerate(parts):
        joined.extend((bar, part) if number else (part,))
    return Line(tuple(joined))


def _line_part(status: Status, face: Face, detail: Detail) -> Part:
    words = face.text(f"status.line.{status.line.value}")
    known = status.line is LineState.DOWN and status.line_since_seconds is not None
    if known and detail <= Detail.COARSE:
        since = status.line_since_seconds or 0
        words += " " + age(since, face.catalog, fine=detail is Detail.ALL)
    calm = status.line in (LineState.UP, LineState.UNKNOWN)
    return words, Role.PLAIN if calm else Role.WARN


def _queue_part(status: Status, face: Face, detail: Detail) -> Part:
    details: list[str] = []
    if detail <= Detail.SHORT and status.waiting and status.oldest_seconds is not None:
        words = age(status.oldest_seconds, face.catalog)
        details.append(face.text("status.queue.oldest", age=words))
    if status.attention:
        details.append(face.text("status.queue.attention", count=status.attention))
    words = face.text("status.queue", count=status.waiting)
    if details:
        joined = face.text("status.queue.join").join(details)
        words += face.text("status.queue.details", details=joined)
    return words, Role.WARN if status.attention else Role.PLAIN


def _revocation_part(status: Status, face: Face) -> Part:
    if status.revocation_age_seconds is None:
        return face.text("status.revocation.none"), Role.WARN
    words = ago(status.revocation_age_seconds, face.catalog)
    role = Role.PLAIN if status.age_code is None else Role.WARN
    return face.text("status.revocation", age=words), role


def _reader_part(reader: ReaderState, face: Face) -> Part:
    calm = reader in (ReaderState.READY, ReaderState.STARTING)
    words = face.text(f"status.reader.{reader.value}")
    return (
        (words, Role.PLAIN) if calm else (face.text("status.reader.doctor", words=words), Role.WARN)
    )
