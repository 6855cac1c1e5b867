"""Suspensions come first, are believed only when proven, and outlive everything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_server.database import writing
from mykey_server.services.renewal import renew
from mykey_tui.domain.codes import Code
from mykey_tui.domain.digest import EMPTY_DIGEST
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.wire.messages import MSGPACK, SUSPENSION_CONTEXT, SuspensionState
from tests.unit.sync.conftest import person

Send = Callable[[], httpx.Response]
Change = Callable[[dict[str, Any]], dict[str, Any]]


def packed(message: object) -> httpx.Response:
    body = httpx.ByteStream(msgspec.msgpack.encode(message))
    return httpx.Response(200, headers={"content-type": MSGPACK}, stream=body)


def is_of_suspensions(request: httpx.Request, what: str) -> bool:
    return f"/{what}" in request.url.path and "S:" in str(request.url).replace("%3A", ":")


def spoil(site: Any, what: str, change: Change) -> None:
    """Change what the server says of the suspensions' `heads` or `log`."""

    def spoiled(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if not is_of_suspensions(request, what) or answer.status_code != 200:
            return answer
        return packed(change(msgspec.msgpack.decode(answer.read())))

    site.line.spoil = spoiled


def is_suspended(counter: Any, number: int) -> bool:
    link = counter.store.lookup(counter.token(number))
    return link is not None and link.status is LinkStatus.SUSPENDED


def refused(counter: Any) -> None:
    """The round ends with the code, and the list here is as it was."""
    before = counter.store.suspension_head()
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_SUSPENSIONS
    assert counter.store.suspension_head() == before


@pytest.fixture
def linked(site: Any, counter: Any) -> Any:
    """Persons 1 to 3 are linked; 1 is suspended, and the counter knows."""
    for number in (1, 2, 3):
        counter.queue(number)
    counter.sync()
    site.set_suspended(1, suspended=True)
    counter.sync()
    assert is_suspended(counter, 1)
    return counter


def test_a_suspension_comes_and_goes_and_the_row_does_not_move(site: Any, linked: Any) -> None:
    before = linked.store.progress().cursor
    site.set_suspended(1, suspended=False)
    site.set_suspended(2, suspended=True)
    linked.sync()
    assert [is_suspended(linked, number) for number in (1, 2, 3)] == [False, True, False]
    assert linked.finds(1) == "0000000001"
    assert linked.store.progress().cursor == before


def test_it_is_asked_for_before_anything_else_and_needs_no_push(site: Any, linked: Any) -> None:
    linked.queue(4)
    site.set_suspended(3, suspended=True)

    def no_push(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST" or (
            "/heads" in request.url.path and "S:" not in str(request.url).replace("%3A", ":")
        ):
            raise httpx.ReadError("stuck")
        return send()

    site.line.spoil = no_push
    with pytest.raises(LineError):
        linked.sync()
    assert is_suspended(linked, 3)


def test_it_outlives_a_reset_and_its_own_rows(site: Any, linked: Any) -> None:
    backup = site.backup()
    linked.queue(4)
    linked.sync()
    site.restore(backup, epoch="f" * 16)
    assert linked.sync().digest == "match"
    assert is_suspended(linked, 1)
    assert not is_suspended(linked, 4)


def test_an_old_signed_list_is_refused(site: Any, linked: Any) -> None:
    backup = site.backup()
    site.set_suspended(2, suspended=True)
    linked.sync()
    site.restore(backup)
    refused(linked)
    assert is_suspended(linked, 2)


def test_a_list_signed_with_another_key_is_refused(site: Any, linked: Any) -> None:
    site.set_suspended(2, suspended=True)
    thief = Ed25519PrivateKey.generate()
    spoil(
        site,
        "heads",
        lambda head: {**head, "signature": thief.sign(SUSPENSION_CONTEXT + head["state"])},
    )
    refused(linked)
    assert not is_suspended(linked, 2)


def test_a_list_that_is_not_signed_is_refused(site: Any, linked: Any) -> None:
    spoil(site, "heads", lambda head: {**head, "signature": None})
    refused(linked)


def test_a_head_that_says_other_than_its_state_is_refused(site: Any, linked: Any) -> None:
    site.set_suspended(2, suspended=True)
    spoil(site, "heads", lambda head: {**head, "seq": head["seq"] + 1})
    refused(linked)


def test_a_list_past_its_end_is_refused(site: Any, linked: Any) -> None:
    """A frozen server: it answers, and says what it said four days ago."""
    head = linked.client.head(suspensions=True)
    state = msgspec.msgpack.decode(head.state, type=SuspensionState)
    frozen = msgspec.structs.asdict(head)
    linked.clock.offset += timedelta(seconds=state.not_after - state.issued_at + 60)
    site.clock.offset = linked.clock.offset
    spoil(site, "heads", lambda _: {**frozen, "server_time": site.clock.now().isoformat()})
    refused(linked)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: {**page, "rows": page["rows"][:-1]},  # truncated
        lambda page: {**page, "rows": page["rows"][1:]},  # skipped
        lambda page: {**page, "rows": [[b"t" * 16, None, "", 1, row[4]] for row in page["rows"]]},
        lambda page: {**page, "rows": [*page["rows"], "poison"]},
        lambda page: {**page, "head": {**page["head"], "seq": page["head"]["seq"] - 1}},
    ],
)
def test_a_list_that_is_not_what_was_signed_is_refused(
    site: Any, linked: Any, change: Change
) -> None:
    site.set_suspended(2, suspended=True)
    site.set_suspended(3, suspended=True)
    spoil(site, "log", change)
    refused(linked)
    assert [is_suspended(linked, number) for number in (1, 2, 3)] == [True, False, False]
    site.line.spoil = None
    linked.sync()
    assert [is_suspended(linked, number) for number in (1, 2, 3)] == [True, True, True]


