"""Which driver reads the cards. Light: the screen watches the reader before the store is open."""

from __future__ import annotations

from mykey_tui.card.connection import CardReader
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError
from mykey_tui.settings import PROFILES, ReaderChoice, ReaderKind, Settings


def make_reader(choice: ReaderChoice) -> CardReader:
    """The driver that the settings ask for, equal in all that the rest can see."""
    if choice.kind is ReaderKind.EMULATOR:
        from mykey_tui.reader.emulator import FileReader  # noqa: PLC0415  # only one is needed

        return FileReader(choice.path)
    from mykey_tui.reader.pcsc import PcscReader  # noqa: PLC0415  # needs pcsc-lite's library

    return PcscReader(choice.name or None)


def make_reader_without_enrolment(settings: Settings) -> CardReader:
    """The reader for what needs no enrolled counter: the card view, the 100 taps.

    Raises:
        ReaderError: READER_SIMULATED, the settings are for real cards and name a card file.
    """
    if settings.reader.kind is ReaderKind.EMULATOR and settings.profile != PROFILES[0]:
        raise ReaderError(Code.READER_SIMULATED)
    return make_reader(settings.reader)
