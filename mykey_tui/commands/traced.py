"""`--trace`: what passed to the card, secrets masked, on standard error when the command ends."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from mykey_tui.card.connection import CardReader
from mykey_tui.commands.output import say_aside
from mykey_tui.reader.tracing import TraceBook, TracingReader


@contextmanager
def traced(reader: CardReader, arguments: argparse.Namespace) -> Iterator[CardReader]:
    """`reader`, or with `--trace` the same one with a trace of its last commands; see `TraceBook`.

    The lines come also where the command fails: that is what a trace is for.
    """
    if not getattr(arguments, "trace", False):
        yield reader
        return
    book = TraceBook()
    book.switch_on()
    try:
        yield TracingReader(reader, book)
    finally:
        for line in book.lines():
            say_aside(line)
