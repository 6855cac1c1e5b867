import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import CardError, ReaderError, TransmissionError
from mykey_tui.reader.winscard import error_of


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (0x8010001D, ReaderError, Code.READER_NO_SERVICE),
        (0x8010001E, ReaderError, Code.READER_NO_SERVICE),
        (0x80100013, ReaderError, Code.READER_NO_SERVICE),
        (0x80100003, ReaderError, Code.READER_NO_SERVICE),
        (0x8010006A, ReaderError, Code.READER_DENIED),
        (0x8010000B, ReaderError, Code.READER_BUSY),
        (0x80100009, ReaderError, Code.READER_LOST),
        (0x80100017, ReaderError, Code.READER_LOST),
        (0x8010000C, TransmissionError, Code.CARD_REMOVED),
        (0x80100069, TransmissionError, Code.CARD_REMOVED),
        (0x8010000F, TransmissionError, Code.CARD_MUTE),
        (0x80100065, TransmissionError, Code.CARD_MUTE),
        (0x80100066, TransmissionError, Code.CARD_MUTE),
        (0x80100067, TransmissionError, Code.CARD_MUTE),
        (0x80100016, TransmissionError, Code.CARD_UNREADABLE),
        (0x80100001, TransmissionError, Code.CARD_UNREADABLE),
    ],
)
def test_each_error_number_of_pcsc_has_its_own_meaning(
    number: int, error: type[CardError | ReaderError], code: Code
) -> None:
    told = error_of(number)
    assert isinstance(told, error)
    assert told.code is code


def test_the_numbers_are_those_of_the_library() -> None:
    from smartcard import scard  # noqa: TID251  # the library's own word, against our table

    from mykey_tui.reader import winscard as ours

    theirs = {
        "COMM_ERROR": scard.SCARD_F_COMM_ERROR,
        "CANCELLED": scard.SCARD_E_CANCELLED,
        "INVALID_HANDLE": scard.SCARD_E_INVALID_HANDLE,
        "TIMEOUT": scard.SCARD_E_TIMEOUT,
        "SHARING_VIOLATION": scard.SCARD_E_SHARING_VIOLATION,
        "NO_SMARTCARD": scard.SCARD_E_NO_SMARTCARD,
        "PROTO_MISMATCH": scard.SCARD_E_PROTO_MISMATCH,
        "UNKNOWN_READER": scard.SCARD_E_UNKNOWN_READER,
        "NOT_TRANSACTED": scard.SCARD_E_NOT_TRANSACTED,
        "READER_UNAVAILABLE": scard.SCARD_E_READER_UNAVAILABLE,
        "NO_SERVICE": scard.SCARD_E_NO_SERVICE,
        "SERVICE_STOPPED": scard.SCARD_E_SERVICE_STOPPED,
        "NO_READERS": scard.SCARD_E_NO_READERS_AVAILABLE,
        "UNSUPPORTED_CARD": scard.SCARD_W_UNSUPPORTED_CARD,
        "UNRESPONSIVE_CARD": scard.SCARD_W_UNRESPONSIVE_CARD,
        "UNPOWERED_CARD": scard.SCARD_W_UNPOWERED_CARD,
        "RESET_CARD": scard.SCARD_W_RESET_CARD,
        "REMOVED_CARD": scard.SCARD_W_REMOVED_CARD,
        "SECURITY_VIOLATION": scard.SCARD_W_SECURITY_VIOLATION,
        "LEAVE_CARD": scard.SCARD_LEAVE_CARD,
        "RESET": scard.SCARD_RESET_CARD,
        "UNPOWER": scard.SCARD_UNPOWER_CARD,
    }
    assert {name: getattr(ours, name) for name in theirs} == {
        name: value & 0xFFFFFFFF for name, value in theirs.items()
    }
