"""The server was put back to a backup, or goes on under another name: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mykey_tui.domain.errors import LineError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.tables import MutationState

Send = Callable[[], httpx.Response]
EPOCHS = pytest.mark.parametrize("epoch", [None, "f" * 16], ids=["no-sign", "new-epoch"])


def links(site: Any) -> list[str]:
    return sorted(row["service_id"] for row in site.links())


@EPOCHS
def test_what_was_acknowledged_after_the_backup_comes_back(
    site: Any, counter: Any, epoch: str | None
) -> None:
    other = site.enrol(counter.store.identity.scope)
    for number in range(1, 4):
        counter.queue(number)
    counter.sync()
    backup = site.backup()
    for number in range(4, 7):
        counter.queue(number)
    counter.queue(1, op="unlink")
    counter.sync()
    other.queue(7)
    other.sync()
    before = links(site)
    site.restore(backup, epoch=epoch)
    assert links(site) != before
    counter.queue(8)
    assert counter.sync().digest == "match"
    assert other.sync().digest == "match"
    assert counter.sync().digest == "match"
    assert links(site) == sorted([*before, "0000000008"])
    for number in (2, 3, 4, 5, 6, 7, 8):
        assert counter.finds(number) == other.finds(number) == f"{number:010}"
    assert counter.finds(1) is other.finds(1) is None
    assert counter.store.unsent() == 0


@EPOCHS
def test_a_push_is_checked_before_it_is_applied(site: Any, counter: Any, epoch: str | None) -> None:
    """The place that was pulled lies before the backup, the acknowledged push after it."""
    counter.queue(1)
    counter.sync()
    backup = site.backup()
    counter.queue(2)

    def link_loss_before_the_pull(request: httpx.Request, send: Send) -> httpx.Response:
        if "/log/" in request.url.path and "S:" not in request.url.path:
            raise httpx.ReadError("the line broke")
        return send()

    site.line.spoil = link_loss_before_the_pull
    with pytest.raises(LineError):
        counter.sync()
    assert counter.store.unsent() == 0
    site.line.spoil = None
    site.restore(backup, epoch=epoch)
    other = site.enrol(counter.store.identity.scope)
    other.queue(3)  # the seq that was told for number 2 is used again
    other.sync()
    counter.queue(4)
    assert counter.sync().digest == "match"
    assert links(site) == [f"{number:010}" for number in (1, 2, 3, 4)]


def test_a_failover_with_the_same_history_is_adopted_silently(site: Any, counter: Any) -> None:
    counter.queue(1)
    counter.sync()
    site.rename_history("e" * 16)
    counter.queue(2)
    site.line.requests.clear()
    report = counter.sync()
    assert (report.pushed, report.applied, report.digest) == (1, 1, "match")
    assert report.epoch == "e" * 16
    assert not any("/snapshot/" in request for request in site.line.requests)


def test_people_are_found_while_the_rows_are_loaded_anew(site: Any, counter: Any) -> None:
    counter.queue(1)
    counter.sync()
    backup = site.backup()
    counter.queue(2)
    counter.sync()
    site.restore(backup, epoch="f" * 16)
    refused_paths = ("/snapshot/",)

    def no_parts(request: httpx.Request, send: Send) -> httpx.Response:
        if any(part in request.url.path for part in refused_paths):
            raise httpx.ReadError("the line broke")
        return send()

    site.line.spoil = no_parts
    with pytest.raises(LineError):
        counter.sync()
    assert (counter.finds(1), counter.finds(2)) == ("0000000001", "0000000002")
    assert counter.store.freshness().loading is not None
    counter.store.close()
    again = site.counter(CounterStore.open(counter.store.home), counter.clock)
    assert (again.finds(1), again.finds(2)) == ("0000000001", "0000000002")
    site.line.spoil = None
    assert again.sync().digest == "match"
    assert again.store.freshness().loading is None
    assert again.finds(2) == "0000000002"


def test_a_conflict_in_a_replay_is_shown_and_stops_nothing(site: Any, counter: Any) -> None:
    """Two counters: while the server had forgotten, somebody else took the service ID."""
    other = site.enrol(counter.store.identity.scope)
    backup = site.backup()
    counter.queue(1, "1234567890")
    counter.queue(2)
    counter.sync()
    site.restore(backup, epoch="f" * 16)
    other.queue(3, "1234567890")
    other.sync()
    report = counter.sync()
    assert (report.conflicts, report.digest) == (1, "match")
    (line,) = counter.store.queue()
    assert line.state is MutationState.CONFLICT
    assert links(site) == ["0000000002", "1234567890"]


def test_a_refusal_is_not_undone_behind_a_persons_back(site: Any, counter: Any) -> None:
    """Refused because of another's link, which the restored server has forgotten as well."""
    other = site.enrol(counter.store.identity.scope)
    backup = site.backup()
    other.queue(1, "7777777777")
    other.sync()
    mid = counter.queue(1, "1111111111")
    counter.queue(2)
    assert counter.sync().conflicts == 1
    counter.store.resolve(mid)
    site.restore(backup)
    assert counter.sync().digest == "match"
    assert links(site) == ["0000000002"]
    assert other.sync().applied == 1
    counter.sync()
    assert counter.finds(1) == other.finds(1) == "7777777777"
    assert counter.store.queue() == []


