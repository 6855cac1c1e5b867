"""`mykey sync`: one round of reconciliation with the server."""

from __future__ import annotations

import argparse

from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit
from mykey_tui.commands.progress import progress_told
from mykey_tui.composition.counter import open_counter, reconcile
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.sync.retire import RetiredError


def run(arguments: argparse.Namespace) -> int:
    """Send what waits, fetch what is new. Exit 3 also where the digests differ."""
    context = Context.of(arguments)
    output = context.output
    with open_counter(context.settings) as counter:
        try:
            with progress_told(counter.store, output):
                report = reconcile(counter)
        except RetiredError as error:
            lost = output.catalog.text("cli.sync.lost", count=error.lost)
            stopped = Stopped(error.code, {"detail": lost})
            return output.stopped(stopped, facts={"lost": error.lost})
        except (LineError, ServerError) as error:
            return output.stopped(stopped_by(error))
        waiting = counter.store.counts().waiting
    facts = {
        "pushed": report.pushed,
        "applied": report.applied,
        "already": report.already,
        "conflicts": report.conflicts,
        "invalid": report.invalid,
        "waiting": waiting,
        "pulled": report.pulled,
        "refused_rows": report.refused_rows,
        "rows": report.rows,
        "seq": report.seq,
        "epoch": report.epoch,
        "digest": report.digest,
    }
    same = report.digest == "match"
    text = output.catalog.text
    lines = [
        text("cli.sync.sent", sent=report.pushed, accepted=report.applied + report.already),
        text("cli.sync.refused", count=report.conflicts + report.invalid),
        text("cli.sync.got", pulled=report.pulled, rows=report.rows),
        text("cli.sync.match" if same else "cli.sync.mismatch"),
    ]
    output.answer(facts, lines)
    return Exit.DONE if same else Exit.COULD_NOT
