"""`mykey leave`: sign this counter out, so that its home can be enrolled anew. Nothing unsent is lost."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import dataclass

from mykey_tui.commands.asking import said_yes
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.flows.counter import age_seconds
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.screens.status_line import age
from mykey_tui.settings import SettingsError
from mykey_tui.store import leaving
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.leaving import UnsentError
from mykey_tui.store.outbox import QueueCounts

UNKNOWN = "unknown"
"""What `--lose-unsent` says of a store that nobody can open."""


def run(arguments: argparse.Namespace) -> int:
    """Move the store aside, or destroy it with `--wipe`; refused while anything is unsent.

    `--lose-unsent` takes the very number that is lost: who has not read it cannot write it.
    """
    context = Context.of(arguments)
    output, home = context.output, Home(context.settings.home)
    unread = arguments.lose_unsent == UNKNOWN
    if unread and arguments.wipe:
        raise SettingsError("leave: what nobody can count is never destroyed; leave --wipe away")
    may_lose = 0 if arguments.lose_unsent in (None, UNKNOWN) else int(arguments.lose_unsent)
    with home.only_screen():
        stakes = _NOBODY_KNOWS if unread else _stakes(home)
        counts = stakes.counts
        if counts is not None and counts.unsent not in (0, may_lose):
            return _refuse(output, counts)
        if not arguments.yes and not _confirmed(output, stakes, wipe=arguments.wipe):
            output.answer({"result": "kept"}, [output.catalog.text("cli.leave.kept")])
            return Exit.REFUSED
        try:
            kept = _leave(home, may_lose=may_lose, unread=unread, wipe=arguments.wipe)
        except UnsentError as error:  # stored while the person was asked
            return _refuse(output, error.counts)
    lost = 0 if counts is None else counts.unsent
    facts = {
        "result": "left",
        "kept": kept,
        "lost": None if unread else lost,
        "attention": None if counts is None else counts.attention,
        "unbacked": stakes.unbacked,
    }
    text = output.catalog.text
    lines = [
        text("cli.leave.kept-in", place=kept) if kept else text("cli.leave.wiped"),
        text("cli.leave.tell-operator"),
        *_left_behind(stakes, output),
    ]
    output.answer(facts, lines)
    return Exit.DONE


@dataclass(frozen=True, slots=True)
class _Stakes:
    """What the store holds that a person should know of; None where nobody can count."""

    counts: QueueCounts | None
    unbacked: int | None
    """Acknowledged, and in no checked backup of the server that this counter was told of."""


_NOBODY_KNOWS = _Stakes(None, None)


def _stakes(home: Home) -> _Stakes:
    with closing(CounterStore.open(home)) as store:
        return _Stakes(store.counts(), store.unbacked())


def _leave(home: Home, *, may_lose: int, unread: bool, wipe: bool) -> str | None:
    """The name of the folder in the home that holds the store now; None where nothing does."""
    if unread:
        return leaving.set_aside_unread(home).name
    if wipe:
        leaving.wipe(home, may_lose=may_lose)
        return None
    return leaving.set_aside(home, may_lose=may_lose).name


def _left_behind(stakes: _Stakes, output: Output) -> list[str]:
    """What nobody decided before the counter left, and what hangs on the server's disk alone."""
    attention = stakes.counts.attention if stakes.counts is not None else 0
    told = {"cli.leave.attention": attention, "cli.leave.unbacked": stakes.unbacked or 0}
    return [output.catalog.text(key, count=count) for key, count in told.items() if count]


def _refuse(output: Output, counts: QueueCounts) -> Exit:
    oldest = age_seconds(counts.oldest, SystemClock())
    facts = {
        "unsent": counts.unsent,
        "oldest_seconds": None if oldest is None else round(oldest),
        "attention": counts.attention,
    }
    words = age(oldest or 0.0, output.catalog)
    values = {"count": str(counts.unsent), "age": words}
    return output.stopped(Stopped(Code.STORE_UNSENT, values), facts=facts)


def _confirmed(output: Output, stakes: _Stakes, *, wipe: bool) -> bool:
    if stakes.counts is not None and stakes.counts.unsent:
        output.tell("cli.leave.loses", count=stakes.counts.unsent)
    if stakes.counts is not None and stakes.counts.attention:
        output.tell("cli.leave.attention", count=stakes.counts.attention)
    if stakes.unbacked:
        output.tell("cli.leave.unbacked", count=stakes.unbacked)
    question = output.catalog.text("cli.leave.ask.wipe" if wipe else "cli.leave.ask")
    return said_yes(output, question, command="leave")
