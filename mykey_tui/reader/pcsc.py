"""The PC/SC driver: readers behind pcscd, through pyscard's thin layer.

The only module that may import pyscard. Its classes above `scard` are not used: their monitor
thread dies with the service and prints tracebacks over the screen. Errors are told by their
number, for one class of pyscard stands for many of them.

No call into PC/SC is made on the thread that uses a `PcscReader`: any of them may hang. One thread
watches (`looker`), one more talks to a card while a session lasts (`card_session`). Both can be
given up, and the next tap gets new ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from smartcard import scard

from mykey_tui.card.connection import CardConnection, ReaderEvent, ReaderHealth
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.reader.card_session import CardSession
from mykey_tui.reader.watch import Watch
from mykey_tui.reader.winscard import WinScard

REMOVAL_SECONDS = 0.6
"""How long a failed command waits to learn whether the card was pulled: pcscd looks every 0.4 s."""
OUT_MAX = 4
"""Sessions that hang at once, each on another reader; with so many, something else is wrong."""


class Pyscard:
    """See `WinScard`: pyscard's calls, with bytes for its lists and numbers without a sign."""

    def establish(self) -> tuple[int, int]:
        """See `WinScard`."""
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        return _number(result), context

    def release(self, context: int) -> None:
        """See `WinScard`."""
        scard.SCardReleaseContext(context)

    def cancel(self, context: int) -> None:
        """See `WinScard`."""
        scard.SCardCancel(context)

    def readers(self, context: int) -> tuple[int, Sequence[str]]:
        """See `WinScard`."""
        result, names = scard.SCardListReaders(context, [])
        return _number(result), names

    def changes(
        self, context: int, milliseconds: int, known: Sequence[tuple[str, int]]
    ) -> tuple[int, Sequence[tuple[str, int, bytes]]]:
        """See `WinScard`."""
        result, states = scard.SCardGetStatusChange(context, milliseconds, list(known))
        return _number(result), [(name, int(state), bytes(atr)) for name, state, atr in states]

    def connect(self, context: int, reader: str) -> tuple[int, int, int]:
        """See `WinScard`."""
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, handle, protocol = scard.SCardConnect(
            context, reader, scard.SCARD_SHARE_SHARED, protocols
        )
        return _number(result), handle, protocol

    def begin(self, handle: int) -> int:
        """See `WinScard`."""
        return _number(scard.SCardBeginTransaction(handle))

    def atr(self, handle: int) -> tuple[int, bytes]:
        """See `WinScard`."""
        result, _, _, _, atr = scard.SCardStatus(handle)
        return _number(result), bytes(atr)

    def transmit(self, handle: int, protocol: int, command: bytes) -> tuple[int, bytes]:
        """See `WinScard`."""
        result, response = scard.SCardTransmit(handle, protocol, list(command))
        return _number(result), bytes(response)

    def control(self, handle: int, code: int, data: bytes) -> tuple[int, bytes]:
        """See `WinScard`."""
        result, response = scard.SCardControl(handle, code, list(data))
        return _number(result), bytes(response)

    def end(self, handle: int, disposition: int) -> None:
        """See `WinScard`."""
        scard.SCardEndTransaction(handle, disposition)
        scard.SCardDisconnect(handle, disposition)


class PcscReader:
    """A `CardReader` over all PC/SC readers, or over those whose name contains `name`."""

    simulated = False

    def __init__(self, name: str | None = None, *, service: WinScard | None = None) -> None:
        self._service = service or Pyscard()
        self._watch = Watch(self._service, (name or "").casefold())
        self._lock = threading.Lock()
        self._out: list[CardSession] = []
        self._given_up = 0

    def wait(self, timeout_seconds: float) -> ReaderEvent | None:
        """See `CardReader.wait`."""
        return self._watch.next_event(timeout_seconds)

    @contextmanager
    def session(self) -> Iterator[CardConnection]:
        """See `CardReader.session`."""
        name, mark = self._watch.place_of_card()
        self._refuse_a_stuck_reader(name)
        session = CardSession(
            self._service,
            name,
            is_card_gone=lambda: self._watch.is_card_gone(name, mark, REMOVAL_SECONDS),
            doubt_service=self._watch.doubt_service,
            came_back=lambda: self._note_back(name),
        )
        try:
            session.open()
            yield session
        finally:
            session.close()
            if session.given_up:
                self._note_given_up(session)

    def interrupt(self) -> None:
        """See `CardReader.interrupt`."""
        self._watch.interrupt()

    def health(self) -> ReaderHealth:
        """See `CardReader.health`."""
        watching = self._watch.health
        with self._lock:
            out = watching.still_out + sum(session.is_out for session in self._out)
            return replace(watching, worker_given_up=self._given_up, still_out=out)

    def close(self) -> None:
        """See `CardReader.close`."""
        self._watch.close()

    def _refuse_a_stuck_reader(self, name: str) -> None:
        """While a call to a reader hangs, every other one would: say so at once.

        So a reader costs one thread at most, however often a card is laid on it.
        """
        with self._lock:
            self._out = [session for session in self._out if session.is_out]
            for session in self._out:
                if session.reader == name:
                    raise ReaderError(session.stuck_code, "an earlier call has not come back")
            if len(self._out) >= OUT_MAX:
                raise ReaderError(Code.READER_HUNG, "too many calls have not come back")

    def _note_given_up(self, session: CardSession) -> None:
        with self._lock:
            self._given_up += 1
            self._out.append(session)
            # It may have come back in this very moment, and then nobody says so any more.
            if session.is_out and session.stuck_code is Code.READER_HUNG:
                self._watch.reader_hangs(session.reader)

    def _note_back(self, name: str) -> None:
        with self._lock:
            self._watch.reader_is_back(name)


def _number(result: int) -> int:
    """PC/SC's number without a sign, which depends on the build."""
    return int(result) & 0xFFFFFFFF