@EPOCHS
@pytest.mark.parametrize("dismissed", [False, True])
def test_a_lost_refusal_does_not_come_back_with_the_next_person(
    site: Any, counter: Any, epoch: str | None, dismissed: bool
) -> None:
    """Nothing waits when the server comes back: the refused number is its newest here."""
    other = site.enrol(counter.store.identity.scope)
    counter.queue(1)
    counter.sync()
    other.sync()
    backup = site.backup()
    other.queue(2, "YOURS")
    other.sync()
    counter.queue(2, "MINE")
    counter.sync()
    (refused,) = counter.store.queue()
    assert refused.state is MutationState.CONFLICT
    if dismissed:
        counter.store.resolve(refused.mid)
    site.restore(backup, epoch=epoch)
    counter.sync()
    counter.queue(3)
    counter.sync()
    for each in (other, counter, other):
        each.sync()
    assert links(site) == ["0000000001", "0000000003", "YOURS"]
    assert other.finds(2) == counter.finds(2) == "YOURS"


def test_who_was_told_of_a_stop_is_not_registered_unasked_by_a_restored_server(
    site: Any, counter: Any
) -> None:
    counter.queue(9, "X9")
    counter.sync()
    counter.queue(9, "X9", op="unlink")
    counter.sync()
    backup = site.backup()
    site.set_suspended(9, suspended=True)
    counter.queue(9, "NINE")
    counter.sync()
    (refused,) = counter.store.queue()
    counter.store.resolve(refused.mid)
    site.restore(backup, epoch="f" * 16)
    counter.sync()
    counter.queue(3)
    counter.sync()
    assert links(site) == ["0000000003"]


@pytest.mark.parametrize("op", ["unlink", "replace"])
def test_what_was_answered_during_a_reset_is_shown_though_the_rows_are_cut_off(
    site: Any, counter: Any, op: str
) -> None:
    """The server's row has a lower seq in its new history than the one that serves here."""
    other = site.enrol(counter.store.identity.scope)
    other.queue(1, "OLD")
    other.sync()
    backup = site.backup()
    other.queue(1, "OLD", op="unlink")
    for number in (5, 6, 7):
        other.queue(number)
    other.queue(1, "OLD")
    other.sync()
    counter.sync()
    if op == "unlink":
        counter.queue(1, "OLD", op="unlink")
    else:
        counter.queue(1, "NEW")
        counter.sync()
        (refused,) = counter.store.queue()
        counter.store.replace_conflict(refused.mid)
    site.restore(backup, epoch="f" * 16)

    def no_rows(request: httpx.Request, send: Send) -> httpx.Response:
        if "/snapshot" in request.url.path or "/log/" in request.url.path:
            raise httpx.ReadError("cut")
        return send()

    site.line.spoil = no_rows
    with pytest.raises(LineError):
        counter.sync()
    assert counter.store.unsent() == 0
    assert counter.finds(1) == (None if op == "unlink" else "NEW")
    site.line.spoil = None
    counter.sync()
    other.sync()
    counter.sync()
    assert counter.finds(1) == other.finds(1)


def test_an_older_server_with_another_history_gets_the_journal_too(site: Any, counter: Any) -> None:
    site.line.older = True
    counter.queue(1)
    counter.sync()
    backup = site.backup()
    counter.queue(2)
    counter.sync()
    site.restore(backup, epoch="f" * 16)
    counter.queue(3)
    assert counter.sync().digest == "match"
    assert links(site) == [f"{number:010}" for number in (1, 2, 3)]


def test_a_second_restore_in_the_midst_of_the_first_ones_replay(site: Any, counter: Any) -> None:
    empty = site.backup()
    for number in range(1, 4):
        counter.queue(number)
    counter.sync()
    site.restore(empty, epoch="e" * 16)
    pushes = 0

    def again(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal pushes
        answer = send()
        if request.method == "POST":
            pushes += 1
            if pushes == 1:
                site.restore(empty, epoch="d" * 16)
        return answer

    site.line.spoil = again
    counter.sync()
    site.line.spoil = None
    assert counter.sync().digest == "match"
    assert links(site) == [f"{number:010}" for number in (1, 2, 3)]
