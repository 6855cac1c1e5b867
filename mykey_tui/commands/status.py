"""`mykey status`: the status line's facts, as text or JSON."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from importlib.metadata import version

from mykey_tui.card.connection import CardReader, ReaderChanged, ReaderState
from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output
from mykey_tui.composition.counter import Counter, make_client, open_counter, reader_of
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.flows.counter import SIMULATED_PROFILE, age_seconds
from mykey_tui.flows.outcomes import LineState, Status, Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.screens.status_line import age, ago
from mykey_tui.store.engine import engine_version

READER_SECONDS = 2.0
"""How long the reader's driver may take to say how things stand."""
AMBER_AFTER_SECONDS = 24 * 3600
REFUSE_AFTER_SECONDS = 72 * 3600
"""The staleness budget of C9; the level is told, what it forbids is not built yet."""


_LINES = {
    Code.LINE_DOWN: LineState.DOWN,
    Code.SERVER_DENIED: LineState.REFUSED,
    Code.SERVER_CLOCK: LineState.REFUSED,
    Code.SERVER_RETIRED: LineState.REFUSED,
}


def run(arguments: argparse.Namespace) -> int:
    """Ask every layer in turn; done even where one of them is down, and says which."""
    context = Context.of(arguments)
    with open_counter(context.settings) as counter:
        status, trouble = _ask(counter, reader_of(counter))
    context.output.answer(_facts(counter, status, trouble), _lines(context.output, status, trouble))
    return Exit.DONE


def _ask(counter: Counter, reader: CardReader) -> tuple[Status, Stopped | None]:
    """The same value that the status line gets, with the line tried now."""
    identity, counts = counter.store.identity, counter.store.counts()
    trouble = _line_trouble(counter)
    state, name = _reader_state(reader)
    status = Status(
        provider_name=identity.provider_name,
        counter_name=identity.counter_name,
        simulated=identity.profile == SIMULATED_PROFILE or reader.simulated,
        line=LineState.UP if trouble is None else _LINES.get(trouble.code, LineState.BROKEN),
        line_since_seconds=None,
        waiting=counts.waiting,
        oldest_seconds=age_seconds(counts.oldest, counter.clock),
        attention=counts.attention,
        rows=counter.store.progress().rows,
        revocation_age_seconds=counter.store.pull_age_seconds(),
        reader=state,
        reader_name=name,
    )
    return status, trouble


def _facts(counter: Counter, status: Status, trouble: Stopped | None) -> dict[str, object]:
    identity = counter.store.identity
    last_pull = status.revocation_age_seconds
    return {
        "provider_id": identity.provider_id.text,
        "provider_name": status.provider_name,
        "counter": status.counter_name,
        "profile": identity.profile,
        "simulated": status.simulated,
        "online": trouble is None,
        "line_code": None if trouble is None else trouble.code.value,
        "cache": {"rows": status.rows, "age_seconds": _rounded(last_pull)},
        "revocation": {"age_seconds": _rounded(last_pull), "level": _level(last_pull)},
        "outbox": {
            "waiting": status.waiting,
            "attention": status.attention,
            "oldest_seconds": _rounded(status.oldest_seconds),
        },
        "reader": {"state": status.reader.value, "name": status.reader_name},
        "versions": {"mykey-tui": version("mykey-tui"), "engine": engine_version()},
    }


def _lines(output: Output, status: Status, trouble: Stopped | None) -> list[str]:
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
    lines.append(catalog.text("cli.status.rows", rows=status.rows))
    lines.append(f"{catalog.text(f'status.reader.{status.reader.value}')}   {status.reader_name}")
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


def _level(seconds: float | None) -> str:
    """green, amber or refuse; unknown where nothing was ever fetched."""
    if seconds is None:
        return "unknown"
    if seconds > REFUSE_AFTER_SECONDS:
        return "refuse"
    return "amber" if seconds > AMBER_AFTER_SECONDS else "green"


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
