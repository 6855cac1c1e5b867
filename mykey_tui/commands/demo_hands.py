"""The hands of the demo: they lay cards on the emulated reader, and cut the line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import httpx

from mykey_tui.flows.services import SampleCard
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated.tray import TrayCard
from mykey_tui.sync.deadline import BoundedTransport

CHANGE_SECONDS = 1.0
"""Between two cards, as with real hands: the screen is seen to be free."""


class LineSwitch(httpx.BaseTransport):
    """The way to the server, with a switch in it."""

    def __init__(self) -> None:
        self._way = BoundedTransport(verify=True)
        self.cut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Let the request through, or fail as a dead line does."""
        if self.cut:
            raise httpx.ConnectError("the line is cut by hand", request=request)
        return self._way.handle_request(request)

    def close(self) -> None:
        """Let go of the connections."""
        self._way.close()


class DemoHands:
    """See `flows.services.DemoPort`. Any thread may call; `place` may take a second.

    `nudge` asks for a round at once, so that a cut or mended line shows within a moment.
    """

    def __init__(
        self,
        tray: Sequence[TrayCard],
        reader: EmulatedReader,
        line: LineSwitch,
        nudge: Callable[[], None],
    ) -> None:
        self._tray = tray
        self._reader = reader
        self._line = line
        self._nudge = nudge
        self._hands = threading.Lock()
        self._placed: str | None = None

    def cards(self) -> Sequence[SampleCard]:
        """The tray."""
        return [
            SampleCard(c.key, c.name_ja, c.name_en, c.expect_ja, c.expect_en) for c in self._tray
        ]

    def place(self, key: str) -> None:
        """Take away what lies there, and a second later lay this card."""
        card = next(card for card in self._tray if card.key == key).card
        with self._hands:
            if self._reader.holds_card:
                self._reader.remove()
                time.sleep(CHANGE_SECONDS)
            self._reader.insert(card)
            self._placed = key

    def remove(self) -> None:
        """Take the card away."""
        with self._hands:
            self._reader.remove()

    def placed(self) -> str | None:
        """The key of the card that lies there."""
        return self._placed if self._reader.holds_card else None

    def line_is_cut(self) -> bool:
        """Whether the line was cut by hand."""
        return self._line.cut

    def set_line_cut(self, cut: bool) -> None:
        """Cut or mend the line."""
        self._line.cut = cut
        self._nudge()
