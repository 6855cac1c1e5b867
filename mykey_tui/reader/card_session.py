"""One connection to one card, inside one transaction, on a thread that can be given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, unique

from mykey_tui.card import allow_list
from mykey_tui.card.allow_list import PIN_LENGTH
from mykey_tui.card.pin_pad import ENTRY_SECONDS
from mykey_tui.card.storage import is_storage_card
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError
from mykey_tui.reader.winscard import (
    LEAVE_CARD,
    NOT_TRANSACTED,
    OK,
    RESET,
    SERVICE_GONE,
    UNPOWER,
    WORTH_ANOTHER_TRY,
    WinScard,
    error_of,
)
from mykey_tui.reader.worker import LateError, Worker

CALL_SECONDS = 5.0
"""How long connecting, or one command, may take. Less than the screen waits for a reading."""
ENTRY_SECONDS_MAX = (PIN_LENGTH + 1) * ENTRY_SECONDS + CALL_SECONDS
"""At a reader's own keys: its wait for each digit and for OK, and the card's answer."""
END_SECONDS = 2.0
"""How long letting go may take."""
CONNECT_SECONDS = 1.0
"""How long to go on trying: a card that was just laid may not answer at once, and another program
may hold the reader for a moment."""
CONNECT_PAUSE_SECONDS = 0.1


@unique
class _Stage(Enum):
    """What the worker does; what a call that does not come back means."""

    REACHING = Code.READER_NO_SERVICE
    """The service takes no new client."""
    CONNECTING = Code.READER_HUNG
    """Another call to this reader hangs inside the service, whoever made it."""
    QUEUEING = Code.READER_BUSY
    """Another program holds a transaction."""
    TALKING = Code.CARD_SLOW
    """The card does not answer, or the reader does not."""


class CardSession:
    """See `CardConnection`; opened, used and closed by one thread.

    Has a context of its own, which lives no longer: a context that died cannot spoil the next tap.

    Args:
        service: the PC/SC calls.
        reader: the reader's name, as the service spells it.
        is_card_gone: asked after a failed command whether the card was pulled; may wait a moment.
        doubt_service: told when the service turned out to be gone.
        came_back: told on another thread, when a call that was given up has come back at last.
    """

    def __init__(
        self,
        service: WinScard,
        reader: str,
        *,
        is_card_gone: Callable[[], bool],
        doubt_service: Callable[[], None],
        came_back: Callable[[], None],
    ) -> None:
        self.reader = reader
        self._service = service
        self._is_card_gone = is_card_gone
        self._doubt_service = doubt_service
        self._stage = _Stage.REACHING
        self._context: int | None = None
        self._handle: int | None = None
        self._protocol = 0
        self._atr = b""
        self._pin_sent = False
        self._failed = False
        self._worker = Worker("card-worker", self._let_go, came_back)

    @property
    def atr(self) -> bytes:
        """See `CardConnection.atr`."""
        return self._atr

    @property
    def given_up(self) -> bool:
        """Whether a call did not come back in time."""
        return self._worker.given_up

    @property
    def is_out(self) -> bool:
        """Whether that call has not come back yet."""
        return self._worker.is_out

    @property
    def stuck_code(self) -> Code:
        """What to say of this reader while `is_out`."""
        return Code.READER_HUNG if self._stage is _Stage.TALKING else self._stage.value

    def open(self) -> None:
        """Connect and begin the transaction.

        Raises:
            ReaderError, TransmissionError: as `CardReader.session`.
        """
        try:
            number = self._worker.do(self._connect, CALL_SECONDS)
        except LateError:
            raise ReaderError(self._stage.value, "connecting took too long") from None
        if number != OK:
            if number in SERVICE_GONE:
                self._doubt_service()
            raise error_of(number)
        self._stage = _Stage.TALKING

    def transmit(self, command: bytes) -> bytes:
        """See `CardConnection.transmit`."""
        allow_list.check(command, storage=is_storage_card(self._atr))
        self._pin_sent = self._pin_sent or allow_list.sends_pin(command)
        handle, protocol = self._handle, self._protocol
        if handle is None:
            raise TransmissionError("not connected")
        try:
            number, response = self._worker.do(
                lambda: self._service.transmit(handle, protocol, command), CALL_SECONDS
            )
        except LateError:
            self._failed = True
            raise TransmissionError("no answer in time", code=Code.CARD_SLOW) from None
        if number == OK and len(response) >= 2:
            return response
        self._failed = True
        if number == OK:
            # A card pulled in mid-answer: success, and no status word.
            raise TransmissionError("the answer broke off", removed=True)
        raise self._failure(number)

    def control(self, code: int, data: bytes) -> bytes:
        """See `card.pin_pad.Controllable`. A resident at the reader's keys has `ENTRY_SECONDS_MAX`."""
        allow_list.check_control(code, data)
        self._pin_sent = self._pin_sent or bool(data)
        handle = self._handle
        if handle is None:
            raise TransmissionError("not connected")
        seconds = ENTRY_SECONDS_MAX if data else CALL_SECONDS
        try:
            number, response = self._worker.do(
                lambda: self._service.control(handle, code, data), seconds
            )
        except LateError:
            self._failed = True
            raise TransmissionError("no answer in time", code=Code.CARD_SLOW) from None
        if number == OK:
            return response
        if data and self._is_card_gone():
            raise TransmissionError("the card was taken away", removed=True)
        raise self._failure(number)

    def close(self) -> None:
        """Let go, waiting at most `END_SECONDS`. Never raises."""
        self._worker.end(END_SECONDS)

    def _failure(self, number: int) -> TransmissionError:
        """What a failed command means; may wait a moment to tell a pulled card from a bad one."""
        if number == NOT_TRANSACTED and self._is_card_gone():
            return TransmissionError("the card was taken away", removed=True)
        if number in SERVICE_GONE:
            self._doubt_service()
        error = error_of(number)
        if isinstance(error, ReaderError):
            return TransmissionError(str(error), code=error.code)
        return error

    # On the worker's thread --------------------------------------------------------------------

    def _connect(self) -> int:
        """Connect, for `CONNECT_SECONDS` where that may help; the error number, or success."""
        number, context = self._service.establish()
        if number != OK:
            return number
        self._context = context
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            number = self._connect_once(context)
            if number == OK or self._worker.given_up:
                return number
            if number not in WORTH_ANOTHER_TRY or time.monotonic() >= deadline:
                return number
            time.sleep(CONNECT_PAUSE_SECONDS)

    def _connect_once(self, context: int) -> int:
        self._stage = _Stage.CONNECTING
        number, handle, self._protocol = self._service.connect(context, self.reader)
        if number != OK:
            return number
        self._handle = handle
        self._stage = _Stage.QUEUEING
        number = self._service.begin(handle)
        if number == OK:
            number, self._atr = self._service.atr(handle)
        if number != OK:
            self._handle = None
            self._service.end(handle, UNPOWER)
        return number

    def _let_go(self) -> None:
        """The last act, also after a call that came back late.

        A PIN's effect ends here, before anybody else's turn.
        """
        disposition = UNPOWER if self._failed else LEAVE_CARD
        if self._pin_sent:
            disposition = RESET
        if self._handle is not None:
            self._service.end(self._handle, disposition)
        if self._context is not None:
            self._service.release(self._context)
