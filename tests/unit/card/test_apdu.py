import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.card.apdu import CommandApdu, ResponseApdu
from mykey_tui.card.status_word import StatusWord
from mykey_tui.domain.errors import MalformedResponseError

BYTE = st.integers(0, 0xFF)


@given(BYTE, BYTE, BYTE, BYTE, st.binary(max_size=255), st.one_of(st.none(), st.integers(1, 256)))
def test_a_command_is_read_back_as_it_was_written(
    cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None
) -> None:
    command = CommandApdu(cla=cla, ins=ins, p1=p1, p2=p2, data=data, le=le)
    assert CommandApdu.decode(command.encode()) == command


def test_no_le_and_256_bytes_wanted_are_two_different_commands() -> None:
    assert CommandApdu(ins=0xB0).encode().hex() == "00b00000"
    assert CommandApdu(ins=0xB0, le=256).encode().hex() == "00b0000000"


@pytest.mark.parametrize("le", [0, 257, -1])
def test_a_length_that_the_short_form_cannot_carry_is_refused(le: int) -> None:
    with pytest.raises(ValueError, match="le is 1 to 256"):
        CommandApdu(ins=0xB0, le=le)


def test_data_that_the_short_form_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        CommandApdu(ins=0x2A, data=bytes(256))


@pytest.mark.parametrize(
    "encoded", ["", "00a404", "00b00000000100", "00a4020c03000a", "00a4020c02000a0000"]
)
def test_bytes_that_are_no_short_command_are_refused(encoded: str) -> None:
    with pytest.raises(ValueError):  # which sentence does not matter
        CommandApdu.decode(bytes.fromhex(encoded))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_refusal(encoded: bytes) -> None:
    try:
        command = CommandApdu.decode(encoded)
    except ValueError:
        return
    assert command.encode() == encoded


@given(st.binary(max_size=600))
def test_any_answer_is_a_response_or_malformed(answer: bytes) -> None:
    try:
        response = ResponseApdu.decode(answer)
    except MalformedResponseError:
        assert len(answer) < 2 or len(answer) > 258
    else:
        assert response.encode() == answer


def test_printing_a_command_or_an_answer_shows_none_of_its_data() -> None:
    command = CommandApdu(ins=0x20, p2=0x80, data=b"1234")
    response = ResponseApdu(b"1C2410DF79DGEL", StatusWord(0x9000))
    assert "1234" not in repr(command)
    assert b"1234".hex() not in repr(command)
    assert "1C24" not in repr(response)


@pytest.mark.parametrize(
    ("value", "tries"),
    [(0x63C3, 3), (0x63C0, 0), (0x6984, 0), (0x6983, 0), (0x9000, None), (0x6300, None)],
)
def test_a_status_word_tells_the_tries_left(value: int, tries: int | None) -> None:
    assert StatusWord(value).tries_left == tries


def test_a_length_of_zero_in_a_status_word_means_256() -> None:
    assert StatusWord(0x6100).bytes_waiting == 256
    assert StatusWord(0x6C00).right_length == 256
    assert StatusWord(0x6C05).right_length == 5
    assert StatusWord(0x9000).bytes_waiting is None
