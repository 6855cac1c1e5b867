"""`mykey soak`: the 100-taps test without a screen, with the row for the list of tested readers."""

from __future__ import annotations

import argparse
from functools import partial

from mykey_tui.card.connection import CardReader
from mykey_tui.commands.card_thread import CardThread
from mykey_tui.commands.context import Context
from mykey_tui.commands.output import Exit, Output
from mykey_tui.commands.traced import traced
from mykey_tui.composition.machine import reader_in_test
from mykey_tui.composition.reader import make_reader_without_enrolment
from mykey_tui.domain.codes import Code
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.flows.reader_trouble import READER_TROUBLE
from mykey_tui.flows.soak import ROW_HEAD, Soak, SoakFigures, Tap, row_to_paste
from mykey_tui.flows.tap import read_tap

_OF_THE_READER = frozenset(READER_TROUBLE.values())


def run(arguments: argparse.Namespace) -> int:
    """Lay a card, lift it, lay it again. Ctrl-C, or no card for `--wait` seconds, ends it.

    The result so far is the answer then, with exit code 0; where no card was laid at all, the
    reader's code. Needs no enrolment.
    """
    context = Context.of(arguments)
    soak, reader = Soak(arguments.taps), make_reader_without_enrolment(context.settings)
    output = context.output
    thread_of = partial(CardThread, tell_trouble=partial(_tell_trouble, output))
    with traced(reader, arguments) as watched, thread_of(watched) as thread:
        context.ask_for_card()
        trouble = _lay(soak, thread, watched, arguments.wait, output)
        names = reader.health().readers
    figures = soak.figures
    if trouble is not None and not figures.laid:
        return output.stopped(trouble, next_step=_next_step(trouble.code, output))
    tested = reader_in_test(names[0] if names else "", simulated=reader.simulated)
    row = row_to_paste(figures, tested)
    ended_by = trouble.code if trouble is not None and trouble.code in _OF_THE_READER else None
    facts = {**_facts(figures, row), "trouble": ended_by.value if ended_by else None}
    lines = output.code_lines(ended_by, next_step=_next_step(ended_by, output)) if ended_by else []
    output.answer(facts, [*lines, *_lines(figures, row, output)])
    return Exit.DONE


def _lay(
    soak: Soak, thread: CardThread, reader: CardReader, wait: float, output: Output
) -> Stopped | None:
    """Until all taps are done, or why not."""
    try:
        while not soak.figures.is_done:
            # A card left lying does not arrive again, so it is one tap however long it lies.
            nobody = thread.wait_for_card(wait)
            if nobody is not None:
                return nobody
            tap = thread.run(lambda: read_tap(reader))
            soak.add(Tap(code=tap.code) if isinstance(tap, Stopped) else tap)
            _tell(soak.figures, output)
    except KeyboardInterrupt:
        return None  # Somebody has seen enough.
    return None


def _tell_trouble(output: Output, code: Code) -> None:
    output.tell("cli.reader.trouble", title=output.catalog.code(code).title, code=code.value)


def _next_step(code: Code, output: Output) -> str | None:
    """For a reader's trouble the doctor, who finds the cause; for all else what the code says."""
    if code not in _OF_THE_READER:
        return None
    return f"{output.catalog.code(code).next} {output.catalog.text('cli.reader.doctor')}"


def _tell(figures: SoakFigures, output: Output) -> None:
    output.tell("cli.soak.tap", laid=figures.laid, wanted=figures.wanted, good=figures.good)


def _facts(figures: SoakFigures, row: str) -> dict[str, object]:
    return {
        "result": "done" if figures.is_done else "ended",
        "wanted": figures.wanted,
        "laid": figures.laid,
        "good": figures.good,
        "lifted_early": figures.removed,
        "others": {code.value: count for code, count in figures.others.items()},
        "success_percent": _rounded(figures.success_percent),
        "median_ms": _rounded(figures.median_ms),
        "p95_ms": _rounded(figures.p95_ms),
        "row": row,
    }


def _lines(figures: SoakFigures, row: str, output: Output) -> list[str]:
    text = output.catalog.text
    lines = [
        f"{text('taps.count')}: {figures.laid} / {figures.wanted}",
        f"{text('taps.success')}: {figures.good}",
        f"{text('taps.removed')}: {figures.removed}",
    ]
    lines += [f"{output.catalog.code(c).title}   {c.value}: {n}" for c, n in figures.others.items()]
    if figures.median_ms is not None and figures.p95_ms is not None:
        median, p95 = f"{figures.median_ms:.0f}", f"{figures.p95_ms:.0f}"
        lines.append(f"{text('taps.times')}: {text('taps.ms', median=median, p95=p95)}")
    return [*lines, "", text("taps.row"), ROW_HEAD, row]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
