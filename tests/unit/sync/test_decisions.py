"""What a round decides, as tables: pure functions, no line and no file."""

from __future__ import annotations

import msgspec
import pytest

from mykey_tui.domain.errors import ServerError
from mykey_tui.store.progress import Progress
from mykey_tui.store.suspending import DAMAGED, SuspensionHead
from mykey_tui.sync.plan import Abilities, abilities_of, is_behind, is_older_than_sent
from mykey_tui.sync.repair import AGAIN_SECONDS, bad_buckets, is_due
from mykey_tui.sync.standing import is_proven
from mykey_tui.sync.suspend import CLOCK_STEP_SECONDS, refuse_older
from mykey_tui.wire.messages import HelloReply, Limits, Position, SuspensionState

HELLO = HelloReply(
    proto=[1], schema=1, min_schema=1, epoch="e", server_time="2026-11-22T09:00:00+00:00",
    limits=Limits(10, 10, 10), poll_after_s=30.0, durable_through=0, last_mid=5,
)  # fmt: skip
PLACE = Position("e", 5, b"d" * 16)


def progress(**values: object) -> Progress:
    known = {
        "epoch": "e", "cursor": 0, "digest": bytes(16), "rows": 0, "position": None, "mark": None,
        "durable_through": 0, "last_mid": 0, "last_hash": bytes(32), "refused_rows": 0,
        "synced_at": None, "clock_offset": None, "time_floor": None, "recover_due": False,
        "last_number": 0, "parked_sent_at": None, "parked_next": 1, "repaired_at": None,
    }  # fmt: skip
    return Progress(**{**known, **values})  # type: ignore[arg-type]  # as the table says


def test_a_server_of_the_first_form_can_do_nothing_more() -> None:
    assert abilities_of(HELLO) == Abilities(False, False, False, False, False)
    assert not abilities_of(HELLO).places


def test_what_a_newer_server_can_do_beyond_us_is_ignored() -> None:
    named = ["snapshot", "digest", "suspensions", "recover", "origin", "telepathy"]
    hello = msgspec.structs.replace(HELLO, features=named)
    assert abilities_of(hello) == Abilities(True, True, True, True, True)


@pytest.mark.parametrize(("last_number", "older"), [(4, True), (5, False), (6, False)])
def test_a_file_that_knows_less_than_the_server_came_from_a_copy(
    last_number: int, older: bool
) -> None:
    assert is_older_than_sent(HELLO, progress(last_number=last_number)) is older


@pytest.mark.parametrize(
    ("seq", "cursor", "mark", "behind"),
    [(5, 5, None, False), (4, 5, None, True), (5, 0, PLACE, False), (4, 0, PLACE, True)],
)
def test_a_head_before_what_we_were_told_is_another_history(
    seq: int, cursor: int, mark: Position | None, behind: bool
) -> None:
    assert is_behind(seq, progress(cursor=cursor, mark=mark)) is behind


def test_only_a_place_that_was_compared_proves_a_history() -> None:
    able = abilities_of(msgspec.structs.replace(HELLO, features=["snapshot"]))
    assert is_proven(progress(position=PLACE), able)
    assert is_proven(progress(mark=PLACE), able)
    assert not is_proven(progress(cursor=9), able)
    assert not is_proven(progress(position=PLACE), abilities_of(HELLO))


def test_a_repair_is_tried_again_after_a_while_whatever_the_clock_does() -> None:
    assert is_due(None, now=0)
    assert not is_due(1000, now=1000)
    assert not is_due(1000, now=1000 + AGAIN_SECONDS - 1)
    assert is_due(1000, now=1000 + AGAIN_SECONDS)
    assert is_due(1000, now=999)


def test_bad_buckets_are_those_that_differ() -> None:
    ours = bytes(4096)
    theirs = bytearray(ours)
    theirs[0] = theirs[17] = theirs[4095] = 1
    assert bad_buckets(ours, bytes(theirs)) == [0, 1, 255]
    assert bad_buckets(ours, ours) == []


KNOWN = SuspensionHead("e", 7, b"d" * 16, 3, issued_at=10_000, not_after=20_000)


def state(**values: object) -> SuspensionState:
    base = SuspensionState("S:x", "e", 7, b"d" * 16, 3, issued_at=10_000, not_after=20_000)
    return msgspec.structs.replace(base, **values)


@pytest.mark.parametrize(
    ("values", "now", "known", "refused"),
    [
        ({}, 15_000, KNOWN, False),
        ({}, 15_000, None, False),
        ({}, 20_000, KNOWN, True),  # past its end
        ({}, 20_000, None, True),
        ({"seq": 8, "digest": b"x" * 16}, 15_000, KNOWN, False),
        ({"seq": 6}, 15_000, KNOWN, True),  # older within the epoch
        ({"digest": b"x" * 16}, 15_000, KNOWN, True),  # two lists of one number
        ({"total": 2}, 15_000, KNOWN, True),
        ({"epoch": "f", "seq": 1}, 15_000, KNOWN, False),  # another history, issued now
        ({"epoch": "f", "seq": 1, "issued_at": 9_800}, 15_000, KNOWN, False),
        ({"epoch": "f", "issued_at": 10_000 - CLOCK_STEP_SECONDS - 1}, 15_000, KNOWN, True),
        ({"seq": 9, "issued_at": 5_000}, 15_000, KNOWN, False),  # the server's clock was ahead
        ({"issued_at": 5_000}, 15_000, KNOWN, False),
    ],
)
def test_a_state_is_no_older_than_the_one_here(
    values: dict[str, object], now: float, known: SuspensionHead | None, refused: bool
) -> None:

    if not refused:
        refuse_older(state(**values), known, now=now)
        return
    with pytest.raises(ServerError):
        refuse_older(state(**values), known, now=now)


def test_a_damaged_list_may_be_replaced_by_the_same_state() -> None:
    damaged = SuspensionHead("e", 7, b"?" * 16, DAMAGED, issued_at=10_000, not_after=20_000)
    refuse_older(state(), damaged, now=15_000)

    with pytest.raises(ServerError):
        refuse_older(state(seq=6), damaged, now=15_000)
