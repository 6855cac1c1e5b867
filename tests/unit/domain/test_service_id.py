import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.errors import MalformedIdError, MyNumberTypedError
from mykey_tui.domain.service_id import ANY_SERVICE_ID, ServiceIdFormat, is_my_number

TEN_DIGITS = ServiceIdFormat.parse("digits:10")
TWELVE_DIGITS = ServiceIdFormat.parse("digits:12")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("2802121234", "2802121234"),
        ("  2802121234\t", "2802121234"),
        ("２８０２１２１２３４", "2802121234"),
    ],
)
def test_ten_digits_are_taken_however_they_were_typed(typed: str, kept: str) -> None:
    assert TEN_DIGITS.check(typed).text == kept


@pytest.mark.parametrize(
    ("typed", "kept"), [("abcdefghi", "ABCDEFGHI"), ("ｂｂ００１１", "BB0011"), ("a-1", "A-1")]
)
def test_letters_become_upper_case_and_half_width(typed: str, kept: str) -> None:
    assert ANY_SERVICE_ID.check(typed).text == kept


@pytest.mark.parametrize(
    ("typed", "position"),
    [
        ("", 1),
        ("280212123", 10),
        ("28021212345", 11),
        ("28O2121234", 3),
        ("2802\n21234", 5),
        ("280212123\u200b", 10),
    ],
)
def test_a_wrong_number_is_refused_with_the_place_of_the_fault(typed: str, position: int) -> None:
    with pytest.raises(MalformedIdError) as caught:
        TEN_DIGITS.check(typed)

    assert caught.value.position == position
    assert typed == "" or typed not in str(caught.value)


@given(st.text(max_size=60))
def test_what_is_taken_has_only_characters_of_the_format(text: str) -> None:
    try:
        accepted = ANY_SERVICE_ID.check(text)
    except (MalformedIdError, MyNumberTypedError):
        return
    assert 1 <= len(accepted.text) <= 32
    assert set(accepted.text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
    assert ANY_SERVICE_ID.check(accepted.text) == accepted


def test_a_very_long_text_is_refused_and_not_worked_through() -> None:
    with pytest.raises(MalformedIdError):
        ANY_SERVICE_ID.check("1" * 10_000_000)


@pytest.mark.parametrize("form", ["digits:10", "digits:1-32", "alnum:1-32", "alnum:4", "digits:12"])
def test_a_format_comes_back_as_it_was_written(form: str) -> None:
    assert ServiceIdFormat.parse(form).text == form


@pytest.mark.parametrize(
    "form",
    ["", "digits", "digits:0", "digits:33", "digits:5-4", "hex:4", "alnum:1-", "alnum:-3",
     "digits:10 ", "digits:１０x", "alnum:1-100"],
)  # fmt: skip
def test_what_is_no_format_is_refused(form: str) -> None:
    with pytest.raises(MalformedIdError):
        ServiceIdFormat.parse(form)


# The check digit ------------------------------------------------------------------------------


def check_digit(eleven: str) -> int:
    """The ordinance's own words: Q runs from the lowest digit, 2 to 7 and then 2 to 6."""
    weights = [2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]
    total = sum(int(digit) * weight for digit, weight in zip(eleven[::-1], weights, strict=True))
    return 0 if total % 11 <= 1 else 11 - total % 11


def test_the_usual_sample_my_number_is_recognised() -> None:
    assert is_my_number("123456789018")
    assert not is_my_number("123456789017")


@given(st.text("0123456789", min_size=11, max_size=11))
def test_exactly_one_check_digit_makes_a_my_number(eleven: str) -> None:
    found = [digit for digit in "0123456789" if is_my_number(eleven + digit)]
    assert found == [str(check_digit(eleven))]


@pytest.mark.parametrize("text", ["", "12345678901", "1234567890188", "12345678901x", "１" * 12])
def test_other_text_is_no_my_number(text: str) -> None:
    assert not is_my_number(text)


@pytest.mark.parametrize("typed", ["123456789018", " 123456789018 ", "１２３４５６７８９０１８"])
@pytest.mark.parametrize("form", [ANY_SERVICE_ID, TEN_DIGITS])
def test_a_my_number_is_never_taken_and_never_repeated(typed: str, form: ServiceIdFormat) -> None:
    with pytest.raises(MyNumberTypedError) as caught:
        form.check(typed)

    assert "1234" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_provider_whose_own_numbers_have_twelve_digits_keeps_them() -> None:
    assert TWELVE_DIGITS.check("123456789018").text == "123456789018"


@pytest.mark.parametrize(
    "text", ["1234 5678 9018", "1234-5678-9018", "１２３４　５６７８　９０１８"]
)
def test_a_my_number_typed_in_groups_of_four_is_turned_away(text: str) -> None:
    with pytest.raises(MyNumberTypedError):
        ANY_SERVICE_ID.check(text)


def test_a_hyphen_is_never_the_first_character() -> None:
    with pytest.raises(MalformedIdError) as caught:
        ANY_SERVICE_ID.check("-1+1")
    assert caught.value.position == 1
