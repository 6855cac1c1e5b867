"""`mykey link` and `mykey unlink`: the three steps without a screen. Neither needs the line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import assert_never

from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output
from mykey_tui.commands.pin import authenticated
from mykey_tui.composition.counter import Counter, open_counter, reader_of, reconcile
from mykey_tui.domain.codes import Code
from mykey_tui.flows.courier import RoundCourier
from mykey_tui.flows.identify import identify
from mykey_tui.flows.link import LinkFlow
from mykey_tui.flows.outcomes import IdentifiedCard, Linked, Stopped
from mykey_tui.flows.pin import PURPOSE_UNLINK, purpose_of_link
from mykey_tui.flows.service_card import check_service_id
from mykey_tui.flows.timings import Timings

LOCK_SECONDS = 1.0
"""The running screen may hold a round of its own; that one sends this mutation too, or the next."""


def run(arguments: argparse.Namespace) -> int:
    """Link the service ID that was given to the card that is laid."""
    context = Context.of(arguments)
    with open_counter(context.settings) as counter:
        typed = check_service_id(arguments.service_id, counter.store.identity.service_id_format)
        if isinstance(typed, Stopped):
            return _answer(context.output, typed)
        service_id = typed.service_id
        outcome = _with_the_card(
            context,
            counter,
            arguments,
            purpose=purpose_of_link(service_id),
            check=lambda flow, card: flow.check(card, service_id),
            commit=lambda flow, card: flow.commit_link(card, service_id),
        )
    return _answer(context.output, outcome)


def run_unlink(arguments: argparse.Namespace) -> int:
    """Take the link of the card that is laid away."""
    context = Context.of(arguments)
    with open_counter(context.settings) as counter:
        outcome = _with_the_card(
            context,
            counter,
            arguments,
            purpose=PURPOSE_UNLINK,
            check=lambda flow, card: None,
            commit=lambda flow, card: flow.commit_unlink(card),
        )
    return _answer(context.output, outcome)


def _with_the_card(
    context: Context,
    counter: Counter,
    arguments: argparse.Namespace,
    *,
    purpose: bytes,
    check: Callable[[LinkFlow, IdentifiedCard], Stopped | None],
    commit: Callable[[LinkFlow, IdentifiedCard], Linked | Stopped],
) -> Linked | Stopped:
    """Read, check, read again and compare on the card's thread; store on this one.

    So a card that hangs ends the command with nothing stored, and what was stored is always told.
    Where the provider wants the PIN, the second reading is the one that proves the card.
    """
    reader = reader_of(counter)
    courier = RoundCourier(lambda: reconcile(counter, lock_wait_seconds=LOCK_SECONDS))
    flow = LinkFlow(reader, counter.judge, counter.store, courier, counter.clock)
    timings = Timings(counter.clock)
    with CardThread(reader) as thread:
        context.ask_for_card()
        stopped = thread.wait_for_card(arguments.wait)
        if stopped is not None:
            return stopped
        card = thread.run(lambda: identify(reader, counter.judge, timings))
        if isinstance(card, Stopped):
            return card
        refusal = check(flow, card)
        if refusal is None and counter.settings.pin.policy.for_link:
            proven = authenticated(context, arguments, thread, reader, counter.judge, card, purpose)
            refusal = proven if isinstance(proven, Stopped) else None
        elif refusal is None:
            refusal = thread.run(lambda: flow.read_again(card))
    return refusal or commit(flow, card)


def _answer(output: Output, outcome: Linked | Stopped) -> Exit:
    match outcome:
        case Linked(code=code, waiting=waiting):
            results = {Code.LINKED: "linked", Code.UNLINKED: "unlinked"}
            facts = {
                "result": results.get(code, "queued"),
                "code": code.value,
                "waiting": waiting,
            }
            output.answer(facts, output.code_lines(code, {"count": str(waiting)}))
            return Exit.DONE
        case Stopped():
            return output.stopped(outcome)
        case _:
            assert_never(outcome)
