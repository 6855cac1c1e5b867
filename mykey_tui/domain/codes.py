"""Every code that a person can meet on the screen or a script in JSON.

A code never changes its meaning. `docs/failure-codes.md` has a page section for each, the message
catalogue a title, a sentence and a next step in both languages; a test compares the three.
The codes of the concept paper's own messages keep the project's first names for them (S-DUP …).
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Code(Enum):
    """Stable name of an outcome; the value is what is shown."""

    # Looking up
    FOUND = "L-OK"
    NOT_LINKED = "L-NONE"
    SUSPENDED = "L-SUSP"
    RENEWED = "L-RENEW"
    ROWS_OLD = "L-OLD"
    """Found, and the rows are so old that a clerk confirms before anything is handed over."""
    ROWS_CLOCK = "L-CLOCK"
    """As L-OLD, because the box's clock cannot be right and the age may be more than is seen."""
    ROWS_STALE = "L-STALE"
    ROWS_MANY = "L-MANY"
    ROWS_LOADING = "L-LOAD"
    """No complete set of rows ever came: that a card is not among them says nothing."""
    LINK_UNPROVEN = "L-WAIT"
    """Linked here and not yet at the server, as many others: not used from rows that are old."""

    # The card
    CARD_REMOVED = "C-REMOVED"
    CARD_UNREADABLE = "C-READ"
    CARD_MUTE = "C-MUTE"
    CARD_SLOW = "C-SLOW"
    CARD_NOT_JPKI = "C-OTHER"
    CARD_IS_POINT_CARD = "C-POINT"
    CARD_IS_PHONE = "C-PHONE"
    CARD_UNKNOWN_KIND = "C-NEXT"
    """An application that answers to our name and is none that this program was taught."""
    CARD_SWAPPED = "C-SWAP"
    CARD_NOT_LAID = "C-WAIT"
    PIN_BLOCKED = "C-PINLOCK"
    CERTIFICATE_MALFORMED = "C-FORM"
    CERTIFICATE_UNKNOWN_ISSUER = "C-ISSUER"
    CERTIFICATE_FORGED = "C-FORGED"
    CERTIFICATE_EXPIRED = "C-EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "C-NOTYET"
    CERTIFICATE_WRONG_USAGE = "C-USAGE"
    CERTIFICATE_WRONG_POLICY = "C-POLICY"
    TRUST_NO_ANCHORS = "C-ANCHOR"
    TRUST_CLOCK = "C-CLOCK"

    # Linking
    LINKED = "S-OK"
    LINK_QUEUED = "S-QUEUED"
    LINK_DUPLICATE = "S-DUP"
    SERVICE_ID_TAKEN = "S-TAKEN"
    SERVICE_ID_MALFORMED = "S-FMT"
    SERVICE_ID_TYPED_DIFFERENTLY = "S-DIFF"
    SERVICE_ID_IS_MY_NUMBER = "S-MYNO"
    SERVICE_CARD_RANDOM = "S-RANDOM"
    SERVICE_CARD_WRONG = "S-CARD"
    """Step 2 met a My Number Card or another card with a chip program: no point card."""
    NOT_REGISTERED = "S-NOREG"
    UNLINKED = "S-OFF"
    MUTATION_INVALID = "S-INVALID"
    MUTATION_PARKED = "S-PARKED"
    QUEUE_STUCK = "S-STUCK"
    """What was accepted from people has waited longer than it should."""
    MUTATION_NUMBER = "S-NUMBER"
    """A number given to `mykey outbox` that names nothing it could act on."""

    CONFLICT_MOVED = "S-MOVED"
    """A refused link that cannot replace any more what the person saw: the row has changed since."""

    # Hand-over to the existing system
    HANDED_OVER = "H-OK"
    HANDOVER_OFF = "H-OFF"
    HANDOVER_FILE = "H-FILE"
    HANDOVER_COMMAND = "H-CMD"
    HANDOVER_TIMEOUT = "H-TIME"

    # Reader and its service
    READER_NO_SERVICE = "D-PCSC-STOPPED"
    READER_DENIED = "D-PCSC-DENIED"
    READER_NONE = "D-READER-NONE"
    READER_BUSY = "D-READER-BUSY"
    READER_LOST = "D-READER-LOST"
    READER_HUNG = "D-READER-HUNG"
    """A call to the reader has not come back, and every other one would wait behind it."""
    READER_SIMULATED = "D-SIMULATED"
    """A counter for real cards was told to take its cards from files."""

    # What the doctor finds below the card, lowest layer first
    USB_NONE = "D-USB-NONE"
    READER_NOT_CCID = "D-READER-NOT-CCID"
    """A reader for which no PC/SC driver exists."""
    USB_POWER = "D-USB-POWER"
    """The host puts the reader to sleep, and it does not wake up again."""
    KERNEL_NFC = "D-KERNEL-NFC"
    CCID_MISSING = "D-CCID-MISSING"
    CCID_OLD = "D-CCID-OLD"
    CCID_ACS = "D-CCID-ACS"
    CCID_UNLISTED = "D-CCID-UNLISTED"
    PCSC_MISSING = "D-PCSC-MISSING"
    PCSC_CONTAINER = "D-PCSC-CONTAINER"
    PCSC_TWO = "D-PCSC-TWO"
    PCSC_VERSION = "D-PCSC-VERSION"
    """Service and library speak different forms of their protocol."""
    PCSC_HANGS = "D-PCSC-HANGS"
    PCSC_ON_DEMAND = "D-PCSC-DEMAND"
    """No fault: the service ends when nobody uses it, and comes when somebody does."""
    PCSC_SOCKET = "D-PCSC-SOCKET"
    PCSC_HIDDEN = "D-PCSC-HIDDEN"
    """/proc hides our process from the service, which then takes us for a stranger."""
    READER_UNSEEN = "D-READER-UNSEEN"
    """On USB, with a driver, and yet not in the service's list."""
    READER_WATCH = "D-READER-WATCH"
    """The part of this program that watches for cards gives no sign of life."""
    READER_SLOW = "D-READER-SLOW"
    READER_SHORT = "D-READER-SHORT"
    """Short answers arrive, long ones do not."""
    CARD_NONE = "D-CARD-NONE"
    CARD_TYPE_B = "D-CARD-TYPE-B"
    """A point card is read; a My Number Card (type B) may not be within this reader's reach."""
    CERTIFICATE_NONE = "D-CERT-NONE"
    CHECK_UNKNOWN = "D-UNKNOWN"
    """A check of the doctor's had no answer in its time."""

    # The counter's own file
    STORE_NONE = "K-NONE"
    STORE_KEY = "K-KEY"
    STORE_CORRUPT = "K-CORRUPT"
    STORE_FULL = "K-FULL"
    STORE_BUSY = "K-BUSY"
    STORE_NEWER = "K-NEWER"
    STORE_ENGINE = "K-ENGINE"
    STORE_ACCESS = "K-ACCESS"
    """A folder or file that is not there, not ours, or on a disk that cannot be written."""
    STORE_SETTINGS = "K-SET"
    STORE_UNSENT = "K-UNSENT"
    """A store was to be set aside while the server has not decided all of its queue."""
    STORE_SCREEN = "K-SCREEN"
    """Another screen runs on this home."""

    # Line and server
    LINE_DOWN = "N-LINE"
    SERVER_DENIED = "N-DENIED"
    SERVER_BROKEN = "N-SERVER"
    SERVER_NEWER = "N-NEWER"
    """The server speaks no form that this program knows."""
    SERVER_CLOCK = "N-CLOCK"
    SERVER_RESET = "N-RESET"
    SERVER_COPIED = "N-COPY"
    """The server has shut this counter out: one mutation number came with two contents."""
    SERVER_DIGEST = "N-DIGEST"
    """The rows here are not the server's, and fetching the differing parts anew did not mend it."""
    SERVER_SUSPENSIONS = "N-SUSP"
    """A list of suspensions that must not be believed: old, shortened, ended, or wrongly signed."""
    SERVER_BUSY = "N-BUSY"
    SERVER_RETIRED = "N-RETIRED"
    """The server proved that the operator retired this counter. Its keys are destroyed by then."""
    SERVER_TLS = "N-TLS"
    """The certificate that the server showed is not vouched for by the CA that this counter trusts."""
    SERVER_TLS_NAME = "N-TLS-NAME"
    SERVER_TLS_TIME = "N-TLS-TIME"

    # Enrolment
    ENROL_CODE = "E-CODE"
    ENROL_TRIES = "E-TRIES"
    ENROL_PIN = "E-PIN"
    """The server that answered at enrolment has no CA with the fingerprint that the operator read out."""
    ENROL_ALREADY = "E-ALREADY"
    ENROL_EXTRA_MISSING = "E-EXTRA"

    # Files that are carried to the server and back
    BUNDLE_BAD = "B-BAD"
    BUNDLE_OTHER = "B-OTHER"

    # Ours
    BUG = "X-BUG"
