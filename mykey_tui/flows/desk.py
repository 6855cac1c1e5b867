"""The card desk: one thread that watches the reader and does what a laid card is for.

The screens say what they expect; the desk answers with `desk_events`. All card work is on its
thread (`desk_work`), so two use cases can never talk to one card at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, unique
from typing import assert_never

from mykey_tui.card.connection import (
    CardArrived,
    CardLeft,
    CardReader,
    ReaderChanged,
    ReaderEvent,
    ReaderHealth,
    ReaderState,
)
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.desk_events import (
    FORGOTTEN_AFTER_SECONDS,
    CardForgotten,
    CardTaken,
    CardWanted,
    DeskEvent,
    LinkFinished,
    LookedUp,
    ReaderIs,
    ServiceCardSeen,
    TapDone,
)
from mykey_tui.flows.desk_requests import (
    CardRequest,
    ConfirmRequest,
    LinkRequest,
    LookupRequest,
    Request,
    ShowRequest,
    UnlinkRequest,
    forget_pin,
)
from mykey_tui.flows.desk_work import DeskFlows, DeskWork
from mykey_tui.flows.outcomes import IdentifiedCard, ServiceCardRead, Stopped
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.flows.soak import Tap
from mykey_tui.flows.stopping import describe_bug
from mykey_tui.flows.tap import read_tap

__all__ = ["Desk", "DeskFlows"]

WATCH_SECONDS = 30.0
"""One wait at the reader. `interrupt` ends it sooner, so a long one costs nothing but idle time."""
STOP_SECONDS = 2.0
"""A card that hangs cannot be interrupted; the program ends without it."""
PAUSE_AFTER_BUG_SECONDS = 1.0
"""So that a driver that fails at once, every time, does not spin."""

_READERS_THERE = frozenset({ReaderState.READY, ReaderState.HUNG})

_log = logging.getLogger(__name__)


@unique
class _Expect(Enum):
    """What the next card that is laid is for."""

    NOTHING = "nothing"
    LOOKUP = "lookup"
    LOOKUP_WITHOUT_HANDOVER = "lookup-without-handover"
    SERVICE_CARD = "service-card"
    TAP = "tap"


class Desk(DeskWork):
    """The one card thread of a counter; see `flows.services.DeskPort` for what each call means."""

    def __init__(
        self,
        reader: CardReader,
        flows: DeskFlows,
        emit: Callable[[DeskEvent], None],
        clock: Clock,
    ) -> None:
        super().__init__(reader, flows, emit, clock)
        self._lock = threading.Lock()
        self._expect = _Expect.NOTHING
        self._generation = 0  # Counts what was expected, so that a late answer ends only its own.
        self._request: Request | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="card-desk", daemon=True)
        # Only the desk's own thread touches these.
        self._lies_there = False
        self._announced: Request | None = None
        self._reader_state = ReaderState.STARTING
        self._reader_name = ""

    @property
    def reader_state(self) -> tuple[ReaderState, str]:
        """The reader as last seen, and its name."""
        return self._reader_state, self._reader_name

    @property
    def reader_health(self) -> ReaderHealth:
        """How the watching goes; not alive either when this desk's own thread has ended."""
        health = self._reader.health()
        return health if self._thread.is_alive() else replace(health, alive=False)

    @property
    def card_lies(self) -> bool:
        """Whether a card lies on the reader, as last seen."""
        return self._lies_there

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, waiting at most `STOP_SECONDS` for it. May be called twice."""
        self._stopping.set()
        self._reader.interrupt()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def expect_lookup(self, *, handover: bool = True) -> None:
        """Cards laid from now on are looked up."""
        self._now_expect(_Expect.LOOKUP if handover else _Expect.LOOKUP_WITHOUT_HANDOVER)

    def expect_service_card(self) -> None:
        """The next card laid is a service card; after one that could be read, cards are left alone."""
        self._now_expect(_Expect.SERVICE_CARD)

    def expect_taps(self) -> None:
        """Cards laid from now on are read for the time it takes, and for nothing else."""
        self._now_expect(_Expect.TAP)

    def expect_nothing(self) -> None:
        """Cards laid from now on are left alone."""
        self._now_expect(_Expect.NOTHING)

    def commit_link(
        self, card: IdentifiedCard, service_id: ServiceId, given: PinGiven | None = None
    ) -> None:
        """Read the card again, compare, store."""
        self._ask(LinkRequest(card, service_id, given))

    def commit_unlink(self, card: IdentifiedCard, given: PinGiven | None = None) -> None:
        """Read the card again, compare, take the link away."""
        self._ask(UnlinkRequest(card, given))

    def lookup_with_pin(self, card: IdentifiedCard, given: PinGiven) -> None:
        """Go on with a look-up that wanted the PIN, while its card lies there still."""
        self._ask(LookupRequest(card, given))

    def show_card(self) -> None:
        """Read the card that lies there, or the next one, for the card view."""
        self._ask(ShowRequest())

    def confirm_lookup(self, card: IdentifiedCard) -> None:
        """Hand over after all what was found in old rows, whether or not the card still lies there."""
        self._ask(ConfirmRequest(card))

    def _now_expect(self, expect: _Expect) -> None:
        """Another screen, another meaning: what was asked for before is called off."""
        with self._lock:
            self._expect = expect
            self._generation += 1
            forget_pin(self._request)
            self._request = None
        self._reader.interrupt()

    def _ask(self, request: Request) -> None:
        with self._lock:
            forget_pin(self._request)
            self._request = request
        self._reader.interrupt()

    # The thread ------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except BaseException as error:  # noqa: BLE001  # the outermost loop: it must go on
                _log.error("The card desk met a bug: %s", describe_bug(error))
                self._stopping.wait(PAUSE_AFTER_BUG_SECONDS)
        self._reader.close()

    def _turn(self) -> None:
        """Serve what is asked, wait for one happening, and serve that."""
        self._serve_request()
        event = self._reader.wait(self._seconds_to_wait())
        if event is not None:
            self._note(event)
        self._mind_a_forgotten_card()

    def _seconds_to_wait(self) -> float:
        if self._answered_at is None:
            return WATCH_SECONDS
        return max(0.0, self._answered_at + FORGOTTEN_AFTER_SECONDS - self._clock.monotonic())

    def _note(self, event: ReaderEvent) -> None:
        match event:
            case CardArrived(again=again):
                self._was_sent = self._was_sent and again
                self._lies_there = True
                self._answered_at = None
                if not self._serve_request():
                    self._serve_arrival(again=again)
            case CardLeft():
                self._card_is_gone()
            case ReaderChanged(state=state, reader=reader):
                self._reader_state, self._reader_name = state, reader
                self._emit(ReaderIs(state, reader))
                if state not in _READERS_THERE:
                    self._card_is_gone()
            case _:
                assert_never(event)

    def _card_is_gone(self) -> None:
        self._answered_at = None
        if self._lies_there:
            self._lies_there = False
            self._emit(CardTaken())

    def _mind_a_forgotten_card(self) -> None:
        if self._answered_at is None:
            return
        if self._clock.monotonic() - self._answered_at >= FORGOTTEN_AFTER_SECONDS:
            self._answered_at = None
            self._emit(CardForgotten())

    def _serve_arrival(self, *, again: bool) -> None:
        with self._lock:
            expect, generation = self._expect, self._generation
        match expect:
            case _Expect.NOTHING:
                pass
            case _Expect.LOOKUP:
                self._answer(lambda: self._look_up(again=again), LookedUp)
            case _Expect.LOOKUP_WITHOUT_HANDOVER:
                self._answer(lambda: LookedUp(self._flows.lookup(handover=False)), LookedUp)
            case _Expect.SERVICE_CARD:
                self._answer(lambda: self._service_card(generation), ServiceCardSeen)
            case _Expect.TAP:
                self._answer(
                    lambda: TapDone(read_tap(self._reader)),
                    lambda stopped: TapDone(Tap(code=stopped.code)),
                )
            case _:
                assert_never(expect)

    def _service_card(self, generation: int) -> ServiceCardSeen:
        outcome = self._flows.service_card()
        if isinstance(outcome, ServiceCardRead):
            with self._lock:
                if self._generation == generation:
                    self._expect = _Expect.NOTHING
        return ServiceCardSeen(outcome)

    def _serve_request(self) -> bool:
        """Do what was asked, if its card lies there; ask for the card, once, if it does not."""
        with self._lock:
            request = self._request
            if self._lies_there or isinstance(request, ConfirmRequest):
                self._request = None
        if request is None:
            return False
        if isinstance(request, ConfirmRequest):
            self._confirm(request.card)
            return False  # a card that has just come is still to be looked up
        if self._lies_there:
            self._announced = None
            try:
                self._answer_request(request)
            finally:
                forget_pin(request)
            return True
        if forget_pin(request):
            self._refuse_without_card(request)
            return False
        if request is not self._announced:
            self._announced = request
            self._refuse_or_want(request)
        return False

    def _refuse_without_card(self, request: CardRequest) -> None:
        """A PIN does not wait for a card: it was typed for the one that lay there."""
        with self._lock:
            if self._request is request:
                self._request = None
        gone = Stopped(Code.CARD_REMOVED)
        self._emit(LookedUp(gone) if isinstance(request, LookupRequest) else LinkFinished(gone))

    def _refuse_or_want(self, request: CardRequest) -> None:
        """Nobody is asked to lay a card for what is impossible anyway."""
        if isinstance(request, LinkRequest):
            refusal = self._flows.check_link(request.card, request.service_id)
            if refusal is not None:
                with self._lock:
                    if self._request is request:
                        self._request = None
                self._emit(LinkFinished(refusal))
                return
        self._emit(CardWanted())
