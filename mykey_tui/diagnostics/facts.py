"""What was read, before anybody judges it: plain values, bounded and cleaned by whoever read them.

Nothing here names a person, a card or a machine: no CN, no certificate, no ATR, no serial number,
no user, no host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, unique
from types import MappingProxyType

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code


@unique
class Reach(Enum):
    """How far one gets with pcscd's socket."""

    MISSING = "missing"
    REFUSED = "refused"
    """A file that nobody listens at."""
    DENIED = "denied"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One USB device that is a card reader, or that `known_readers` has a row for."""

    usb_id: str
    """`vid:pid`, small hexadecimal digits."""
    product: str = ""
    is_ccid: bool = True
    """One of its interfaces has the class 0b (smart card)."""
    power_control: str = ""
    """`auto` where the kernel may put it to sleep, `on` where not."""
    kernel_drivers: tuple[str, ...] = ()
    """Names of kernel drivers that hold one of its interfaces."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver's own list, from its Info.plist."""

    version: str
    usb_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """The machine as its files show it. The defaults are a machine with nothing on it."""

    usb: tuple[UsbDevice, ...] = ()
    modules: frozenset[str] = frozenset()
    """Of `NFC_MODULES`, those that are loaded."""
    socket: Reach = Reach.MISSING
    socket_mode: str = ""
    """Octal, of the socket or of the folder that keeps us out."""
    services: tuple[str, ...] = ()
    """Places of all sockets where a service takes calls or keeps us out; more than one is one too many."""
    has_pcscd: bool = False
    """The program is installed."""
    libccid: Driver | None = None
    libacsccid: Driver | None = None
    asks_polkit: bool = False
    """pcscd's polkit actions are installed."""
    has_polkit_rule: bool = False
    """Some local rule speaks of pcscd; rules that this user may not read are not seen."""
    hides_processes: bool = False
    is_container: bool = False
    distribution: str = ""
    """`debian`, `fedora`, `arch`, `suse`, or empty."""
    holders: tuple[str, ...] = ()
    """Names of running programs that are known to take a reader for themselves."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What pcscd's journal of the last hour says. The defaults are a quiet journal."""

    denied: bool = False
    process_hidden: bool = False
    usb_errors: bool = False
    versions_differ: bool = False
    ends: int = 0


@unique
class Stage(IntEnum):
    """How far the probe of reader and card has come: what it is doing, or where it ended."""

    SERVICE = 0
    CARD = 1
    APPLICATION = 2
    CERTIFICATE = 3
    DONE = 4


NO_VALUES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """What the reader's driver and the card answered."""

    stage: Stage = Stage.SERVICE
    ended: bool = False
    """False while `stage` is still being done: the probe hangs there when its time is over."""
    emulated: bool = False
    state: ReaderState = ReaderState.STARTING
    reader: str = ""
    wanted: str = ""
    """The name that the settings ask for, where no reader has it."""
    other: str = ""
    """A reader that is there instead."""
    trouble: Code | None = None
    """Why the probe ended at `stage`."""
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)
    """What `trouble` says in its sentence: the day on which a certificate ended."""
    card_laid: bool = False
    label: str = ""
    pin_blocked: bool = False
    slow_ms: int = 0
    """95th percentile of the card's answers, in ms; 0 before the card was read."""
    silent_seconds: float | None = None
    """Since the running program's watcher gave a sign of life; None where none runs here."""


@dataclass(frozen=True, slots=True)
class TrustFacts:
    """The folder of CA certificates."""

    anchors: int = 0
    trouble: Code | None = None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """The counter's own file, opened for a look."""

    trouble: Code | None = None
    """K-NONE where this home was never enrolled."""
    rows: int = 0
    clock_doubt: bool = False
    """The box's clock stands before a time that has certainly come."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One question to the server."""

    enrolled: bool = True
    """False: there is no server to ask."""
    trouble: Code | None = None
    milliseconds: int = 0
    skew_seconds: float | None = None
    """The server's clock minus the box's; None where the server told no time."""


@dataclass(frozen=True, slots=True)
class HandOverFacts:
    """The way to the existing system, looked at and not used."""

    kind: str = "off"
    trouble: Code | None = None
    reason: str = ""
