"""A counter whose file came back from a copy: it asks what became of its numbers, and goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pytest

from mykey_server.database import writing
from mykey_server.services import admin, prove
from mykey_server.services.proof import UNDECIDABLE
from mykey_server.tables.terminal import TERMINAL_ACTIVE
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.outbox import PARKED_AGAIN_SECONDS
from mykey_tui.store.verdicts import TRIES_MAX

Restore = Callable[[], Any]
Spoil = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]


@pytest.fixture
def restored(site: Any, counter: Any) -> Any:
    """Numbers 1 to 3 are at the server; the file knows of number 1 only."""
    counter.queue(1)
    counter.sync()
    return put_back(site, counter, lambda later: [later.queue(number) for number in (2, 3)])


def put_back(site: Any, counter: Any, act: Callable[[Any], object]) -> Any:
    """Copy the file, do something that reaches the server, and put the copy back."""
    counter.store.close()
    home = counter.store.home
    copy = {path: path.read_bytes() for path in home.path.glob("counter.*")}
    later = site.counter(CounterStore.open(home), counter.clock)
    act(later)
    later.sync()
    later.store.close()
    for path in home.path.glob("counter.db-*"):
        path.unlink()
    for path, content in copy.items():
        # Beside the old one: a disk may give a new file the number of one that has just gone.
        beside = path.with_name("restored")
        beside.write_bytes(content)
        beside.replace(path)
    return site.counter(CounterStore.open(home), counter.clock)


def test_a_suspension_arrives_at_a_counter_whose_file_was_restored(
    site: Any, restored: Any
) -> None:
    site.set_suspended(1, suspended=True)
    restored.sync()
    link = restored.store.lookup(restored.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED
    assert restored.finds(3) == "0000000003"
    site.set_suspended(1, suspended=False)
    restored.sync()
    link = restored.store.lookup(restored.token(1))
    assert link is not None
    assert link.status is LinkStatus.ACTIVE


def test_its_numbers_are_drawn_anew_and_nothing_is_lost_or_doubled(
    site: Any, restored: Any
) -> None:
    old = restored.store.incarnation()
    for number in range(4, 9):  # they take numbers that the server has with other content
        restored.queue(number)
    report = restored.sync()
    assert (report.applied, report.digest) == (5, "match")
    assert restored.store.incarnation() != old
    assert len(site.links()) == 8
    restored.queue(9)
    assert restored.sync().applied == 1
    assert site.enrol(restored.store.identity.scope).sync().rows == 9


def test_what_the_server_has_already_is_settled_and_not_decided_again(
    site: Any, counter: Any
) -> None:
    """The copy has items 2 and 3 waiting; the server decided them after the copy was made."""
    counter.queue(1)
    counter.sync()
    for number in (2, 3):
        counter.queue(number)
    restored = put_back(site, counter, lambda later: later.queue(4))
    restored.queue(5)
    report = restored.sync()
    assert (report.pushed, report.applied, report.digest) == (3, 3, "match")
    assert restored.store.unsent() == 0
    assert len(site.links()) == 5
    assert restored.finds(2) == "0000000002"


@pytest.mark.parametrize("epoch", [None, "f" * 16])
def test_what_the_server_had_when_numbers_were_drawn_anew_comes_back_after_a_backup(
    site: Any, counter: Any, epoch: str | None
) -> None:
    """The reply to the push and the pull after the asking are lost, and then the server's disk."""
    counter.queue(1)
    counter.sync()
    backup = site.backup()
    counter.queue(2)
    site.line.spoil = line_that_goes_after("/v1/push", tells=False)
    with pytest.raises(LineError):
        counter.sync()
    counter.store.require_recovery()
    site.line.spoil = line_that_goes_after("/v1/recover", tells=True)
    with pytest.raises(LineError):
        counter.sync()
    assert not counter.store.progress().recover_due
    site.line.spoil = None
    site.restore(backup, epoch=epoch)
    counter.sync()
    assert len(site.links()) == 2


