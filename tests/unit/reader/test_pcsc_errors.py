import pytest

from mykey_tui.card.connection import ReaderChanged, ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import CardError, ReaderError, TransmissionError
from mykey_tui.reader.pcsc import PcscReader


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (0x8010001D, ReaderError, Code.READER_NO_SERVICE),
        (0x80100013, ReaderError, Code.READER_NO_SERVICE),
        (0x8010006A, ReaderError, Code.READER_DENIED),
        (0x8010000B, ReaderError, Code.READER_BUSY),
        (0x80100009, ReaderError, Code.READER_LOST),
        (0x80100017, ReaderError, Code.READER_LOST),
        (0x8010000C, TransmissionError, Code.CARD_REMOVED),
        (0x80100069, TransmissionError, Code.CARD_REMOVED),
        (0x8010000F, TransmissionError, Code.CARD_MUTE),
        (0x80100066, TransmissionError, Code.CARD_MUTE),
        (0x80100016, TransmissionError, Code.CARD_UNREADABLE),
        (0x80100001, TransmissionError, Code.CARD_UNREADABLE),
    ],
)
def test_each_error_number_of_pcsc_has_its_own_meaning(
    number: int, error: type[CardError | ReaderError], code: Code
) -> None:
    with pytest.raises(error) as caught:
        PcscReader().fail(number)
    assert isinstance(caught.value, CardError | ReaderError)
    assert caught.value.code is code


def test_a_service_that_turns_us_away_is_told_from_one_that_is_not_there() -> None:
    reader = PcscReader()
    reader.lose_service(0x8010006A)
    assert reader.wait(0) == ReaderChanged(ReaderState.DENIED, "")
    with pytest.raises(ReaderError) as caught, reader.session():
        raise AssertionError("there was a session")
    assert caught.value.code is Code.READER_DENIED
