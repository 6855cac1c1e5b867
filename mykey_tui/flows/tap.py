"""One tap of the 100-taps test: read the certificate, keep its time, forget the certificate."""

from __future__ import annotations

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.errors import CardError, ReaderError
from mykey_tui.flows.soak import Tap
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.reader.trace import timed_read


def read_tap(reader: CardReader) -> Tap:
    """Read the card that lies there. Never raises for what a card or a reader does."""
    try:
        return Tap(timed_read(reader).session_milliseconds)
    except (CardError, ReaderError) as error:
        return Tap(code=stopped_by(error).code)
