"""Reconciling while the counter works: one thread that keeps the rows fresh and the queue short.

While the line is down it waits longer and longer between tries (never more than a minute), and
knocks on the server's door with one bare TCP connection every second and a half, so that the line's
return is noticed at once and costs next to nothing on a metered line. Nothing here spins.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique
from random import Random
from urllib.parse import urlsplit

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError, StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.exchange import ServerBusyError
from mykey_tui.sync.plan import backoff_seconds, poll_seconds
from mykey_tui.sync.push import Pace
from mykey_tui.sync.retire import RetiredError, ends_when_retired
from mykey_tui.sync.round import SyncReport, sync_round

PROBE_EVERY_SECONDS = 1.5
PROBE_CONNECT_SECONDS = 1.0
"""Together with the interval: a line that is back is noticed within about two seconds."""

STOP_SECONDS = 2.0
"""How long `stop` waits; a request that hangs is left to its own time-out in a daemon thread."""

LOCK_WAIT_SECONDS = 1.0
"""For another process's round: that one does the same work, so there is no hurry."""

BUSY_AGAIN_SECONDS = 2.0
REFUSED_AGAIN_SECONDS = 60.0
"""A counter that was turned away asks again, once a minute: the operator may have mended it."""

RECOUNT_EVERY_SECONDS = 24 * 3600.0
"""How often the stored sums are held against the rows themselves, between two rounds."""

_TURNED_AWAY = frozenset({Code.SERVER_DENIED, Code.SERVER_CLOCK, Code.SERVER_COPIED})
_SLOWLY = frozenset({Code.SERVER_RESET, Code.SERVER_SUSPENSIONS, Code.SERVER_KEYS})
"""What asking again does not mend: a visible state, and not a stream of requests."""

ROUND_EVERY_SECONDS = 600.0
"""Between two whole rounds there are polls, which tell only whether there is news: how fresh the rows
are, the server proves in a round."""

_log = logging.getLogger(__name__)


