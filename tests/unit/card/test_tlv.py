import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.card.tlv import parse_head
from mykey_tui.domain.errors import MalformedResponseError


def encode_length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    count = (length.bit_length() + 7) // 8
    return bytes([0x80 | count]) + length.to_bytes(count, "big")


@given(st.integers(0, 0xFFFF))
def test_a_length_is_read_as_it_was_written(length: int) -> None:
    head = parse_head(b"\x30" + encode_length(length))
    assert head.value_length == length
    assert head.total_length == 1 + len(encode_length(length)) + length


@pytest.mark.parametrize(
    "data",
    [
        "",
        "30",
        "3080",  # indefinite
        "30840000",  # four bytes of length
        "308300ffff",
        "3082",  # cut off
        "308205",
        "30820005",  # not the shortest form
        "30820080",
        "30817f",
        "3f8101",  # a tag of more than one byte
        "30ff",
    ],
)
def test_a_head_that_breaks_the_rules_is_malformed(data: str) -> None:
    with pytest.raises(MalformedResponseError):
        parse_head(bytes.fromhex(data))


@given(st.binary(max_size=8))
def test_any_bytes_give_a_bounded_length_or_are_malformed(data: bytes) -> None:
    try:
        head = parse_head(data)
    except MalformedResponseError:
        return
    assert head.total_length <= 4 + 0xFFFF
