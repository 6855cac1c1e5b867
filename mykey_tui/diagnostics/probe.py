"""Asking the reader's driver and the card: list, connect, SELECT, label, certificate, judgement.

Works over any `CardReader`: a fresh one for the command, the running program's own for its screen.
The card is held for one reading. Only public files are read; no PIN is sent, nor any try used. The
certificate is judged in memory and forgotten: not a byte of it is in the facts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from mykey_tui.card import status_word
from mykey_tui.card.connection import (
    CardArrived,
    CardConnection,
    CardLeft,
    CardReader,
    ReaderChanged,
    ReaderState,
)
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.diagnostics.facts import ReaderFacts, Stage
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    CardError,
    MalformedResponseError,
    ReaderError,
    StatusError,
    TransmissionError,
    WrongCardError,
)
from mykey_tui.domain.reader_name import bare_reader_name

SERVICE_ANSWERS_SECONDS = 2.0
"""A service that our question starts looks through all of USB first, on a small box for a while."""
READER_APPEARS_SECONDS = 1.0
"""And it may have its readers a little later."""
CARD_APPEARS_SECONDS = 0.5
EVENTS_MAX = 64
"""Several readers, each with a card, tell some events each."""
PERCENTILE = 0.95

_READ_BINARY = 0xB0
_NO_FILE = frozenset({0x6A82, 0x6A83, 0x6A88})
_EMPTY = (b"", b"\x00", b"\xff")
"""How the first byte of a file looks in which nothing was ever written."""

Judgement = Callable[[bytes], tuple[Code, Mapping[str, str]] | None]
"""Why a certificate is not believed, with the values of the code's sentence; None when it is."""
T = TypeVar("T")
Tell = Callable[[ReaderFacts], None]


def probe_reader(reader: CardReader, judge: Judgement, tell: Tell) -> None:
    """Find readers and a card with a fresh driver, then go on as `probe_card`."""
    facts = ReaderFacts(emulated=reader.simulated)
    tell(facts)
    facts = listen(reader, facts)
    if facts.state is not ReaderState.READY:
        tell(replace(facts, ended=True))
        return
    probe_card(reader, facts, judge, tell)


def probe_card(reader: CardReader, facts: ReaderFacts, judge: Judgement, tell: Tell) -> None:
    """Go on from what is known of a reader that is there: whether a card lies on it."""
    facts = replace(facts, stage=Stage.CARD)
    tell(facts)
    if not facts.card_laid:
        tell(replace(facts, ended=True))
        return
    reading = _Reading(facts, judge, tell)
    try:
        with reader.session() as connection:
            reading.run(_Watched(connection))
    except ReaderError as error:
        reading.end(error.code)
    except CardError as error:
        reading.end(reading.code_of(error))


def listen(reader: CardReader, facts: ReaderFacts) -> ReaderFacts:
    """Take in what the driver tells of itself, until a card lies there or none will."""
    deadline = time.monotonic() + SERVICE_ANSWERS_SECONDS
    for _ in range(EVENTS_MAX):
        event = reader.wait(max(0.0, deadline - time.monotonic()))
        if isinstance(event, ReaderChanged):
            facts = replace(facts, state=event.state, reader=bare_reader_name(event.reader))
            if event.state in (ReaderState.DENIED, ReaderState.NO_SERVICE):
                break
            is_there = event.state is ReaderState.READY
            patience = CARD_APPEARS_SECONDS if is_there else READER_APPEARS_SECONDS
            deadline = time.monotonic() + patience
        elif isinstance(event, CardArrived):
            # Some drivers tell of a card before they tell of its reader.
            name = bare_reader_name(event.reader)
            return replace(facts, state=ReaderState.READY, reader=name, card_laid=True)
        elif isinstance(event, CardLeft):
            facts = replace(facts, card_laid=False)
        elif time.monotonic() >= deadline:
            break
    return facts


class _Reading:
    """One reading of one card, told step by step."""

    def __init__(self, facts: ReaderFacts, judge: Judgement, tell: Tell) -> None:
        self._facts = facts
        self._judge = judge
        self._tell = tell
        self._card: _Watched | None = None

    def run(self, card: _Watched) -> None:
        """Every step. Raises `CardError`, `ReaderError`."""
        self._card = card
        applet = JpkiApplet(card)
        self._step(stage=Stage.APPLICATION)
        applet.select()
        self._step(
            label=_or(applet.token_label, ""), pin_blocked=_or(applet.pin_tries_left, None) == 0
        )
        self._step(stage=Stage.CERTIFICATE)
        card.begin_file()
        certificate = applet.read_auth_certificate()
        refusal = self._judge(certificate)
        self._step(slow_ms=card.slow_ms)
        if refusal is None:
            self._step(stage=Stage.DONE, ended=True)
        else:
            self._step(ended=True, trouble=refusal[0], values=refusal[1])

    def end(self, code: Code) -> None:
        """The reading ended with `code`."""
        slow_ms = self._card.slow_ms if self._card is not None else 0
        self._step(ended=True, trouble=code, slow_ms=slow_ms)

    def code_of(self, error: CardError) -> Code:
        """What the failure is to a technician, by how far the reading had come."""
        if isinstance(error, WrongCardError) and error.code is Code.CARD_IS_POINT_CARD:
            return Code.CARD_TYPE_B
        card = self._card
        if card is None or self._facts.stage is not Stage.CERTIFICATE:
            return error.code
        if isinstance(error, StatusError) and error.status_word in _NO_FILE:
            return Code.CERTIFICATE_NONE
        if isinstance(error, MalformedResponseError):
            empty = card.first_of_file in _EMPTY
            return Code.CERTIFICATE_NONE if empty else Code.CERTIFICATE_MALFORMED
        if card.first_of_file and _breaks_off(error):
            return Code.READER_SHORT
        return error.code

    def _step(self, **changes: object) -> None:
        self._facts = replace(self._facts, **changes)  # type: ignore[arg-type]  # named as the fields
        self._tell(self._facts)


class _Watched:
    """A connection that notes how long each answer took, and how a file begins."""

    def __init__(self, connection: CardConnection) -> None:
        self._connection = connection
        self._seconds: list[float] = []
        self.first_of_file = b""
        """First byte that READ BINARY gave since `begin_file`."""

    @property
    def atr(self) -> bytes:
        """See `CardConnection.atr`."""
        return self._connection.atr

    @property
    def slow_ms(self) -> int:
        """95th percentile of the answers so far (nearest rank), ms; 0 before the first."""
        if not self._seconds:
            return 0
        rank = math.ceil(PERCENTILE * len(self._seconds))
        return round(sorted(self._seconds)[rank - 1] * 1000)

    def begin_file(self) -> None:
        """Another file follows."""
        self.first_of_file = b""

    def transmit(self, command: bytes) -> bytes:
        """See `CardConnection.transmit`."""
        begun = time.monotonic()
        try:
            response = self._connection.transmit(command)
        finally:
            self._seconds.append(time.monotonic() - begun)
        if command[1:2] == bytes([_READ_BINARY]) and not self.first_of_file:
            self.first_of_file = response[:-2][:1]
        return response


def _or(read: Callable[[], T], otherwise: T) -> T:
    """What a card may well not have: `otherwise` where it answers no."""
    try:
        return read()
    except StatusError:
        return otherwise


def _breaks_off(error: CardError) -> bool:
    """The beginning came and the rest does not, in any size that was tried."""
    if isinstance(error, TransmissionError):
        return not error.removed and error.code is Code.CARD_UNREADABLE
    wrong_length = status_word.WRONG_LENGTH.value
    return isinstance(error, StatusError) and error.status_word == wrong_length