def test_old_rows_do_not_become_fresh_by_a_list_that_is_not_believed(
    site: Any, linked: Any
) -> None:
    linked.clock.offset += timedelta(hours=30)
    site.clock.offset = linked.clock.offset
    age = linked.store.freshness().age_seconds
    assert age > 29 * 3600
    spoil(site, "heads", lambda head: {**head, "signature": None})
    linked.queue(4)
    refused(linked)
    assert linked.store.unsent() == 0  # the queue left all the same
    assert linked.store.freshness().age_seconds >= age


def test_a_list_here_that_was_damaged_is_fetched_whole(site: Any, linked: Any) -> None:
    with linked.store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM suspension")
        connection.exec_driver_sql(
            "UPDATE suspension_head SET total = 0, digest = ?", (EMPTY_DIGEST,)
        )
    site.set_suspended(2, suspended=True)
    linked.sync()
    assert [is_suspended(linked, number) for number in (1, 2, 3)] == [True, True, False]


def test_a_suspended_person_is_stopped_whatever_else_is_known(site: Any, linked: Any) -> None:
    linked.queue(1, op="unlink")
    assert is_suspended(linked, 1)


def test_a_list_of_another_epoch_is_taken_whole(site: Any, linked: Any) -> None:
    backup = site.backup()
    site.set_suspended(2, suspended=True)
    linked.sync()
    site.restore(backup, epoch="f" * 16)
    site.set_suspended(3, suspended=True)
    linked.sync()
    assert [is_suspended(linked, number) for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(days=365)])
def test_suspensions_arrive_after_the_servers_clock_was_ahead_for_a_while(
    site: Any, linked: Any, ahead: timedelta
) -> None:
    site.clock.offset = ahead
    linked.sync()
    site.clock.offset = timedelta()
    site.set_suspended(2, suspended=True)
    linked.sync()
    assert is_suspended(linked, 2)


def test_after_a_clock_that_was_ahead_another_epoch_is_believed_again(
    site: Any, linked: Any
) -> None:
    site.clock.offset = timedelta(days=365)
    linked.sync()
    site.clock.offset = timedelta()
    linked.sync()
    site.rename_history("f" * 16)
    site.set_suspended(2, suspended=True)
    linked.sync()
    assert is_suspended(linked, 2)


def test_a_stopped_card_that_was_renewed_opens_nothing_before_the_rows_arrive(
    site: Any, linked: Any
) -> None:
    with writing(site.core.engine) as connection:
        renew(connection, SubjectCn.parse(person(1)), SubjectCn.parse(person(7)))

    def no_rows(request: httpx.Request, send: Send) -> httpx.Response:
        if "S:" not in str(request.url).replace("%3A", ":") and "/hello" not in request.url.path:
            raise httpx.ReadError("cut")
        return send()

    site.line.spoil = no_rows
    with pytest.raises(LineError):
        linked.sync()
    assert is_suspended(linked, 1)
    site.line.spoil = None
    linked.sync()
    assert is_suspended(linked, 1)
    assert is_suspended(linked, 7)


def test_a_state_that_is_only_signed_anew_costs_no_write(site: Any, linked: Any) -> None:
    before = linked.store.suspension_head()
    linked.clock.offset += timedelta(seconds=120)
    site.clock.offset = linked.clock.offset
    linked.sync()
    assert linked.store.suspension_head() == before
    linked.clock.offset += timedelta(seconds=400)
    site.clock.offset = linked.clock.offset
    linked.sync()
    assert linked.store.suspension_head().issued_at > before.issued_at


def test_a_counter_enrolled_before_servers_signed_learns_the_key_once(
    site: Any, linked: Any
) -> None:
    with linked.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identity SET server_key = NULL")
    linked.store.close()
    again = site.counter(CounterStore.open(linked.store.home), linked.clock)
    assert again.store.identity.server_key is None
    again.sync()
    assert again.store.identity.server_key == site.keys().server_key
    assert not again.store.take_over(b"another key that is told later  ", [])
    assert again.store.believed().server_key == site.keys().server_key
    again.store.close()
    third = CounterStore.open(linked.store.home)
    assert third.identity.server_key == site.keys().server_key
    third.close()
