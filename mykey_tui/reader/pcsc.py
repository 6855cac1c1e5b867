"""The PC/SC driver: readers behind pcscd, through pyscard's thin layer.

The only module that may import pyscard. Its classes above `scard` are not used: their monitor
thread dies with the service and prints tracebacks over the screen. Errors are told by their
number, for one class of pyscard stands for many of them.

One thread owns a `PcscReader` and blocks in `wait`; only `interrupt` may come from another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from smartcard import scard

from mykey_tui.card import allow_list
from mykey_tui.card.connection import (
    CardConnection,
    ReaderChanged,
    ReaderEvent,
    ReaderHealth,
    ReaderState,
)
from mykey_tui.card.storage import is_storage_card
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, ReaderError, TransmissionError
from mykey_tui.domain.text import safe
from mykey_tui.reader.slots import CHANGED, PRESENT, UNAWARE, Slots

BACK_OFF_SECONDS = 1.0
"""Between two attempts while the service is away."""
LOOK_SECONDS = 1.0
"""Longest blocking look. The list of readers is fetched again after each, for hosts whose service
does not report new readers; and an interruption that just misses the look is late by this much."""
CONNECT_SECONDS = 1.0
"""How long to go on trying: a card that was just laid may not answer at once, and another program
may hold the reader for a moment."""
CONNECT_PAUSE_SECONDS = 0.1
REMOVAL_SECONDS = 0.6
"""How long a failed command waits to learn whether the card was pulled: pcscd looks every 0.4 s."""
SPURIOUS_PAUSE_SECONDS = 0.02
"""After a look that returned at once with nothing new, so that no service can make us spin."""
BEAT_LATE_SECONDS = 8.0
"""A watcher that has not looked for so long hangs, or is dead."""
READERS_MAX = 16
"""As many as pcsc-lite has contexts for."""

_PLUG_AND_PLAY = "\\\\?PnP?\\Notification"
_OK = scard.SCARD_S_SUCCESS
_SERVICE_GONE = frozenset(
    {
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_F_COMM_ERROR,
        scard.SCARD_E_INVALID_HANDLE,
    }
)
_NOTHING_NEW = frozenset({scard.SCARD_E_TIMEOUT, scard.SCARD_E_CANCELLED})
_CARD_GONE = frozenset({scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD})
_CARD_MUTE = frozenset(
    {
        scard.SCARD_E_PROTO_MISMATCH,
        scard.SCARD_W_UNRESPONSIVE_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
        scard.SCARD_W_UNSUPPORTED_CARD,
    }
)
_READER_GONE = frozenset({scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE})
_WORTH_ANOTHER_TRY = (
    _CARD_GONE | _CARD_MUTE | {scard.SCARD_E_SHARING_VIOLATION, scard.SCARD_W_RESET_CARD}
)


class PcscReader:
    """A `CardReader` over all PC/SC readers, or over those whose name contains `name`."""

    simulated = False

    def __init__(self, name: str | None = None) -> None:
        self._wanted = (name or "").casefold()
        self._context: int | None = None
        self._slots = Slots()
        self._told: ReaderChanged | None = None
        self._plug_state = UNAWARE
        self._retry_at = 0.0
        self._interrupted = threading.Event()
        self._looked_at: float | None = None

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        """See `CardReader.wait`."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            event = self._slots.next_event()
            if event is not None:
                return event
            if self._interrupted.is_set():
                self._interrupted.clear()
                return None
            remaining = max(0.0, deadline - time.monotonic())
            self._look(remaining)
            if remaining == 0.0:
                return self._slots.next_event()

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        """See `CardReader.session`."""
        if self._slots.newest is None:
            self._look(0.0)
        name = self._slots.newest
        if self._context is None:
            denied = self._told is not None and self._told.state is ReaderState.DENIED
            raise ReaderError(Code.READER_DENIED if denied else Code.READER_NO_SERVICE)
        if not self._slots.names:
            raise ReaderError(Code.READER_NONE)
        if name is None:
            raise TransmissionError("no card on the reader", removed=True)
        connection = self._open(name)
        try:
            yield connection
        finally:
            connection.let_go()

    def interrupt(self) -> None:
        """See `CardReader.interrupt`."""
        self._interrupted.set()
        context = self._context
        if context is not None:
            scard.SCardCancel(context)

    def health(self) -> ReaderHealth:
        """See `CardReader.health`."""
        looked = self._looked_at
        age = None if looked is None else time.monotonic() - looked
        return ReaderHealth(
            alive=age is not None and age < BEAT_LATE_SECONDS,
            beat_seconds=age,
            readers=tuple(safe(name) for name in self._slots.names),
        )

    def close(self) -> None:
        """See `CardReader.close`."""
        self._release()
        self._slots = Slots()

    def fail(self, code: int) -> NoReturn:
        """Raise what an error number of PC/SC means to us; forget a context that died."""
        if code in _SERVICE_GONE:
            self.lose_service(code)
            raise ReaderError(Code.READER_NO_SERVICE, f"PC/SC {code:08X}")
        raise _error_of(code)

    def lose_service(self, code: int) -> None:
        """The context is dead for ever, whatever SCardIsValidContext says: begin anew, later."""
        self._release()
        self._retry_at = time.monotonic() + BACK_OFF_SECONDS
        self._slots.keep([])
        denied = code == scard.SCARD_W_SECURITY_VIOLATION
        self._tell(ReaderState.DENIED if denied else ReaderState.NO_SERVICE, "")

    def is_card_gone(self, name: str) -> bool:
        """Whether the card leaves the reader within `REMOVAL_SECONDS`."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        known = UNAWARE
        while True:
            milliseconds = int(max(0.0, deadline - time.monotonic()) * 1000)
            result, states = scard.SCardGetStatusChange(
                self._context, milliseconds, [(name, known)]
            )
            if _number(result) == _OK:
                known = int(states[0][1]) & ~CHANGED
                if not known & PRESENT:
                    return True
            if _number(result) != _OK or milliseconds == 0:
                return False
            time.sleep(SPURIOUS_PAUSE_SECONDS)

    def _look(self, seconds: float) -> None:
        """Take in what is new, blocking for at most `seconds`; the events are in the slots then."""
        self._looked_at = time.monotonic()
        if self._context is None and not self._establish(seconds):
            return
        if not self._refresh_readers():
            return
        watched = [*self._slots.known_states(), (_PLUG_AND_PLAY, self._plug_state)]
        begun = time.monotonic()
        result, states = scard.SCardGetStatusChange(
            self._context, int(min(seconds, LOOK_SECONDS) * 1000), watched
        )
        code = _number(result)
        if code not in (_OK, *_NOTHING_NEW, *_READER_GONE):
            self.lose_service(code)
            return
        if code == _OK:
            for name, state, atr in states:
                if name == _PLUG_AND_PLAY:
                    self._plug_state = int(state) & ~CHANGED
                else:
                    self._slots.update(name, int(state), bytes(atr))
        if self._slots.names:
            self._tell(ReaderState.READY, self._slots.names[0])
        quick = time.monotonic() - begun < SPURIOUS_PAUSE_SECONDS
        if quick and not self._slots.has_event:
            self._interrupted.wait(min(seconds, SPURIOUS_PAUSE_SECONDS))

    def _establish(self, seconds: float) -> bool:
        """Get a context, or use up to `seconds` of the pause before the next attempt."""
        pause = self._retry_at - time.monotonic()
        if pause > 0:
            self._interrupted.wait(min(seconds, pause))
            return False
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if _number(result) != _OK:
            self.lose_service(_number(result))
            return False
        self._context = context
        return True

    def _refresh_readers(self) -> bool:
        """Fetch the list of readers; False when there is something to hand out before looking."""
        result, names = scard.SCardListReaders(self._context, [])
        code = _number(result)
        if code not in (_OK, scard.SCARD_E_NO_READERS_AVAILABLE):
            self.lose_service(code)
            return False
        wanted = [name for name in names if self._wanted in name.casefold()]
        self._slots.keep(wanted[:READERS_MAX])
        return bool(self._slots.names) or not self._tell(ReaderState.NO_READER, "")

    def _open(self, name: str) -> _PcscConnection:
        """Connect and begin a transaction, for `CONNECT_SECONDS` where that may help."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            result, handle, protocol = scard.SCardConnect(
                self._context,
                name,
                scard.SCARD_SHARE_SHARED,
                scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            )
            code = _number(result)
            if code == _OK:
                connection = _PcscConnection(self, name, handle, protocol)
                code = connection.begin()
                if code == _OK:
                    return connection
            if code not in _WORTH_ANOTHER_TRY or time.monotonic() >= deadline:
                self.fail(code)
            time.sleep(CONNECT_PAUSE_SECONDS)

    def _release(self) -> None:
        # The result does not matter: nothing is held any more in either case.
        if self._context is not None:
            scard.SCardReleaseContext(self._context)
            self._context = None

    def _tell(self, state: ReaderState, reader: str) -> bool:
        """Report the reader's state if it is news."""
        event = ReaderChanged(state, safe(reader))
        news = event != self._told
        if news:
            self._told = event
            self._slots.tell(event)
        return news


