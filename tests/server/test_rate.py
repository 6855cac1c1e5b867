"""A counter that asks for more than its share is slowed down, alone, and gets on again."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_server.problem import ProblemError
from mykey_server.rate import BURST, COUNTERS_MAX, REFILL_A_SECOND, DeviceBuckets
from mykey_tui.wire.messages import Problem
from mykey_tui.wire.poll import sign_poll
from mykey_tui.wire.problems import ProblemType
from tests.proofs.polling import poll
from tests.server.conftest import ORIGIN, Counter, Server


def allowed(buckets: DeviceBuckets, device: str, now: float) -> bool:
    try:
        buckets.take(device, now)
    except ProblemError as error:
        assert error.problem is ProblemType.SLOW_DOWN
        return False
    return True


@given(
    st.lists(st.floats(0, 5), min_size=1, max_size=80),
    st.integers(1, 10),
    st.floats(0.1, 10),
)
def test_no_span_of_time_lets_more_through_than_the_burst_and_the_refill(
    pauses: list[float], burst: int, refill: float
) -> None:
    buckets = DeviceBuckets(burst=burst, refill_a_second=refill)
    now, passed = 0.0, []
    for pause in pauses:
        now += pause
        if allowed(buckets, "a", now):
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span = passed[last] - passed[first]
            assert last - first + 1 <= burst + span * refill + 1e-6


def test_one_counters_flood_costs_the_others_nothing() -> None:
    buckets = DeviceBuckets(burst=3, refill_a_second=1)
    assert [allowed(buckets, "flood", 0.0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert allowed(buckets, "other", 0.0)
    assert not allowed(buckets, "flood", 0.5)
    assert allowed(buckets, "flood", 1.5)


def test_a_clock_that_jumps_back_gives_nothing_away() -> None:
    buckets = DeviceBuckets(burst=1, refill_a_second=1)
    assert allowed(buckets, "a", 100.0)
    assert not allowed(buckets, "a", 50.0)


def test_the_memory_is_bounded() -> None:
    buckets = DeviceBuckets()
    for number in range(COUNTERS_MAX + 100):
        buckets.take(str(number), 0.0)
    assert len(buckets._left) == COUNTERS_MAX


async def test_ten_times_its_share_is_refused_with_a_time_to_wait_and_then_goes_on(
    server: Server, counter: Counter, scope: str
) -> None:
    other = await server.enrol(scope)
    server.core.buckets = DeviceBuckets(burst=10, refill_a_second=REFILL_A_SECOND)
    path = f"/v1/heads?scope={counter.scope}"
    answers = [await counter.send("GET", path) for _ in range(100)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 90
    refusal = answers[-1]
    assert refusal.headers["retry-after"] == "1"
    assert msgspec.json.decode(refusal.content, type=Problem).type == "too-many-requests"
    assert (await other.send("GET", path)).status_code == 200
    server.clock.pass_by(timedelta(seconds=1))
    assert (await counter.send("GET", path)).status_code == 200


async def test_polls_are_counted_with_everything_else_and_refused_alike(
    server: Server, counter: Counter, scope: str
) -> None:
    other = await server.enrol(scope)
    server.core.buckets = DeviceBuckets(burst=10, refill_a_second=REFILL_A_SECOND)
    path = f"/v1/poll?scope={counter.scope}"
    assert (await counter.send("GET", f"/v1/heads?scope={counter.scope}")).status_code == 200
    answers = [await poll(counter, "GET", path) for _ in range(30)]
    assert [answer.status_code for answer in answers] == [200] * 9 + [429] * 21
    assert answers[-1].headers["retry-after"] == "1"
    assert (await counter.send("GET", f"/v1/heads?scope={counter.scope}")).status_code == 429
    assert (await poll(other, "GET", path)).status_code == 200
    server.clock.pass_by(timedelta(seconds=1))
    assert (await poll(counter, "GET", path)).status_code == 200


async def test_a_forged_poll_empties_nobodys_bucket(server: Server, counter: Counter) -> None:
    server.core.buckets = DeviceBuckets(burst=2, refill_a_second=0.001)
    path, device_id = f"/v1/poll?scope={counter.scope}", counter.identity.device_id
    for _ in range(20):
        forged = sign_poll(
            url=ORIGIN + path, key=bytes(32), key_id=device_id, created=server.clock.now()
        )
        assert (await server.http.get(path, headers=forged)).status_code == 401
    assert (await poll(counter, "GET", path)).status_code == 200


async def test_who_does_not_hold_the_key_empties_nobodys_bucket(
    server: Server, counter: Counter, scope: str
) -> None:
    other = await server.enrol(scope)
    server.core.buckets = DeviceBuckets(burst=2, refill_a_second=0.001)
    path = f"/v1/heads?scope={counter.scope}"
    for _ in range(20):
        forged = await counter.send("GET", path, key=other.key)
        assert forged.status_code == 401
    assert (await counter.send("GET", path)).status_code == 200


def test_a_weeks_queue_and_a_first_load_fit_into_one_burst() -> None:
    requests_of_a_round = 500 + 10 + 10  # sync.push.REQUESTS_MAX, pages of 100,000 rows, the rest
    assert requests_of_a_round < BURST


@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_a_refused_request_is_not_counted(seconds: float) -> None:
    buckets = DeviceBuckets(burst=1, refill_a_second=0.1)
    assert allowed(buckets, "a", 0.0)
    for _ in range(50):
        assert not allowed(buckets, "a", 1.0)
    assert allowed(buckets, "a", 10.0 + seconds)
