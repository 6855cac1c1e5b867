import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.card import allow_list
from mykey_tui.domain.errors import ForbiddenApduError

ALLOWED = [
    "00a4040c0ad392f000260100000001",
    *(f"00a4020c02{file}" for file in ("000a", "000b", "0006", "0008", "0017", "0018")),
    "00b0000004",
    "00b07fff00",
    "00c0000010",
    "00200080",
    "002000800431323334",
    "802a008033" + "3031300d060960864801650304020105000420" + "00" * 32 + "00",
]
FORBIDDEN = [
    "00a4040c0ad3921000310001010408",  # 券面事項入力補助: holds the 個人番号
    "00a4040c0ad3921000310001010402",  # 券面事項確認
    "00a4040c0ad3921000310001010100",  # 共通カード
    "00a4040c09d392f0002601000000",  # a shortened name
    "00a4040c05d392f00026",
    "00a4020c020001",  # the signature certificate, with name and address
    "00a4020c020002",
    "00a4020c02001a",
    "00a4020c02001b",
    "00a40000",
    "00a4000000",
    "00b08a0000",  # READ BINARY that names another file
    "00b0000000000100",
    "00b2010400",
    "00ca004600",  # GET DATA
    "00200081",
    "0020008003313233",  # PINs of wrong length and kind
    "00200080053132333435",
    "002000800431323361",
    "00200080063132333435360",
    "00240080",
    "002c0080",
    "802a009e33" + "00" * 52,
    "802a0080020102" + "00",
    "802a008033" + "3031300d060960864801650304020105000420" + "00" * 32 + "80",
    "ffca000000",
    "",
    "00",
]


@pytest.mark.parametrize("command", ALLOWED)
def test_the_commands_that_reading_and_signing_need_pass(command: str) -> None:
    allow_list.check(bytes.fromhex(command), storage=False)


@pytest.mark.parametrize("command", FORBIDDEN)
def test_every_other_command_is_stopped_before_the_reader(command: str) -> None:
    with pytest.raises(ForbiddenApduError):
        allow_list.check(bytes.fromhex(command[: len(command) // 2 * 2]), storage=False)


@given(st.binary(max_size=80))
def test_nothing_outside_of_the_list_passes_by_chance(command: bytes) -> None:
    try:
        allow_list.check(command, storage=False)
    except ForbiddenApduError:
        return
    assert command[:2] in (b"\x00\xa4", b"\x00\xb0", b"\x00\xc0", b"\x00\x20", b"\x80\x2a")


@pytest.mark.parametrize("command", [*ALLOWED, "ffca010000", "ff00000000", "ffb0000410"])
def test_a_storage_card_is_asked_for_its_number_only(command: str) -> None:
    allow_list.check(bytes.fromhex("ffca000000"), storage=True)
    with pytest.raises(ForbiddenApduError):
        allow_list.check(bytes.fromhex(command), storage=True)


def test_a_stopped_command_does_not_show_its_data() -> None:
    with pytest.raises(ForbiddenApduError) as caught:
        allow_list.check(bytes.fromhex("00200081") + b"\x041234", storage=False)
    assert "1234" not in str(caught.value)
    assert b"1234".hex() not in str(caught.value)


def test_only_a_verify_with_data_counts_as_a_pin() -> None:
    assert allow_list.sends_pin(bytes.fromhex("002000800431323334"))
    assert not allow_list.sends_pin(bytes.fromhex("00200080"))
    assert not allow_list.sends_pin(bytes.fromhex("00b0000004"))