def line_that_goes_after(path: str, *, tells: bool) -> Spoil:
    """Carries everything up to the first request of a path, and its reply if it `tells`."""
    gone = False

    def spoil(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        nonlocal gone
        if gone:
            raise httpx.ReadError("the line is gone")
        answer = send()
        gone = request.url.path == path
        if gone and not tells:
            raise httpx.ReadError("the reply is lost")
        return answer

    return spoil


def test_an_unlink_that_waits_behind_a_held_link_still_does_after_the_file_moved(
    site: Any, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.sync()
    with monkeypatch.context() as without_anchors:
        without_anchors.setattr(prove, "_believe", lambda *_: UNDECIDABLE)
        counter.queue(1, "ONE")
        for _ in range(TRIES_MAX):
            counter.sync()
    counter.queue(1, "ONE", op="unlink")
    home = counter.store.home
    counter.store.close()
    beside = home.database.with_name("moved")
    beside.write_bytes(home.database.read_bytes())
    beside.replace(home.database)
    moved = site.counter(CounterStore.open(home), counter.clock)
    for _ in range(3):
        moved.sync()
        site.clock.offset += timedelta(seconds=PARKED_AGAIN_SECONDS + 1)
    assert site.links() == []
    assert moved.store.unsent() == 0
    assert moved.finds(1) is None


def test_a_kill_between_asking_and_drawing_changes_nothing(
    site: Any, restored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored.queue(4)
    before = restored.store.next_batch(first=1, items_max=9, bytes_max=1 << 20)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CounterStore, "draw_anew", killed)
        with pytest.raises(KeyboardInterrupt):
            restored.sync()
    assert restored.store.next_batch(first=1, items_max=9, bytes_max=1 << 20) == before
    assert restored.store.progress().recover_due
    assert restored.sync().applied == 1


def test_two_disks_of_one_counter_end_as_two_incarnations(
    site: Any, counter: Any, tmp_path: Path
) -> None:
    counter.queue(1)
    counter.sync()
    copytree(counter.store.home.path, tmp_path / "clone")
    clone = site.counter(CounterStore.open(Home(tmp_path / "clone")), counter.clock)
    counter.queue(2)
    clone.queue(3)
    assert clone.sync().applied == 1
    assert counter.sync().applied == 1
    assert clone.store.incarnation() != counter.store.incarnation()
    assert len(site.links()) == 3


def test_a_copy_that_nobody_noticed_is_shut_out_and_draws_anew_when_it_is_let_in(
    site: Any, counter: Any
) -> None:
    """Put back into the same file, with as many made since as were lost."""
    counter.queue(1)
    counter.sync()
    restored = put_back(site, counter, lambda later: later.queue(2))
    restored.store.draw_anew = None  # must not come to it yet
    with writing(restored.store._engine) as connection:
        connection.exec_driver_sql("UPDATE progress SET recover_due = 0")
    restored.queue(10)
    with pytest.raises(ServerError) as caught:
        restored.sync()
    assert caught.value.code is Code.SERVER_COPIED
    del restored.store.draw_anew
    with pytest.raises(ServerError) as caught:
        restored.sync()
    assert caught.value.code is Code.SERVER_COPIED
    with writing(site.core.engine) as connection:
        device = str(restored.store.identity.device_id)
        admin.set_terminal_status(connection, device, TERMINAL_ACTIVE)
    report = restored.sync()
    assert (report.applied, report.digest) == (1, "match")
    assert len(site.links()) == 3


def test_at_an_older_server_a_copy_sends_nothing_and_still_fetches(
    site: Any, restored: Any
) -> None:
    site.line.older = True
    for number in range(4, 9):
        restored.queue(number)
    site.line.requests.clear()
    with pytest.raises(ServerError) as caught:
        restored.sync()
    assert caught.value.code is Code.SERVER_RESET
    assert "POST /v1/push" not in site.line.requests
    assert restored.finds(3) == "0000000003"
    assert restored.store.unsent() == 5
    site.line.older = False
    assert restored.sync().applied == 5


def test_a_counter_that_was_never_restored_keeps_its_numbers(counter: Any) -> None:
    old = counter.store.incarnation()
    counter.queue(1)
    counter.sync()
    counter.sync()
    assert counter.store.incarnation() == old