class _PcscConnection:
    """One connection, inside one transaction."""

    def __init__(self, reader: PcscReader, name: str, handle: int, protocol: int) -> None:
        self._reader = reader
        self._name = name
        self._handle = handle
        self._protocol = protocol
        self._atr = b""
        self._pin_sent = False
        self._failed = False

    @property
    def atr(self) -> bytes:
        """See `CardConnection.atr`."""
        return self._atr

    def begin(self) -> int:
        """Hold the card for ourselves and learn its ATR; returns the error number, or success.

        Blocks while another program holds a transaction.
        """
        code = _number(scard.SCardBeginTransaction(self._handle))
        if code == _OK:
            result, _, _, _, atr = scard.SCardStatus(self._handle)
            code, self._atr = _number(result), bytes(atr)
        if code != _OK:
            self._failed = True
            self.let_go()
        return code

    def transmit(self, command: bytes) -> bytes:
        """See `CardConnection.transmit`."""
        allow_list.check(command, storage=is_storage_card(self._atr))
        self._pin_sent = self._pin_sent or allow_list.sends_pin(command)
        result, response = scard.SCardTransmit(self._handle, self._protocol, list(command))
        code = _number(result)
        if code == _OK and len(response) >= 2:
            return bytes(response)
        self._failed = True
        if code == _OK:
            # A card pulled in mid-answer: success, and no status word.
            raise TransmissionError("the answer broke off", removed=True)
        if code == scard.SCARD_E_NOT_TRANSACTED and self._reader.is_card_gone(self._name):
            raise TransmissionError("the card was taken away", removed=True)
        try:
            self._reader.fail(code)
        except ReaderError as error:
            raise TransmissionError(str(error), code=error.code) from error

    def let_go(self) -> None:
        """End transaction and connection. A PIN's effect ends here, before anybody else's turn.

        The results do not matter: a card or service that is gone holds nothing of ours.
        """
        disposition = scard.SCARD_LEAVE_CARD
        if self._failed:
            disposition = scard.SCARD_UNPOWER_CARD
        if self._pin_sent:
            disposition = scard.SCARD_RESET_CARD
        scard.SCardEndTransaction(self._handle, disposition)
        scard.SCardDisconnect(self._handle, disposition)


def _number(result: int) -> int:
    """PC/SC's number without a sign, which depends on the build."""
    return int(result) & 0xFFFFFFFF


def _error_of(code: int) -> MyKeyError:
    """What an error number means, for a service that is alive."""
    text = f"PC/SC {code:08X}"
    if code in _CARD_GONE:
        return TransmissionError(text, removed=True)
    if code in _CARD_MUTE:
        return TransmissionError(text, code=Code.CARD_MUTE)
    if code in _READER_GONE:
        return ReaderError(Code.READER_LOST, text)
    if code == scard.SCARD_E_SHARING_VIOLATION:
        return ReaderError(Code.READER_BUSY, text)
    if code == scard.SCARD_W_SECURITY_VIOLATION:
        return ReaderError(Code.READER_DENIED, text)
    return TransmissionError(text)
