import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.errors import MalformedIdError
from mykey_tui.domain.ids import (
    CertificateRef,
    MyKeyId,
    ProviderId,
    ServiceId,
    SubjectCn,
    TerminalCode,
)

UPPER_ALPHANUMERIC = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=23, max_size=23)


def position_of(text: str, kind: type[MyKeyId | TerminalCode | SubjectCn | ProviderId]) -> int:
    with pytest.raises(MalformedIdError) as caught:
        kind.parse(text)
    return caught.value.position


def test_the_paper_s_sample_splits_into_14_and_9() -> None:
    cn = SubjectCn.parse("1C2410DF79DGEL07202002B")

    assert cn.my_key_id == MyKeyId.parse("1C2410DF79DGEL")
    assert cn.terminal_code == TerminalCode.parse("07202002B")
    assert cn.terminal_code.municipality == "07202"


@given(UPPER_ALPHANUMERIC)
def test_every_cn_comes_back_as_it_was(text: str) -> None:
    assert SubjectCn.parse(text).text == text


@given(st.text(max_size=30))
def test_nothing_but_23_of_a_to_z_and_0_to_9_is_a_cn(text: str) -> None:
    try:
        accepted = SubjectCn.parse(text)
    except MalformedIdError as error:
        assert 1 <= error.position <= 24
    else:
        assert accepted.text == text
        assert len(text) == 23
        assert text.isascii()
        assert text.isalnum()
        assert text == text.upper()


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("1C2410DF79DGE", 14),
        ("1C2410DF79DGELX", 15),
        ("1c2410DF79DGEL", 2),
        ("1C2410DF79DGE1\n", 15),
        ("1C2410DF79DGE１", 14),
        ("ＡC2410DF79DGEL", 1),
    ],
)
def test_a_wrong_my_key_id_is_refused_with_the_place(text: str, position: int) -> None:
    assert position_of(text, MyKeyId) == position


def test_an_error_does_not_repeat_what_was_typed() -> None:
    with pytest.raises(MalformedIdError) as caught:
        MyKeyId.parse("1C2410DF79DGEl")
    assert "1C2410" not in repr(caught.value) + str(caught.value)


def test_no_identifier_of_a_person_shows_itself_in_a_traceback() -> None:
    values = [
        MyKeyId.parse("1C2410DF79DGEL"),
        TerminalCode.parse("07202002B"),
        SubjectCn.parse("1C2410DF79DGEL07202002B"),
        ServiceId("2802121234"),
        CertificateRef(b"issuer", 114393094),
    ]
    shown = repr(values) + "".join(f"{value}" for value in values)

    for secret in ("1C2410", "07202", "2802", "issuer", "114393094"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("A-α1-0001", "A-alpha1-0001"),
        ("A-β1-0001", "A-beta1-0001"),
        ("A-γ1-0001", "A-gamma1-0001"),
        ("A-Α1-0001", "A-alpha1-0001"),
        ("７-x", "7-x"),
    ],
)
def test_a_provider_id_has_an_ascii_alias_for_files_and_urls(text: str, alias: str) -> None:
    assert ProviderId.parse(text).alias == alias


def test_full_width_and_blanks_around_are_the_same_provider() -> None:
    assert ProviderId.parse(" Ａ－α１－０００１ ") == ProviderId.parse("A-α1-0001")


@pytest.mark.parametrize(
    "text",
    ["", " ", "-A", "A/../B", "A B", "A\x00", "A\x1b[2J", "商店街", "A" * 65, "A_B", "\u202eA"],
)
def test_what_has_no_ascii_alias_is_no_provider_id(text: str) -> None:
    assert position_of(text, ProviderId) >= 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("2802121234", "******1234"),
        ("ABCDEFGHI", "*****FGHI"),
        ("1234", "**34"),
        ("789", "**9"),
        ("7", "*"),
        ("", ""),
    ],
)
def test_a_masked_service_id_hides_at_least_half(text: str, masked: str) -> None:
    assert ServiceId(text).masked == masked


@pytest.mark.parametrize(
    ("here", "there", "shown"),
    [
        ("28021201234", "28021301234", ("*****2*1234", "*****3*1234")),
        ("1001", "2001", ("1*01", "2*01")),
        ("28021234", "28025678", ("****1234", "****5678")),
        ("1234", "1234", ("**34", "**34")),
        ("12345678", "912345678", ("****5678", "*****5678")),
    ],
)
def test_two_numbers_with_the_same_end_can_be_told_apart(
    here: str, there: str, shown: tuple[str, str]
) -> None:
    one, other = ServiceId(here), ServiceId(there)
    assert (one.masked_beside(other), other.masked_beside(one)) == shown
