"""What the flows answer: closed sets of values that a screen or a script must match.

Light on purpose: the screens import this before the first paint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, unique
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.assurance import Assurance
from mykey_tui.domain.codes import Code

if TYPE_CHECKING:
    from mykey_tui.domain.ids import CertificateRef, ServiceId, SubjectCn

NO_VALUES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class IdentifiedCard:
    """A card whose certificate was read and accepted: identified, and more only after the PIN.

    `assurance` says which. Lives in memory for one visit only. `tbs_digest` (SHA-256 of the signed
    part) with issuer and serial decides whether a card laid again is the same card.
    """

    cn: SubjectCn
    certificate: CertificateRef
    tbs_digest: bytes
    der: bytes
    not_after: datetime
    assurance: Assurance = Assurance.IDENTIFIED

    def __repr__(self) -> str:
        return "<IdentifiedCard>"

    def same_card(self, other: IdentifiedCard) -> bool:
        """Whether both readings are of one certificate."""
        return (self.certificate, self.tbs_digest) == (other.certificate, other.tbs_digest)


@dataclass(frozen=True, slots=True)
class Stopped:
    """It did not happen. `code` says why; `values` fill the sentence (date, position, count)."""

    code: Code
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)


@dataclass(frozen=True, slots=True)
class HandOver:
    """What became of the hand-over.

    `code` is H-OK, H-OFF (none set up, or not wanted), H-AGAIN (it was tried before for the same
    lay, and is not tried again) or a failure. `adapter` is a short name for people: `file`,
    `command`, or empty.
    """

    code: Code
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """This provider's own service ID of the person whose card was read."""

    service_id: ServiceId
    handover: HandOver
    days_left: int
    """Days until the certificate ends; the screen says so when few."""
    provisional: bool = False
    """True while the link waits to be sent: it is good at this counter, and not yet elsewhere."""
    assurance: Assurance = Assurance.IDENTIFIED
    milliseconds: Mapping[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class NotLinked:
    """A good card, and no row for it at this provider."""

    card: IdentifiedCard


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """A good card, and no rows to look it up in: not even "not linked" can be said (L-LOAD).

    It may be linked all the same; the server decides then.
    """

    card: IdentifiedCard
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Found in rows that are old (`code` is L-OLD or L-CLOCK): nothing was handed over yet.

    The service ID is not here: whoever could read it off the screen would need no confirmation.
    """

    card: IdentifiedCard
    code: Code
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)


@dataclass(frozen=True, slots=True)
class PinWanted:
    """The provider wants the PIN before this goes on. Nothing was handed over or stored yet.

    `tries_left` is None where the card does not tell. `on_reader` says that the reader has keys of
    its own for it.
    """

    card: IdentifiedCard
    tries_left: int | None = None
    on_reader: bool = False


LookupOutcome: TypeAlias = Found | NotLinked | NotLoaded | Unconfirmed | PinWanted | Stopped


@dataclass(frozen=True, slots=True)
class ServiceCardRead:
    """Step 2 of linking: a service ID from a point card, a scan or two equal typings."""

    service_id: ServiceId


ServiceCardOutcome: TypeAlias = ServiceCardRead | Stopped


@dataclass(frozen=True, slots=True)
class Linked:
    """The link (or its removal) is safe on disk. `code` is S-OK, S-QUEUED or S-OFF."""

    code: Code
    service_id: ServiceId | None
    waiting: int
    """How many mutations now wait to be sent, this one included where it waits."""


LinkOutcome: TypeAlias = Linked | PinWanted | Stopped


UNKNOWN_PROFILE = "unknown"
"""The card's application has a label that the table does not know."""


@dataclass(frozen=True, slots=True, repr=False)
class CardDetail:
    """What the certificate says, for the card view and `mykey card show`. No name, no birth date.

    `profile` is the name of the card's row in `card.profile`, or `UNKNOWN_PROFILE`: what the card
    is, and nothing of its owner.
    `verdict` is None when every check passed. Revocation is not checked, and the view says so.
    """

    random_string: str
    terminal_code: str
    municipality_code: str
    issuer: str
    not_before: datetime
    not_after: datetime
    days_left: int
    verdict: Code | None
    profile: str | None = None
    municipality: str = ""
    """Its name, where this counter has a list of names."""

    def __repr__(self) -> str:
        return "<CardDetail>"


CardDetailOutcome: TypeAlias = CardDetail | Stopped


@unique
class LineState(Enum):
    """The line to the server, as last seen."""

    UNKNOWN = "unknown"
    """Not tried yet since the start."""
    UP = "up"
    DOWN = "down"
    """Not reached."""
    REFUSED = "refused"
    """Reached, and this counter was turned away."""
    BROKEN = "broken"
    """Reached, and the answer made no sense."""
    BUSY = "busy"
    """Reached, and told to wait: nothing is wrong, and nobody need do anything."""


@dataclass(frozen=True, slots=True)
class Loading:
    """All rows are being fetched anew."""

    rows: int
    percent: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the status line and `mykey status` show. Ages in seconds; None is not known."""

    provider_name: str
    counter_name: str
    simulated: bool
    line: LineState
    line_since_seconds: float | None
    waiting: int
    oldest_seconds: float | None
    attention: int
    """Mutations refused or parked that somebody must look at."""
    rows: int
    revocation_age_seconds: float | None
    reader: ReaderState
    reader_name: str = ""
    age_code: Code | None = None
    """What the rows' age means for people (L-…); None where they are fresh."""
    line_code: Code | None = None
    """Why the last round did not come to its end; None where it did."""
    loading: Loading | None = None
    unsent: int = 0
    """Mutations that the server has not decided: those that wait, and those that are parked."""


@unique
class QueueState(Enum):
    """Where a queued mutation stands."""

    WAITING = "waiting"
    PARKED = "parked"
    CONFLICT = "conflict"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One line of the queue screen; the service ID is masked already."""

    mid: int
    op: str
    """`link`, `unlink` or `replace`."""
    masked_service_id: str
    age_seconds: float | None
    state: QueueState
    code: Code | None
    masked_other: str | None = None
    """The service ID that stands at the server, where that is why it was refused."""

    @property
    def replaceable(self) -> bool:
        """Whether a person may choose the refused service ID after all."""
        return self.code is Code.LINK_DUPLICATE and self.masked_other is not None
