"""Check digits and what a bar code puts around a number, against printed examples of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.barcode import CheckDigit
from mykey_tui.domain.errors import CheckDigitError, MalformedIdError, MyNumberTypedError
from mykey_tui.domain.service_id import ServiceIdFormat

# Sources of the numbers: a library system's manual (14-digit card, Luhn), a bar code maker's pages
# (M10W21 of 12345678 is 2; A37859 with stop B has + by modulus 16), the JAN of a widely used
# example, a parcel firm's 7DR example, and the Code 39 specification's own CODE 39 -> W.
GOOD = [
    ("digits:14+luhn", "33191000105864", "33191000105864"),
    ("digits:9+luhn", "123456782", "123456782"),
    ("digits:13+ean", "4901234567894", "4901234567894"),
    ("digits:8+ean", "49123456", "49123456"),
    ("digits:12+7dr", "999912345670", "999912345670"),
    ("digits:5+nw7-16", "A37859+B", "37859"),
    ("digits:5+nw7-16", "a37859+b", "37859"),
    ("digits:5+nw7-16", "37859", "37859"),
    ("digits:9+nw7+luhn", "A123456782A", "123456782"),
    ("digits:9+nw7+luhn", "123456782", "123456782"),
    ("alnum:6+code39", "CODE39W", "CODE39"),
    ("alnum:6+code39", "CODE39", "CODE39"),
    ("digits:6+code39", "902999 ", "902999"),
    ("digits:10+track2", ";2802121234=99125?", "2802121234"),
    ("digits:10+track2", ";2802121234?", "2802121234"),
    ("digits:9+track2+luhn", ";123456782?", "123456782"),
]


def of(written: str) -> ServiceIdFormat:
    return ServiceIdFormat.parse(written)


@pytest.mark.parametrize(("written", "read", "number"), GOOD)
def test_a_printed_number_is_taken_without_its_symbol(written: str, read: str, number: str) -> None:
    assert of(written).check(read).text == number
    assert of(written).check(number).text == number  # As the server checks it again.


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("digits:14+luhn", "33191000105846"),
        ("digits:13+ean", "4901234567884"),
        ("digits:12+7dr", "999912345671"),
        ("digits:5+nw7-16", "A37895-B"),
        ("digits:5+nw7-16", "AB"),
        ("digits:9+nw7+luhn", "A123456728A"),
        ("alnum:6+code39", "CODE39X"),
        ("digits:6+code39", "902990 "),
        ("digits:10+track2", ";2802121234"),
        ("digits:10+track2", ";28021212=34?"),
        ("alnum:6+code39", "CODE_9W"),
    ],
)
def test_a_number_read_wrong_is_refused(written: str, read: str) -> None:
    with pytest.raises(MalformedIdError) as caught:
        of(written).check(read)
    assert read not in str(caught.value)


@given(st.text("0123456789", min_size=1, max_size=31), st.data())
def test_every_wrong_digit_shows_where_the_rule_promises_it(body: str, data: st.DataObject) -> None:
    """Luhn and EAN find each single wrong digit; 7DR does not promise it."""
    rule = data.draw(st.sampled_from([CheckDigit.LUHN, CheckDigit.EAN]))
    number = next(body + last for last in "0123456789" if _fits(rule, body + last))
    place = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    assert not _fits(rule, number[:place] + wrong + number[place + 1 :])


def _fits(rule: CheckDigit, number: str) -> bool:
    try:
        rule.verify(number)
    except CheckDigitError:
        return False
    return True


@pytest.mark.parametrize("written", [written for written, _, _ in GOOD] + ["digits:4-9+nw7"])
def test_the_written_form_is_read_back(written: str) -> None:
    assert of(written).text == written


@pytest.mark.parametrize(
    "written",
    [
        "alnum:8+luhn",
        "alnum:8+nw7",
        "alnum:1-8+code39",
        "digits:8+",
        "digits:8+luhn+nw7",
        "digits:8+luhn+ean",
        "digits:8+nw7+nw7-16",
        "digits:8+mod97",
        "digits:8+nw7+luhn+ean",
        "digits:8 +luhn",
    ],
)
def test_a_form_that_means_nothing_is_refused(written: str) -> None:
    with pytest.raises(MalformedIdError):
        of(written)


@pytest.mark.parametrize("written", ["digits:11+code39", "digits:12-13+nw7", "digits:10+nw7-16"])
@pytest.mark.parametrize("typed", ["123456789018", "1234 5678 9018", "A123456789018A"])
def test_no_symbol_hides_a_my_number(written: str, typed: str) -> None:
    refusals = (MyNumberTypedError, MalformedIdError)
    with pytest.raises(refusals) as caught:
        of(written).check(typed)
    if not typed.startswith("A"):
        assert caught.type is MyNumberTypedError


@given(st.text(max_size=60), st.sampled_from(["digits:1-32+nw7-16+luhn", "alnum:8+code39"]))
def test_what_is_taken_is_taken_again_as_it_is(text: str, written: str) -> None:
    try:
        accepted = of(written).check(text)
    except (MalformedIdError, MyNumberTypedError):
        return
    assert of(written).check(accepted.text) == accepted
