"""`mykey lookup`: wait for a card, find its service ID here, hand it over."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import assert_never

from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.failing import stopped_of
from mykey_tui.commands.output import AnswerLostError, Exit, Output, exit_of
from mykey_tui.commands.pin import authenticated
from mykey_tui.composition.counter import Counter, open_counter, reader_of, reconcile
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.flows.courier import RoundCourier
from mykey_tui.flows.identify import identify
from mykey_tui.flows.lookup import LookupFlow
from mykey_tui.flows.outcomes import (
    Found,
    IdentifiedCard,
    LookupOutcome,
    NotLinked,
    NotLoaded,
    PinWanted,
    Stopped,
    Unconfirmed,
)
from mykey_tui.flows.pin import PURPOSE_LOOKUP
from mykey_tui.flows.timings import Timings
from mykey_tui.settings import SettingsError

_RESULTS = {
    Code.SUSPENDED: "suspended",
    Code.RENEWED: "renewed",
    Code.NOT_LINKED: "not-linked",
    Code.ROWS_OLD: "stale",
    Code.ROWS_CLOCK: "stale",
    Code.ROWS_STALE: "stale",
    Code.ROWS_MANY: "stale",
    Code.ROWS_LOADING: "stale",
    Code.LINK_UNPROVEN: "stale",
}

LOCK_SECONDS = 1.0
"""For a round of the running screen, which does the same."""


def run(arguments: argparse.Namespace) -> int:
    """One card. Exit 3 also where it was found and the till did not take it.

    Every failure answers with the same keys as a card that could not be read, a bug of ours too: a
    script has one shape to expect.
    """
    context = Context.of(arguments)
    try:
        return _look_up(context, arguments)
    except (SettingsError, AnswerLostError):
        raise  # wrong usage, and nobody to answer: `commands.failing` knows both
    except Exception as error:  # noqa: BLE001  # the command's outermost frame: it answers
        return _refuse(context.output, stopped_of(error, arguments), _facts(None, {}))


def _look_up(context: Context, arguments: argparse.Namespace) -> Exit:
    with open_counter(context.settings) as counter:
        reader = reader_of(counter)
        policy = counter.settings.pin.policy
        flow = LookupFlow(
            reader, counter.judge, counter.store, counter.handover, counter.clock, policy
        )
        timings = Timings(counter.clock)
        with CardThread(reader) as thread:
            context.ask_for_card()
            card: IdentifiedCard | Stopped | None = thread.wait_for_card(arguments.wait)
            if card is None:
                card = thread.run(lambda: identify(reader, counter.judge, timings))
            is_good = isinstance(card, IdentifiedCard)
            confirmed = arguments.online and is_good and _confirmed(counter, timings)
            outcome: LookupOutcome = (
                card if isinstance(card, Stopped) else _answered(flow, card, timings, arguments)
            )
            if isinstance(outcome, PinWanted):
                card = authenticated(
                    context, arguments, thread, reader, counter.judge, outcome.card, PURPOSE_LOOKUP
                )
                outcome = (
                    card if isinstance(card, Stopped) else _answered(flow, card, timings, arguments)
                )
    identified = card if isinstance(card, IdentifiedCard) else None
    facts = _facts(identified, timings.milliseconds(), confirmed=confirmed)
    return _answer(context.output, outcome, facts)


def _confirmed(counter: Counter, timings: Timings) -> bool:
    """Whether a round came to its end just now; where none does, the rows answer as they are."""

    def one_round() -> None:
        if reconcile(counter, lock_wait_seconds=LOCK_SECONDS).digest != "match":
            raise ServerError(Code.SERVER_DIGEST)

    with timings.measure("online"):
        return RoundCourier(one_round).confirm()


def _answered(
    flow: LookupFlow, card: IdentifiedCard, timings: Timings, arguments: argparse.Namespace
) -> LookupOutcome:
    """`--accept-stale` confirms old rows, as a clerk does with Enter; beyond the limit it does not."""
    handover = not arguments.no_handover
    outcome = flow.answer(card, timings, handover=handover)
    if isinstance(outcome, Unconfirmed) and arguments.accept_stale:
        return flow.answer(card, timings, handover=handover, accept_old=True)
    return outcome


def _facts(
    card: IdentifiedCard | None, milliseconds: Mapping[str, float], *, confirmed: bool = False
) -> dict[str, object]:
    """The keys of every answer, whatever came of the card."""
    source = "server" if confirmed else "cache"
    return {
        "service_id": None,
        "assurance": None if card is None else card.assurance.value,
        "source": None if card is None else source,
        "ms": dict(milliseconds),
    }


def _answer(output: Output, outcome: LookupOutcome, facts: dict[str, object]) -> Exit:
    match outcome:
        case Found():
            handed = outcome.handover.code
            facts |= {
                "result": "found",
                "code": Code.FOUND.value,
                "service_id": outcome.service_id.text,
                "handover": handed.value,
                "provisional": outcome.provisional,
                "days_left": outcome.days_left,
            }
            lines = output.code_lines(Code.FOUND) + output.code_lines(handed)
            output.answer(facts, [outcome.service_id.text, *lines])
            well = handed in (Code.HANDED_OVER, Code.HANDOVER_OFF)
            return Exit.DONE if well else Exit.COULD_NOT
        case NotLinked():
            return _refuse(output, Stopped(Code.NOT_LINKED), facts)
        case NotLoaded(values=values):
            return _refuse(output, Stopped(Code.ROWS_LOADING, values), facts)
        case Unconfirmed(code=code, values=values):
            return _refuse(output, Stopped(code, values), facts)
        case PinWanted():
            return _refuse(output, Stopped(Code.PIN_NEEDED), facts)
        case Stopped():
            return _refuse(output, outcome, facts)
        case _:
            assert_never(outcome)


def _refuse(output: Output, stopped: Stopped, facts: dict[str, object]) -> Exit:
    otherwise = "refused" if exit_of(stopped.code) is Exit.REFUSED else "unreadable"
    result = _RESULTS.get(stopped.code, otherwise)
    return output.stopped(stopped, result=result, facts=facts)
