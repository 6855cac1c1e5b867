from datetime import UTC, datetime, timedelta

from mykey_tui.domain import errors
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code


def test_the_server_s_offset_mends_a_wrong_clock() -> None:
    clock = SystemClock(timedelta(days=400))

    ahead = clock.now() - datetime.now(UTC)
    assert timedelta(days=399, hours=23) < ahead < timedelta(days=400, hours=1)
    clock.offset = timedelta()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.now().tzinfo is UTC


def test_measured_time_only_grows() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_every_code_can_be_read_out_aloud_by_a_clerk() -> None:
    for code in Code:
        kind, _, rest = code.value.partition("-")
        assert len(kind) == 1
        assert rest
        assert code.value == code.value.upper()
        assert code.value.isascii()
        assert len(code.value) <= 16


def test_a_pulled_card_and_a_mute_one_have_their_own_codes() -> None:
    assert errors.TransmissionError("gone", removed=True).code is Code.CARD_REMOVED
    assert errors.TransmissionError("no answer").code is Code.CARD_UNREADABLE


def test_every_error_of_the_product_has_one_root_and_stands_in_the_drawing() -> None:
    drawn = errors.__doc__ or ""
    made = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    for kind in made:
        assert issubclass(kind, errors.MyKeyError)
        assert kind.__name__ in drawn
