"""`mykey card show`: what the certificate on a card says, and which check it fails."""

from __future__ import annotations

import argparse
from functools import partial

from mykey_tui.card.profile import TABLE_VERSION
from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context, outside_path
from mykey_tui.commands.output import Exit, exit_of
from mykey_tui.commands.outside import write_outside
from mykey_tui.commands.traced import traced
from mykey_tui.composition.counter import make_judge
from mykey_tui.composition.reader import make_reader_without_enrolment
from mykey_tui.domain.clock import SystemClock, japanese_date
from mykey_tui.domain.prefectures import prefecture_of
from mykey_tui.flows.card_detail import CardDetailFlow
from mykey_tui.flows.card_text import card_lines
from mykey_tui.flows.counter import SIMULATED_PROFILE
from mykey_tui.flows.outcomes import CardDetail, CardDetailOutcome, Stopped
from mykey_tui.store.municipalities import municipality_name


def run(arguments: argparse.Namespace) -> int:
    """Read one card; needs no enrolment. With `--export` the same text goes to a file as well."""
    context = Context.of(arguments)
    output, clock = context.output, SystemClock()
    reader = make_reader_without_enrolment(context.settings)
    judge = make_judge(context.settings, clock)
    simulated = reader.simulated or context.settings.profile == SIMULATED_PROFILE
    with traced(reader, arguments) as watched, CardThread(watched) as thread:
        name_of = partial(municipality_name, context.settings.home)
        flow = CardDetailFlow(watched, judge, clock, name_of)
        context.ask_for_card()
        outcome: CardDetailOutcome | None = thread.wait_for_card(arguments.wait)
        if outcome is None:
            outcome = thread.run(flow.run)
    if isinstance(outcome, Stopped):
        result = "refused" if exit_of(outcome.code) is Exit.REFUSED else "unreadable"
        about = output.catalog.text("simulated") if simulated else None
        return output.stopped(outcome, result=result, facts={"simulated": simulated}, about=about)
    lines = card_lines(outcome, output.catalog, simulated=simulated)
    if arguments.export:
        content = "\n".join([*lines, ""]).encode()
        write_outside(outside_path(arguments.export), content, option="--export")
    output.answer({**_facts(outcome), "simulated": simulated}, lines)
    return Exit.DONE


def _facts(detail: CardDetail) -> dict[str, object]:
    prefecture = prefecture_of(detail.municipality_code)
    return {
        "result": "shown",
        "code": detail.verdict.value if detail.verdict else None,
        "profile": detail.profile,
        "profile_table": TABLE_VERSION,
        "random_string": detail.random_string,
        "terminal_code": detail.terminal_code,
        "municipality_code": detail.municipality_code,
        "municipality": detail.municipality or None,
        "prefecture": prefecture.english if prefecture else None,
        "issuer": detail.issuer,
        "not_before": japanese_date(detail.not_before),
        "not_after": japanese_date(detail.not_after),
        "days_left": detail.days_left,
        "revocation": "not-checked",
    }
