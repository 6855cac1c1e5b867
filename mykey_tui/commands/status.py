"""`mykey status`: the status line's facts, as text or JSON."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version

from mykey_tui.card.connection import CardReader, ReaderChanged, ReaderState
from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output
from mykey_tui.composition.counter import Counter, make_client, open_counter, reader_of
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.flows.ageing import age_values, level_of
from mykey_tui.flows.counter import CounterDesk
from mykey_tui.flows.outcomes import LineState, Status, Stopped
from mykey_tui.flows.standing import standing_code
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.screens.status_line import age, ago
from mykey_tui.store.engine import engine_version
from mykey_tui.store.freshness import Freshness

READER_SECONDS = 2.0
"""How long the reader's driver may take to say how things stand."""

_LINES = {
    Code.LINE_DOWN: LineState.DOWN,
    Code.SERVER_DENIED: LineState.REFUSED,
    Code.SERVER_CLOCK: LineState.REFUSED,
    Code.SERVER_RETIRED: LineState.REFUSED,
    Code.SERVER_COPIED: LineState.REFUSED,
    Code.SERVER_BUSY: LineState.BUSY,
}


def run(arguments: argparse.Namespace) -> int:
    """Ask every layer in turn; done even where one of them is down, and says which."""
    context = Context.of(arguments)
    with open_counter(context.settings) as counter:
        status, trouble = _ask(counter, reader_of(counter))
        freshness = counter.store.freshness()
        facts = _facts(counter, status, trouble, freshness)
    context.output.answer(facts, _lines(context.output, status, trouble, freshness))
    return Exit.DONE


@dataclass(frozen=True, slots=True)
class _TriedLine:
    """The line as one request found it; see `flows.counter.Line`."""

    trouble: Stopped | None

    def line(self) -> tuple[LineState, float | None]:
        """How it is now; since when, a command cannot know."""
        if self.trouble is None:
            return LineState.UP, None
        return _LINES.get(self.trouble.code, LineState.BROKEN), None

    def code(self) -> Code | None:
        """Why the server could not be spoken to."""
        return None if self.trouble is None else self.trouble.code

    def nudge(self) -> None:
        """There is no background here to be asked."""


def _ask(counter: Counter, reader: CardReader) -> tuple[Status, Stopped | None]:
    """The same value that the status line gets, with the line tried now."""
    trouble = _line_trouble(counter)
    reader_now = _reader_state(reader)
    desk = CounterDesk(
        store=counter.store,
        line=_TriedLine(trouble),
        handover=None,
        reader=lambda: reader_now,
        card_text=lambda detail: "",
        clock=counter.clock,
        simulated_reader=reader.simulated,
    )
    return desk.status(), trouble


def _facts(
    counter: Counter, status: Status, trouble: Stopped | None, freshness: Freshness
) -> dict[str, object]:
    identity = counter.store.identity
    last_pull, standing = status.revocation_age_seconds, standing_code(status)
    return {
        "provider_id": identity.provider_id.text,
        "provider_name": status.provider_name,
        "counter": status.counter_name,
        "profile": identity.profile,
        "simulated": status.simulated,
        "online": trouble is None,
        "line_code": None if trouble is None else trouble.code.value,
        "standing": standing.value if standing else None,
        "cache": {
            "rows": status.rows,
            "age_seconds": _rounded(last_pull),
            "loading_percent": status.loading.percent if status.loading else None,
        },
        "revocation": {
            "age_seconds": _rounded(last_pull),
            "level": "unknown" if last_pull is None else level_of(freshness).value,
            "code": status.age_code.value if status.age_code else None,
            "lookups": freshness.lookups,
        },
        "outbox": {
            "waiting": status.waiting,
            "unsent": status.unsent,
            "attention": status.attention,
            "oldest_seconds": _rounded(status.oldest_seconds),
        },
        "reader": {"state": status.reader.value, "name": status.reader_name},
        "versions": {"mykey-tui": version("mykey-tui"), "engine": engine_version()},
    }


def _lines(
    output: Output, status: Status, trouble: Stopped | None, freshness: Freshness
) -> list[str]:
    catalog = output.catalog
    simulated = f"   {catalog.text('simulated')}" if status.simulated else ""
    lines = [f"{status.provider_name}   {status.counter_name}{simulated}"]
    line = catalog.text(f"status.line.{status.line.value}")
    lines.append(line if trouble is None else f"{line}   {trouble.code.value}")
    lines.append(catalog.text("status.queue", count=status.waiting))
    if status.oldest_seconds is not None:
        lines[-1] += " " + catalog.text(
            "status.queue.oldest", age=age(status.oldest_seconds, catalog)
        )
    if status.attention:
        lines.append(catalog.text("status.queue.attention", count=status.attention))
    lines.append(
        catalog.text("status.revocation.none")
        if status.revocation_age_seconds is None
        else catalog.text("status.revocation", age=ago(status.revocation_age_seconds, catalog))
    )
    if status.loading is not None:
        loading = status.loading
        lines.append(catalog.text("cli.status.loading", rows=loading.rows, percent=loading.percent))
    lines.append(catalog.text("cli.status.rows", rows=status.rows))
    lines.append(f"{catalog.text(f'status.reader.{status.reader.value}')}   {status.reader_name}")
    standing = standing_code(status)
    if standing is not None:
        # The next step is for the clerk at the screen.
        lines[1:1] = output.code_lines(standing, age_values(freshness))[:2]
    return [*lines, f"mykey-tui {version('mykey-tui')}   {engine_version()}"]


def _line_trouble(counter: Counter) -> Stopped | None:
    """Why the server cannot be spoken to now; None when it can."""
    with closing(make_client(counter)) as client:
        try:
            client.hello()
        except (LineError, ServerError) as error:
            return stopped_by(error)
    return None


def _reader_state(reader: CardReader) -> tuple[ReaderState, str]:
    """What the driver says of itself first, within `READER_SECONDS`."""

    def ask() -> tuple[ReaderState, str]:
        deadline = time.monotonic() + READER_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            event = reader.wait(remaining)
            if isinstance(event, ReaderChanged):
                return event.state, event.reader
        return ReaderState.STARTING, ""

    with CardThread(reader) as thread:
        answer = thread.run(ask)
    return (ReaderState.STARTING, "") if isinstance(answer, Stopped) else answer


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
