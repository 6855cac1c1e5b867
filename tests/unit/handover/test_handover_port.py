from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError, MalformedIdError, MyNumberTypedError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.domain.service_id import ANY_SERVICE_ID
from mykey_tui.handover.file_drop import DropMode, FileDrop
from mykey_tui.handover.port import TEST_VALUE, outgoing

HOSTILE = [
    "=1+1", "+81", "-X", "@SUM", "2802\n1111", "2802\r", "2802\x00", "\x1b[2J", "", " 1",
    "1" * 33, "２８０２", "2802,1111", "2802\t1", '28"02', "\u202e1234",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_another_program_could_act_on_does_not_leave(text: str, tmp_path: Path) -> None:
    with pytest.raises(HandOverError) as caught:
        FileDrop(tmp_path, mode=DropMode.ONE_PER_TAP).send(ServiceId(text))

    assert caught.value.code is Code.HANDOVER_FILE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["2802121234", "ABCDEFGHI", "1111358665", "A-1", "7"])
def test_the_paper_s_member_numbers_may_leave_as_they_are(text: str) -> None:
    assert outgoing(ServiceId(text), Code.HANDOVER_FILE) == text


def test_the_test_value_may_leave() -> None:
    assert outgoing(TEST_VALUE, Code.HANDOVER_COMMAND) == "TEST-0000"


@given(st.text(max_size=40))
def test_what_a_counter_accepts_may_leave(text: str) -> None:
    try:
        accepted = ANY_SERVICE_ID.check(text)
    except (MalformedIdError, MyNumberTypedError):
        return
    assert outgoing(accepted, Code.HANDOVER_FILE) == accepted.text
