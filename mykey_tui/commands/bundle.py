"""`mykey bundle export|import`: reconcile by a stick, at a counter without a line (持ち運び)."""

from __future__ import annotations

import argparse

from mykey_tui.commands.context import Context, outside_path
from mykey_tui.commands.output import Exit, Output
from mykey_tui.commands.outside import file_outside
from mykey_tui.composition.counter import Counter, open_counter
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.settings import SettingsError
from mykey_tui.sync.bundle import export_bundle, import_bundle
from mykey_tui.sync.retire import RetiredError
from mykey_tui.wire.bundle import BundleError, ForeignBundleError, open_bundle


def run(arguments: argparse.Namespace) -> int:
    """Write what waits to a file, or take the server's reply in. Each may be done again."""
    context = Context.of(arguments)
    act = _export if arguments.action == "export" else _import
    with open_counter(context.settings) as counter:
        try:
            return act(counter, context.output, arguments.file)
        except BundleError:
            return context.output.stopped(Stopped(Code.BUNDLE_BAD))
        except ForeignBundleError:
            return context.output.stopped(Stopped(Code.BUNDLE_OTHER))
        except RetiredError as error:
            lost = context.output.catalog.text("cli.sync.lost", count=error.lost)
            stopped = Stopped(error.code, {"detail": lost})
            return context.output.stopped(stopped, facts={"lost": error.lost})
        except ServerError as error:
            return context.output.stopped(stopped_by(error))


def _export(counter: Counter, output: Output, name: str) -> Exit:
    path = outside_path(name)
    with file_outside(path, option="FILE") as file:
        done = export_bundle(counter.store, file)
    output.answer(
        {"result": "exported", "file": str(path), "mutations": done.mutations},
        [
            output.catalog.text("cli.bundle.exported", count=done.mutations),
            output.catalog.text("cli.bundle.carry"),
        ],
    )
    return Exit.DONE


def _import(counter: Counter, output: Output, name: str) -> Exit:
    try:
        file = open_bundle(outside_path(name))
    except OSError as error:
        raise SettingsError(f"FILE: cannot read it: {error.strerror}") from error
    with file:
        done = import_bundle(counter.store, file)
    waiting, rows = counter.store.unsent(), counter.store.progress().rows
    moment = "" if done.made_at is None else done.made_at.isoformat()
    facts = {
        "result": "imported",
        "applied": done.applied,
        "already": done.already,
        "conflicts": done.conflicts,
        "invalid": done.invalid,
        "waiting": waiting,
        "news": done.news,
        "as_of": moment,
        "rows": rows,
    }
    text = output.catalog.text
    lines = [
        text("cli.bundle.imported", accepted=done.applied + done.already),
        text("cli.sync.refused", count=done.conflicts + done.invalid),
        text("cli.bundle.rows", rows=rows) if done.news else text("cli.bundle.old"),
        text("cli.bundle.waiting", count=waiting),
    ]
    output.answer(facts, lines)
    return Exit.DONE
