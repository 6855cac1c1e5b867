"""Sticks whose reply comes when counter or server are no longer as they were at the export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mykey_server.database import writing
from mykey_server.services import backups, prove
from mykey_server.services.proof import UNDECIDABLE
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.tables import MutationState
from mykey_tui.store.verdicts import TRIES_MAX
from mykey_tui.sync import bundle, stick_news
from mykey_tui.sync.stick_numbers import RecordedNumbers
from mykey_tui.wire.messages import KnownItem, RecoveredItem, RecoverReply, RecoverRequest
from tests.unit.sync.conftest import Counter, Site
from tests.unit.sync.test_by_stick import Sticks, service_ids


@pytest.fixture
def sticks(site: Site, tmp_path: Path) -> Sticks:
    return Sticks(site, tmp_path)


class Image:
    """A copy of a counter's files, as a backup of the whole box holds it."""

    def __init__(self, counter: Counter) -> None:
        self._home = counter.store.home
        self._clock = counter.clock
        counter.store.close()
        self._files = {path: path.read_bytes() for path in self._home.path.glob("counter.*")}

    def opened(self, site: Site) -> Counter:
        return site.counter(CounterStore.open(self._home), self._clock)

    def put_back(self, site: Site, *, same_file: bool) -> Counter:
        """`same_file`: with the number that the disk had given it, so that nothing tells a copy."""
        for path in self._home.path.glob("counter.db-*"):
            path.unlink()
        for path, content in self._files.items():
            beside = path if same_file else path.with_name("restored")
            beside.write_bytes(content)
            beside.replace(path)
        return self.opened(site)


@pytest.mark.parametrize("same_file", [False, True])
@pytest.mark.parametrize("by_line", [False, True])
def test_a_reply_from_before_the_file_was_put_back_settles_nobody_elses_link(
    site: Site, sticks: Sticks, same_file: bool, by_line: bool
) -> None:
    counter = site.enrol(site.add_provider())
    counter.sync()
    image = Image(counter)
    counter = image.opened(site)
    counter.queue(1, "MORNING")
    reply, _ = sticks.carry(sticks.export(counter))
    counter.store.close()
    counter = image.put_back(site, same_file=same_file)
    counter.queue(2, "NOON")  # takes the number that was MORNING's
    assert sticks.take(counter, reply).applied == 0
    assert (counter.store.unsent(), counter.store.progress().recover_due) == (1, True)
    for _ in range(3):
        if by_line:
            counter.sync()
        else:
            sticks.there_and_back(counter)
    assert service_ids(site) == ["MORNING", "NOON"]
    assert [counter.finds(n) for n in (1, 2)] == ["MORNING", "NOON"]
    assert counter.store.unsent() == 0


