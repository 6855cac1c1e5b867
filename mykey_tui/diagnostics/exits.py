"""Exit numbers of `mykey doctor`: a contract with scripts. A number never changes its meaning.

A fault of the reader's side has a number of its own; one of the store, the line, the server or the
till has its layer's number, for its code is the one that every other command reports too. They stay
clear of the exit codes 0 to 3 of all commands, and of what shells use (126 and above).
"""

from __future__ import annotations

from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

LAYER_EXITS = {
    Layer.USB: 10,
    Layer.KERNEL: 20,
    Layer.DAEMON: 30,
    Layer.PERMISSION: 40,
    Layer.READER: 50,
    Layer.CARD: 60,
    Layer.APPLICATION: 70,
    Layer.CERTIFICATE: 80,
    Layer.TRUST: 90,
    Layer.CLOCK: 100,
    Layer.STORE: 110,
    Layer.LINE: 115,
    Layer.SERVER: 118,
    Layer.HANDOVER: 121,
}
"""For a code without a number of its own; for the lower layers: "could not tell"."""

CODE_EXITS = {
    Code.USB_NONE: 11,
    Code.READER_NOT_CCID: 12,
    Code.USB_POWER: 13,
    Code.KERNEL_NFC: 21,
    Code.CCID_MISSING: 22,
    Code.CCID_OLD: 23,
    Code.CCID_ACS: 24,
    Code.CCID_UNLISTED: 25,
    Code.READER_NO_SERVICE: 31,
    Code.PCSC_MISSING: 32,
    Code.PCSC_CONTAINER: 33,
    Code.PCSC_TWO: 34,
    Code.PCSC_VERSION: 35,
    Code.PCSC_HANGS: 36,
    Code.READER_DENIED: 41,
    Code.PCSC_SOCKET: 42,
    Code.PCSC_HIDDEN: 43,
    Code.READER_UNSEEN: 51,
    Code.READER_BUSY: 52,
    Code.READER_LOST: 53,
    Code.READER_WATCH: 54,
    Code.READER_SLOW: 55,
    Code.READER_SHORT: 56,
    Code.READER_SIMULATED: 57,
    Code.READER_HUNG: 58,
    Code.READER_NAME: 59,
    Code.CARD_MUTE: 61,
    Code.CARD_REMOVED: 62,
    Code.CARD_UNREADABLE: 63,
    Code.CARD_SLOW: 64,
    Code.CARD_TYPE_B: 65,
    Code.CARD_NOT_JPKI: 71,
    Code.CARD_IS_PHONE: 72,
    Code.PIN_BLOCKED: 73,
    Code.CARD_UNKNOWN_KIND: 74,
    Code.CERTIFICATE_NONE: 81,
    Code.CERTIFICATE_MALFORMED: 82,
    Code.CERTIFICATE_EXPIRED: 83,
    Code.CERTIFICATE_NOT_YET_VALID: 84,
    Code.CERTIFICATE_WRONG_USAGE: 85,
    Code.CERTIFICATE_WRONG_POLICY: 86,
    Code.RENEWED: 87,
    Code.TRUST_NO_ANCHORS: 91,
    Code.CERTIFICATE_UNKNOWN_ISSUER: 92,
    Code.CERTIFICATE_FORGED: 93,
    Code.SERVER_CLOCK: 101,
    Code.TRUST_CLOCK: 102,
}


def exit_number(layer: Layer, code: Code | None) -> int:
    """The number of a fault: its code's, else its layer's."""
    own = None if code is None else CODE_EXITS.get(code)
    return LAYER_EXITS[layer] if own is None else own
