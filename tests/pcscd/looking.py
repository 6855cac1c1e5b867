"""How the tests look at a reader."""

from time import sleep
from typing import TypeVar

from mykey_tui.card.connection import CardArrived, ReaderChanged, ReaderEvent, ReaderState
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.reader.pcsc import PcscReader

Event = TypeVar("Event", bound=ReaderEvent)
_LOOKS_MAX = 40


def next_event(reader: PcscReader, kind: type[Event], seconds: float = 5.0) -> Event:
    """The next event of this kind; the others on the way are passed over."""
    for _ in range(_LOOKS_MAX):
        event = reader.wait(seconds)
        if isinstance(event, kind):
            return event
        if event is None:
            break
    raise AssertionError(f"no {kind.__name__} within {seconds} s")


def next_state(reader: PcscReader, state: ReaderState) -> None:
    """Wait until the driver says this of the reader."""
    for _ in range(_LOOKS_MAX):
        if next_event(reader, ReaderChanged).state is state:
            return
    raise AssertionError(f"never {state}")


def settle(name: str) -> None:
    """Wait until pcscd has seen that no card lies on this reader.

    It looks every 0.4 s; a card laid before it saw the gap would not be noticed.
    """
    for _ in range(_LOOKS_MAX):
        probe = PcscReader(name)
        try:
            if not isinstance(probe.wait(0), CardArrived):
                return
        finally:
            probe.close()
        sleep(0.05)
    raise AssertionError("the card does not leave")


def read(reader: PcscReader) -> bytes:
    """The certificate of the card that lies there."""
    with reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        return applet.read_auth_certificate()