def test_a_reply_for_numbers_that_the_file_never_gave_has_them_drawn_anew(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.sync()
    image = Image(counter)
    counter = image.opened(site)
    counter.queue(1)
    reply, _ = sticks.carry(sticks.export(counter))
    counter.store.close()
    counter = image.put_back(site, same_file=True)
    old = counter.store.incarnation()
    sticks.take(counter, reply)
    assert counter.store.incarnation() != old
    counter.queue(2)
    sticks.there_and_back(counter)
    assert service_ids(site) == ["0000000001", "0000000002"]
    assert counter.store.unsent() == 0


def confirm_backup(site: Site) -> None:
    """The operator made a backup, looked at it, and said so."""
    with writing(site.core.engine) as connection:
        backups.begin(connection, "night")
        backups.confirm(connection, "night")


@pytest.mark.parametrize("epoch", [None, "f" * 16])
def test_a_stick_that_comes_late_after_a_restore_loses_no_acknowledged_link(
    site: Site, sticks: Sticks, epoch: str | None
) -> None:
    scope = site.add_provider()
    counter, other = site.enrol(scope), site.enrol(scope)
    counter.queue(1)
    sticks.there_and_back(counter)
    early = sticks.export(counter)
    backup = site.backup()
    counter.queue(2)
    sticks.there_and_back(counter)
    assert counter.store.unsent() == 0
    site.restore(backup, epoch=epoch)
    for number in (3, 4, 5):
        other.queue(number)
    sticks.there_and_back(other)
    confirm_backup(site)  # of a history that never had number 2
    site.clock.offset += timedelta(seconds=2)
    late, _ = sticks.carry(early)
    sticks.take(counter, late)
    for _ in range(3):
        sticks.there_and_back(counter)
    assert service_ids(site) == [f"000000000{n}" for n in (1, 2, 3, 4, 5)]
    assert (counter.finds(2), counter.store.unsent()) == ("0000000002", 0)


def test_a_stick_that_is_older_than_the_last_upload_begins_nothing_anew(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    counter.sync()
    site.clock.offset += timedelta(seconds=5)
    reply, _ = sticks.carry(sticks.export(counter))
    counter.queue(2)
    site.line.spoil = without_rows
    with pytest.raises(LineError):
        counter.sync()
    assert counter.store.unsent() == 0
    assert not sticks.take(counter, reply).news
    assert (counter.store.unsent(), counter.store.load()) == (0, None)


def without_rows(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
    """A line that breaks when the rows come."""
    if "/log/" in request.url.path and "S:" not in request.url.path:
        raise httpx.ReadError("cut")
    return send()


def test_a_counter_without_a_line_forgets_what_a_backup_of_the_server_holds(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.there_and_back(counter)
    assert len(counter.store.journal_incarnations()) == 1
    confirm_backup(site)
    counter.queue(2)
    sticks.there_and_back(counter)
    assert counter.store.progress().durable_through == 1
    assert counter.store.mid_of(1) is None
    assert counter.store.mid_of(2) is not None


def test_no_round_on_the_line_gets_in_between_while_a_reply_is_taken_in(
    site: Site, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    counter.sync()
    site.clock.offset += timedelta(seconds=3)
    reply, _ = sticks.carry(sticks.export(counter))
    counter.queue(2)
    judge, met = stick_news.is_newer, []

    def judge_and_sync(*arguments: Any) -> bool:
        newer = judge(*arguments)
        with pytest.raises(StoreError) as busy:
            counter.sync()  # the screen's own round
        met.append(busy.value.code)
        return newer

    monkeypatch.setattr(bundle, "is_newer", judge_and_sync)
    sticks.take(counter, reply)
    assert met == [Code.STORE_BUSY]
    assert (counter.store.unsent(), counter.store.load()) == (1, None)


@pytest.mark.parametrize("ahead", [timedelta(minutes=4), timedelta(days=365)])
def test_one_reply_dated_ahead_makes_no_later_stick_an_old_one(
    site: Site, sticks: Sticks, ahead: timedelta
) -> None:
    scope = site.add_provider()
    counter, other = site.enrol(scope), site.enrol(scope)
    counter.queue(1)
    site.clock.offset = ahead
    assert sticks.there_and_back(counter).news
    site.clock.offset = timedelta(0)
    other.queue(2)
    sticks.there_and_back(other)
    assert sticks.there_and_back(counter).news
    assert counter.finds(2) == "0000000002"
    assert not counter.store.freshness().clock_doubt


def test_a_reply_dated_in_the_future_makes_rows_as_old_as_now_and_the_clock_doubtful(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    site.clock.offset = timedelta(days=2)
    reply, _ = sticks.carry(sticks.export(counter))
    assert sticks.take(counter, reply).news
    synced_at = counter.store.progress().synced_at
    assert synced_at is not None
    assert synced_at <= counter.clock.now().timestamp()
    assert counter.store.freshness().clock_doubt
    before = counter.store.progress()
    assert not sticks.take(counter, reply).news, "a second time it makes nothing young again"
    assert counter.store.progress() == before


def test_a_quiet_day_makes_the_rows_younger_and_an_earlier_stick_does_not(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    site.clock.offset = -timedelta(hours=30)
    sticks.there_and_back(counter)
    site.clock.offset = -timedelta(hours=20)
    earlier, _ = sticks.carry(sticks.export(counter))
    site.clock.offset = -timedelta(hours=10)
    assert sticks.there_and_back(counter).news, "nothing changed, and that is known as of then"
    assert not sticks.take(counter, earlier).news
    age = counter.store.pull_age_seconds()
    assert age is not None
    assert 9 < age / 3600 < 11


def test_a_box_whose_clock_is_plainly_wrong_believes_the_replys_time(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    reply, _ = sticks.carry(sticks.export(counter))
    counter.clock.offset = -timedelta(days=365 * 30)
    sticks.take(counter, reply)
    counter.clock.offset = timedelta(0)  # somebody has set it
    age = counter.store.pull_age_seconds()
    assert age is not None
    assert age < 60


def test_a_moved_file_gets_its_numbers_by_stick_although_people_go_on_coming(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.there_and_back(counter)
    counter.queue(2)
    counter = Image(counter).put_back(site, same_file=False)
    assert counter.store.progress().recover_due
    for number in (3, 4):
        export = sticks.export(counter)
        counter.queue(number)  # while the stick is away
        reply, _ = sticks.carry(export)
        site.clock.offset += timedelta(seconds=2)
        sticks.take(counter, reply)
        assert not counter.store.progress().recover_due
    sticks.there_and_back(counter)
    assert service_ids(site) == [f"000000000{n}" for n in (1, 2, 3, 4)]
    assert counter.store.unsent() == 0


def recover_request(*items: KnownItem, incarnation: bytes = bytes(16)) -> RecoverRequest:
    device = "00000000-0000-4000-8000-000000000000"
    return RecoverRequest(device, incarnation, "A-alpha1-0001", list(items))


@pytest.mark.parametrize(
    "asked",
    [
        recover_request(KnownItem(5, b"o" * 32)),
        recover_request(KnownItem(4, b"d" * 32), KnownItem(5, b"e" * 32)),
        recover_request(KnownItem(6, b"f" * 32)),
        recover_request(KnownItem(5, b"o" * 32), KnownItem(6, b"f" * 32)),
        recover_request(KnownItem(5, b"e" * 32), incarnation=b"i" * 16),
    ],
    ids=["other-content", "not-asked", "without-the-newest", "another-newest", "another-file"],
)
def test_numbers_that_a_stick_cannot_know_of_wait_for_the_next_one(asked: RecoverRequest) -> None:
    numbers = RecordedNumbers()
    reply = RecoverReply("e", 1, bytes(16), [RecoveredItem(5, "same")])
    numbers.note(recover_request(KnownItem(5, b"e" * 32)), reply)
    with pytest.raises(ValueError, match="asked"):
        numbers.answer(asked)


def test_numbers_given_behind_the_recorded_ones_are_unknown_to_the_server() -> None:
    numbers = RecordedNumbers()
    reply = RecoverReply("e", 1, bytes(16), [RecoveredItem(5, "same")])
    numbers.note(recover_request(KnownItem(5, b"e" * 32)), reply)
    told = numbers.answer(recover_request(KnownItem(5, b"e" * 32), KnownItem(6, b"f" * 32)))
    assert [(item.mid, item.state) for item in told.items] == [(5, "same"), (6, "unknown")]


def test_the_same_stick_three_times_parks_nothing_of_what_is_held(
    site: Site, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    with monkeypatch.context() as server:
        server.setattr(prove, "_believe", lambda *_: UNDECIDABLE)
        reply, _ = sticks.carry(sticks.export(counter))
    for _ in range(TRIES_MAX):
        sticks.take(counter, reply)
    (waiting,) = counter.store.queue()
    assert waiting.state is MutationState.WAITING
    assert counter.store.unsent() == 1