@unique
class Line(Enum):
    """The line to the server, as the last round saw it."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    REFUSED = "refused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class LineView:
    """What is known of the line. `since` is a moment of `time.monotonic`."""

    line: Line
    since: float
    code: Code | None
    """Why the last round did not come to its end: a code of the line, the server or the store.

    Also with the line up: SERVER_DIGEST while the rows here are not the server's.
    """
    report: SyncReport | None
    """The last round that came to its end."""


class BackgroundSync:
    """The thread. `start` once, `stop` once; everything else at any time from any thread."""

    def __init__(
        self,
        store: CounterStore,
        client: ServerClient,
        *,
        on_change: Callable[[], None],
        probe: Callable[[], bool] | None = None,
        random: Random | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            store: the counter's store.
            client: the server, used by this thread alone while it runs.
            on_change: called from this thread after a round that changed anything that is shown.
                What it raises is logged by its kind, and stops nothing.
            probe: whether the server's address answers at all; by default one TCP connection.
                Whoever cuts the line by hand (the demo) must let the probe fail too.
            random: jitter.
        """
        self._store = store
        self._client = client
        self._on_change = on_change
        self._probe = probe or tcp_probe(store.identity.server_url)
        self._random = random or Random()  # noqa: S311  # spreads load, keeps no secret
        self._wake = threading.Condition()
        self._asked = 0
        self._rounds_begun_for = 0
        self._rounds_done_for = 0
        self._stopping = False
        self._failures = 0
        self._pace = Pace()
        self._recounted_at = self._round_at = time.monotonic()
        self._etag = ""
        self._view = LineView(Line.UNKNOWN, time.monotonic(), None, None)
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    @property
    def view(self) -> LineView:
        """The line as last seen."""
        return self._view

    def start(self) -> None:
        """Begin; the first round starts at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, waiting at most `STOP_SECONDS`."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_SECONDS)

    def nudge(self) -> None:
        """Ask for a round at once; returns at once."""
        with self._wake:
            self._asked += 1
            self._wake.notify_all()

    def round_soon(self, timeout_seconds: float) -> bool:
        """Ask for a round and wait until one that began after this call has ended, however.

        False when it had not ended in time.
        """
        with self._wake:
            self._asked += 1
            ticket = self._asked
            self._wake.notify_all()
            return self._wake.wait_for(
                lambda: self._rounds_done_for >= ticket or self._stopping, timeout_seconds
            )

    def _run(self) -> None:
        while not self._stopping:
            with self._wake:
                somebody_asks = self._asked > self._rounds_done_for
                self._rounds_begun_for = self._asked
            before = self._shown()
            pause = self._turn(somebody_asks=somebody_asks)
            with self._wake:
                self._rounds_done_for = self._rounds_begun_for
                self._wake.notify_all()
            if self._shown() != before and not self._stopping:
                self._tell()
            self._recount_when_due()
            self._wait(pause)

    def _tell(self) -> None:
        try:
            self._on_change()
        except Exception as error:  # noqa: BLE001  # whatever a screen does, rounds go on
            _log.error("telling of a round failed: %s", type(error).__name__)

    def _answers(self) -> bool:
        """Whether the server's door is open; a probe that fails has seen no open door."""
        try:
            return self._probe()
        except Exception as error:  # noqa: BLE001  # whatever a probe does, rounds go on
            _log.error("probe failed: %s", type(error).__name__)
            return False

    def _recount_when_due(self) -> None:
        """Once a day hold the stored sums against the rows; what differs is mended by a round."""
        now = time.monotonic()
        with self._wake:
            somebody_waits = self._stopping or self._asked > self._rounds_begun_for
        if somebody_waits or now - self._recounted_at < RECOUNT_EVERY_SECONDS:
            return
        self._recounted_at = now
        try:
            sound = self._store.recount() and self._store.recount_suspensions()
        except StoreError as error:
            self._see(self._view.line, error.code, self._view.report)
            return
        if not sound:
            self.nudge()

    def _turn(self, *, somebody_asks: bool) -> float:
        """A poll, or a round, whatever comes of it; returns how long to wait for the next."""
        try:
            known = self._view.report
            news = "" if somebody_asks or not self._may_poll() else self._ask_for_news()
            if news is None and known is not None:
                self._failures = 0
                return poll_seconds(known.poll_after_seconds, self._random)
            report = sync_round(
                self._store, self._client, lock_wait_seconds=LOCK_WAIT_SECONDS, pace=self._pace
            )
        except LineError as error:
            return self._failed(Line.DOWN, error.code)
        except ServerError as error:
            return self._refused(error)
        except StoreError as error:
            # Says nothing about the line. Another process's round, a full disk: try again.
            pause = self._failed(self._view.line, error.code)
            return BUSY_AGAIN_SECONDS if error.code is Code.STORE_BUSY else pause
        except Exception as error:  # noqa: BLE001  # the thread's outermost loop
            # The kind alone: a traceback's values could be a person's.
            _log.error("sync round failed: %s", type(error).__name__)
            return self._failed(Line.BROKEN, Code.BUG)
        self._failures = 0
        # Only now: what a round could not fetch must stay news.
        self._etag, self._round_at = news or "", time.monotonic()
        # The line works, and what is here is not what the server has: that is said, not hidden.
        differs = report.digest == "mismatch"
        self._see(Line.UP, Code.SERVER_DIGEST if differs else None, report)
        asked = report.retry_after_seconds or report.poll_after_seconds
        return poll_seconds(asked, self._random)

    def _ask_for_news(self) -> str | None:
        """As `ServerClient.poll`. A counter that was retired ends here too, as in a round."""
        with ends_when_retired(self._store):
            return self._client.poll(self._etag)

    def _may_poll(self) -> bool:
        """Whether all is well and nothing is to be sent, so that it is enough to ask for news."""
        view = self._view
        return (
            self._client.can_poll
            and (view.line, view.code) == (Line.UP, None)
            and time.monotonic() - self._round_at < ROUND_EVERY_SECONDS
            and self._store.counts().waiting == 0
            and self._store.parked_due() is None
        )

    def _refused(self, error: ServerError) -> float:
        """The server answered, and not with what was asked for; returns how long to wait."""
        if error.code in _TURNED_AWAY:
            self._failed(Line.REFUSED, error.code)
            return REFUSED_AGAIN_SECONDS
        if isinstance(error, RetiredError):
            # There is nothing left to reconcile; the screen goes on saying why.
            self._failed(Line.REFUSED, error.code)
            self._stopping = True
            return 0.0
        pause = self._failed(Line.BROKEN, error.code)
        if error.code in _SLOWLY:
            return max(pause, REFUSED_AGAIN_SECONDS)
        if isinstance(error, ServerBusyError):
            # Not all at the same moment, and never sooner than was asked for.
            return max(pause, error.wait_seconds * self._random.uniform(1.0, 1.2))
        return pause

    def _failed(self, line: Line, code: Code) -> float:
        self._see(line, code, self._view.report)
        pause = backoff_seconds(self._failures, self._random)
        self._failures += 1
        return pause

    def _see(self, line: Line, code: Code | None, report: SyncReport | None) -> None:
        since = self._view.since if line is self._view.line else time.monotonic()
        self._view = LineView(line, since, code, report)

    def _shown(self) -> object:
        view = self._view
        report = view.report
        rows = (report.rows, report.seq, report.digest) if report else None
        try:
            return view.line, view.code, rows, self._store.counts()
        except StoreError as error:
            return view.line, error.code, rows

    def _wait(self, seconds: float) -> None:
        """Sleep until it is time, somebody asks, or the line is seen to come back."""
        deadline = time.monotonic() + seconds
        watching = self._view.line is Line.DOWN
        # A door that answers although the round failed is no news: only its opening is.
        was_open = watching and self._answers()
        while (left := deadline - time.monotonic()) > 0:
            if self._woken_within(min(left, PROBE_EVERY_SECONDS) if watching else left):
                return
            if watching:
                is_open = self._answers()
                if is_open and not was_open:
                    return
                was_open = is_open

    def _woken_within(self, seconds: float) -> bool:
        with self._wake:
            return self._wake.wait_for(
                lambda: self._stopping or self._asked > self._rounds_begun_for, seconds
            )


def tcp_probe(server_url: str) -> Callable[[], bool]:
    """A probe that opens and closes one TCP connection to the server's address."""
    parts = urlsplit(server_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)

    def probe() -> bool:
        try:
            with socket.create_connection((host, port), timeout=PROBE_CONNECT_SECONDS):
                return True
        except OSError:
            return False

    return probe
