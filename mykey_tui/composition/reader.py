"""Which driver reads the cards. Light: the screen watches the reader before the store is open."""

from __future__ import annotations

from mykey_tui.card.connection import CardReader
from mykey_tui.settings import ReaderChoice, ReaderKind


def make_reader(choice: ReaderChoice) -> CardReader:
    """The driver that the settings ask for, equal in all that the rest can see."""
    if choice.kind is ReaderKind.EMULATOR:
        from mykey_tui.reader.emulator import FileReader  # noqa: PLC0415  # only one is needed

        return FileReader(choice.path)
    from mykey_tui.reader.pcsc import PcscReader  # noqa: PLC0415  # needs pcsc-lite's library

    return PcscReader(choice.name or None)
