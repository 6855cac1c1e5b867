"""`mykey outbox`: what waits, what is parked, what was refused."""

from __future__ import annotations

import argparse
from typing import assert_never

from mykey_tui.commands.asking import said_yes
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output, say_aside
from mykey_tui.composition.counter import Counter, open_counter
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.flows.counter import queue_items
from mykey_tui.flows.outcomes import QueueItem, QueueState, Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.settings import SettingsError


def run(arguments: argparse.Namespace) -> int:
    """Do the action that the arguments name."""
    context = Context.of(arguments)
    with open_counter(context.settings) as counter:
        match arguments.action:
            case "list":
                return _list(context.output, counter)
            case "retry":
                return _retry(context.output, counter, arguments.mid)
            case _ if arguments.replace:
                return _replace(context.output, counter, arguments)
            case _:
                return _resolve(context.output, counter, arguments)


def _list(output: Output, counter: Counter) -> Exit:
    counts = counter.store.counts()
    items = queue_items(counter.store, counter.clock)
    facts = {
        "waiting": counts.waiting,
        "attention": counts.attention,
        "items": [_facts(item) for item in items],
    }
    lines = [_line(output, item) for item in items] or [output.catalog.text("cli.outbox.empty")]
    output.answer(facts, lines)
    return Exit.DONE


def _retry(output: Output, counter: Counter, mid: int | None) -> Exit:
    """One parked mutation, or all of them; the next round sends them."""
    items = queue_items(counter.store, counter.clock)
    parked = [item.mid for item in items if item.state is QueueState.PARKED]
    chosen = parked if mid is None else [mid]
    released = sum(counter.store.retry(number) for number in chosen)
    if mid is not None and not released:
        return output.stopped(Stopped(Code.MUTATION_NUMBER), facts={"retried": 0})
    output.answer(
        {"retried": released}, [output.catalog.text("cli.outbox.retried", count=released)]
    )
    return Exit.DONE


def _resolve(output: Output, counter: Counter, arguments: argparse.Namespace) -> Exit:
    """Take a refused mutation off the list, after a person said yes.

    One that waits or is parked is not dropped: it was acknowledged to a person, and the server has
    not said no.
    """
    items = queue_items(counter.store, counter.clock)
    refused = [i for i in items if i.state in (QueueState.CONFLICT, QueueState.INVALID)]
    if arguments.mid is not None:
        refused = [item for item in refused if item.mid == arguments.mid]
    if not refused and arguments.mid is not None:
        return output.stopped(Stopped(Code.MUTATION_NUMBER), facts={"resolved": 0})
    if not refused:
        output.answer({"resolved": 0}, [output.catalog.text("cli.outbox.nothing-to-resolve")])
        return Exit.DONE
    if not arguments.yes and not _confirmed(output, refused):
        output.answer({"resolved": 0}, [output.catalog.text("cli.outbox.kept")])
        return Exit.REFUSED
    resolved = sum(counter.store.resolve(item.mid) for item in refused)
    output.answer(
        {"resolved": resolved}, [output.catalog.text("cli.outbox.resolved", count=resolved)]
    )
    return Exit.DONE


def _replace(output: Output, counter: Counter, arguments: argparse.Namespace) -> Exit:
    """Put the refused service ID in the place of the one that stands at the server.

    Both are named, masked, before anybody says yes; what changed since is refused with S-MOVED.
    """
    if arguments.mid is None:
        raise SettingsError("outbox resolve: --replace needs a number")
    items = queue_items(counter.store, counter.clock)
    item = next((i for i in items if i.mid == arguments.mid and i.replaceable), None)
    if item is None:
        return output.stopped(Stopped(Code.MUTATION_NUMBER), facts={"resolved": 0})
    question = output.catalog.text(
        "cli.outbox.ask.replace", here=item.masked_service_id, there=item.masked_other or ""
    )
    if not arguments.yes and not said_yes(output, question, command="outbox resolve"):
        output.answer({"resolved": 0}, [output.catalog.text("cli.outbox.kept")])
        return Exit.REFUSED
    try:
        number = counter.store.replace_conflict(item.mid)
    except StoreError as error:
        return output.stopped(stopped_by(error), facts={"resolved": 0})
    output.answer(
        {"resolved": 1, "number": number},
        [output.catalog.text("cli.outbox.replaced", number=number)],
    )
    return Exit.DONE


def _confirmed(output: Output, items: list[QueueItem]) -> bool:
    for item in items:
        say_aside(_line(output, item))
    return said_yes(output, output.catalog.text("cli.outbox.ask"), command="outbox resolve")


def _facts(item: QueueItem) -> dict[str, object]:
    return {
        "number": item.mid,
        "op": item.op,
        "service_id": item.masked_service_id,
        "other_service_id": item.masked_other,
        "age_seconds": None if item.age_seconds is None else round(item.age_seconds),
        "state": item.state.value,
        "code": item.code.value if item.code else None,
    }


def _line(output: Output, item: QueueItem) -> str:
    words = [
        f"{item.mid:>6}",
        output.catalog.text(f"cli.outbox.op.{item.op}"),
        item.masked_service_id,
        _state(output, item),
    ]
    if item.masked_other is not None:
        words.append(output.catalog.text("cli.outbox.other", number=item.masked_other))
    if item.age_seconds is not None:
        words.append(output.catalog.text("cli.minutes", count=round(item.age_seconds / 60)))
    return "  ".join(words)


def _state(output: Output, item: QueueItem) -> str:
    match item.state:
        case QueueState.WAITING:
            return output.catalog.text("cli.outbox.waiting")
        case QueueState.PARKED | QueueState.CONFLICT | QueueState.INVALID:
            if item.code is None:
                return str(item.state.value)
            return f"{output.catalog.code(item.code).title} {item.code.value}"
        case _:
            assert_never(item.state)
