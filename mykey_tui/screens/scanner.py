"""Telling a barcode scanner from a typist: both arrive as keys.

A scanner that works as a keyboard sends its characters a few milliseconds apart and ends with Enter
or Tab. Printable keys are held for a moment; six or more that come as one burst are a scan, others
are let through untouched, at most `BURST_GAP_SECONDS` late.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from textual import events
from textual.app import App
from textual.timer import Timer

from mykey_tui.flows.scan_test import MEASURING_GAP_SECONDS, Scan, scan_of

BURST_GAP_SECONDS = 0.035
"""No typist is that quick between all of six keys; a held key repeats at about this rate."""
BURST_LENGTH_MIN = 6
BURST_LENGTH_MAX = 64
"""More is no barcode of a member card; the rest is let through."""
_ENDS = frozenset({"enter", "tab"})


@dataclass(slots=True)
class Burst:
    """The keys held now."""

    keys: list[events.Key] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What they spell."""
        return "".join(key.character or "" for key in self.keys)

    @property
    def is_scan(self) -> bool:
        """Long enough, and no single key held down."""
        return len(self.keys) >= BURST_LENGTH_MIN and len(set(self.text)) > 1

    def takes(self, key: events.Key) -> bool:
        """Whether `key` is one to hold."""
        return key.is_printable and key.character is not None and len(self.keys) < BURST_LENGTH_MAX

    def ends_with(self, key: events.Key) -> bool:
        """Whether `key` closes a scan."""
        return key.key in _ENDS and self.is_scan

    def release(self) -> list[events.Key]:
        """Let go of all keys, in their order."""
        keys, self.keys = self.keys, []
        return keys


@dataclass(slots=True)
class Pace:
    """Tells a typist from a scanner where no key is held back: by the gaps between keys alone."""

    _last: float = 0.0
    _keys: int = 0
    _paused: bool = False

    def key_at(self, seconds: float) -> None:
        """A key came, by the clock that Textual stamps its events with."""
        if self._keys and seconds - self._last > BURST_GAP_SECONDS:
            self._paused = True
        self._last = seconds
        self._keys += 1

    @property
    def is_burst(self) -> bool:
        """Whether several keys came, and none after a pause: no hand does that with four."""
        return self._keys > 1 and not self._paused


class ScanRouting(App[None]):
    """Mixed into the app: routes a burst past the focus, whatever widget has it.

    `event.is_forwarded` and `on_event` are half private in Textual, so its version is pinned and
    the real terminal's tests cover this.
    """

    def hold_bursts(self, gap_seconds: float) -> None:
        """Call before the app runs, and again for another gap."""
        self._burst = Burst()
        self._burst_timer: Timer | None = None
        self._gap_seconds = gap_seconds

    def scanned(self, text: str) -> None:
        """A barcode came."""
        raise NotImplementedError

    @property
    def scans_are_off(self) -> bool:
        """Whether keys go through at once: a PIN is typed."""
        return False

    @property
    def measures_scans(self) -> bool:
        """Whether a scan is tried out now: then it goes to `measured`, slow ones too."""
        raise NotImplementedError

    def measured(self, scan: Scan) -> None:
        """A barcode came while scans are tried out."""
        raise NotImplementedError

    async def on_event(self, event: events.Event) -> None:
        """Hold what may be a burst; let all other keys through, at most a moment late."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        if self.scans_are_off:
            self._drop_held()
            await super().on_event(event)
            return
        if self._burst_timer is not None:
            self._burst_timer.stop()
            self._burst_timer = None
        if self._burst.takes(event):
            self._burst.keys.append(event)
            gap = MEASURING_GAP_SECONDS if self.measures_scans else self._gap_seconds
            self._burst_timer = self.set_timer(gap, self._burst_over)
            return
        if self._burst.ends_with(event):
            self._take_scan(event.key)
            return
        await self._let_through()
        await super().on_event(event)

    async def _burst_over(self) -> None:
        self._burst_timer = None
        if self.scans_are_off:
            self._drop_held()
        elif self._burst.is_scan and self.focused is None:
            self._take_scan("")  # A scanner set up without Enter: its digits are no keys of ours.
        else:
            await self._let_through()

    def _drop_held(self) -> None:
        """What was typed for the screen before is no digit of the PIN."""
        if self._burst_timer is not None:
            self._burst_timer.stop()
            self._burst_timer = None
        self._burst.release()

    async def _let_through(self) -> None:
        for key in self._burst.release():
            await super().on_event(key)

    def _take_scan(self, end: str) -> None:
        text = self._burst.text
        keys = self._burst.release()
        if self.measures_scans:
            self.measured(scan_of(text, times=[key.time for key in keys], end=end))
        else:
            self.scanned(text)
