"""Counters without a line: what they did goes to the server in a file, and the answers come back."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mykey_server.bundle import BundleRefusedError, Carried, carry
from mykey_server.settings import Settings
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.tables import MutationState
from mykey_tui.sync import bundle
from mykey_tui.sync.bundle import Imported, export_bundle, import_bundle
from mykey_tui.sync.retire import RetiredError
from mykey_tui.sync.stick import StickLine
from mykey_tui.wire.bundle import BundleError, BundleReader, ForeignBundleError, open_bundle
from tests.unit.sync.conftest import Counter, Site, person


class Sticks:
    """Files that are carried between a site's server and its counters."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self._number = 0

    def export(self, counter: Counter) -> Path:
        path = self.path("export")
        with path.open("wb") as file:
            export_bundle(counter.store, file)
        return path

    def carry(self, export: Path) -> tuple[Path, Carried]:
        reply = self.path("reply")
        database = self.site.database
        return reply, carry(Settings(database=database), export, reply, clock=self.site.clock)

    def take(self, counter: Counter, reply: Path) -> Imported:
        with open_bundle(reply) as file:
            return import_bundle(counter.store, file)

    def there_and_back(self, counter: Counter) -> Imported:
        reply, _ = self.carry(self.export(counter))
        self.site.clock.offset += timedelta(seconds=2)
        return self.take(counter, reply)

    def path(self, kind: str) -> Path:
        self._number += 1
        return self.folder / f"{self._number}.{kind}"


class Still(SystemClock):
    """A server's clock within one second."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


@pytest.fixture
def sticks(site: Site, tmp_path: Path) -> Sticks:
    site.line.spoil = None
    return Sticks(site, tmp_path)


def state(counter: Counter) -> tuple[object, ...]:
    """All that a refused file must leave as it is."""
    store = counter.store
    return store.progress(), store.counts(), store.queue(), store.suspension_head()


def service_ids(site: Site) -> list[str]:
    return sorted(row["service_id"] for row in site.links())


def test_two_counters_that_never_have_a_line_come_to_the_same_rows_with_their_conflict(
    site: Site, sticks: Sticks
) -> None:
    scope = site.add_provider()
    one, two = site.enrol(scope), site.enrol(scope)
    requests = len(site.line.requests)
    one.queue(1, "ONE")
    one.queue(2, "MINE")
    two.queue(3, "THREE")
    two.queue(2, "YOURS")
    two.queue(4, "FOUR")
    assert sticks.there_and_back(one).applied == 2
    second = sticks.there_and_back(two)
    assert (second.applied, second.conflicts, second.news) == (2, 1, True)
    third = sticks.there_and_back(one)
    assert (third.applied, third.news) == (0, True)
    assert service_ids(site) == ["FOUR", "MINE", "ONE", "THREE"]
    for counter in (one, two):
        assert [counter.finds(n) for n in (1, 2, 3, 4)] == ["ONE", "MINE", "THREE", "FOUR"]
        known = counter.store.progress()
        assert known.position is not None
        assert known.position.seq == known.cursor == 4
    (refused,) = two.store.queue()
    assert (refused.state, refused.code) == (MutationState.CONFLICT, Code.LINK_DUPLICATE)
    assert refused.other_service_id is not None
    assert refused.other_service_id.text == "MINE"
    assert len(site.line.requests) == requests


def test_a_lost_stick_costs_nothing_whichever_way_it_went(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.export(counter)  # lost on the way there
    sticks.carry(sticks.export(counter))  # lost on the way back
    counter.queue(2)
    done = sticks.there_and_back(counter)
    assert done.applied + done.already == 2
    assert service_ids(site) == ["0000000001", "0000000002"]
    assert counter.store.unsent() == 0


def test_the_same_stick_twice_is_nothing_the_second_time(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    export = sticks.export(counter)
    reply, first = sticks.carry(export)
    again, second = sticks.carry(export)
    assert (first.verdicts, second.verdicts) == (1, 1)
    assert service_ids(site) == ["0000000001"]
    assert sticks.take(counter, reply).applied == 1
    before = state(counter)
    repeated = sticks.take(counter, reply)
    assert (repeated.applied, repeated.news) == (0, False)
    assert state(counter) == before
    assert sticks.take(counter, again).applied == 0


def test_a_reply_of_the_second_in_which_the_counter_was_last_in_step_brings_its_rows(
    site: Site, sticks: Sticks
) -> None:
    scope = site.add_provider()
    counter, other = site.enrol(scope), site.enrol(scope)
    other.queue(7, "GONE")
    sticks.there_and_back(other)
    assert sticks.there_and_back(counter).news

    def reply_of_that_second() -> Path:
        synced_at = counter.store.progress().synced_at
        assert synced_at is not None
        reply = sticks.path("reply")
        moment = Still(datetime.fromtimestamp(synced_at, UTC) + timedelta(milliseconds=900))
        carry(Settings(database=site.database), sticks.export(counter), reply, clock=moment)
        return reply

    counter.queue(1, "ONE")
    reply = reply_of_that_second()
    done = sticks.take(counter, reply)
    assert (done.applied, done.news) == (1, True)
    assert counter.store.progress().cursor == 2
    assert not sticks.take(counter, reply).news, "the same stick must not make rows young again"
    site.set_suspended(7, suspended=True)
    assert sticks.take(counter, reply_of_that_second()).news
    link = counter.store.lookup(counter.token(7))
    assert link is not None
    assert link.status.name == "SUSPENDED"


@pytest.mark.parametrize("there_swapped", [False, True])
@pytest.mark.parametrize("back_swapped", [False, True])
def test_sticks_in_another_order_end_the_same(
    site: Site, sticks: Sticks, there_swapped: bool, back_swapped: bool
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    first = sticks.export(counter)
    counter.queue(2)
    counter.queue(3, op="unlink")
    second = sticks.export(counter)
    replies = []
    for export in (second, first) if there_swapped else (first, second):
        replies.append(sticks.carry(export)[0])
        site.clock.offset += timedelta(seconds=2)
    for reply in reversed(replies) if back_swapped else replies:
        sticks.take(counter, reply)
    assert counter.store.unsent() == 0
    assert service_ids(site) == ["0000000001", "0000000002"]
    known = counter.store.progress()
    assert known.mark is not None
    assert known.mark.seq == 2
    sticks.there_and_back(counter)
    assert [counter.finds(n) for n in (1, 2)] == ["0000000001", "0000000002"]
    assert counter.store.progress().position == counter.store.progress().mark


def test_what_was_queued_while_the_stick_was_away_goes_with_the_next(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    reply, _ = sticks.carry(sticks.export(counter))
    counter.queue(2)
    done = sticks.take(counter, reply)
    assert (done.applied, done.news, counter.store.unsent()) == (1, True, 1)
    (waiting,) = counter.store.queue()
    assert waiting.state is MutationState.WAITING
    assert sticks.there_and_back(counter).applied == 1
    assert service_ids(site) == ["0000000001", "0000000002"]


def test_a_suspension_comes_with_the_stick(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.there_and_back(counter)
    site.set_suspended(1, suspended=True)
    sticks.there_and_back(counter)
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status.name == "SUSPENDED"


def test_rows_that_were_carried_are_as_old_as_the_reply(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    site.clock.offset -= timedelta(hours=30)
    reply, _ = sticks.carry(sticks.export(counter))
    sticks.take(counter, reply)
    age = counter.store.pull_age_seconds()
    assert age is not None
    assert timedelta(hours=29) < timedelta(seconds=age) < timedelta(hours=31)
    floor = counter.store.progress().time_floor
    assert floor is not None
    assert floor > (counter.clock.now() - timedelta(minutes=10)).timestamp()
    assert counter.clock.offset < timedelta(minutes=1)


def test_an_older_reply_makes_nothing_fresh(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    old, _ = sticks.carry(sticks.export(counter))
    sticks.there_and_back(counter)
    before = counter.store.progress().synced_at
    assert not sticks.take(counter, old).news
    assert counter.store.progress().synced_at == before


def test_many_mutations_and_rows_go_in_parts(site: Site, sticks: Sticks) -> None:
    scope = site.add_provider()
    counter, fresh = site.enrol(scope), site.enrol(scope)
    for number in range(250):
        counter.queue(number)
    done = sticks.there_and_back(counter)
    assert done.applied == 250
    assert sticks.there_and_back(fresh).news
    assert [fresh.finds(n) for n in (0, 249)] == ["0000000000", "0000000249"]
    assert fresh.store.progress().rows == 250


def test_a_server_that_was_restored_gets_everything_back_by_stick(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.there_and_back(counter)
    backup = site.backup()
    counter.queue(2)
    sticks.there_and_back(counter)
    site.restore(backup)
    assert service_ids(site) == ["0000000001"]
    counter.queue(3)
    for _ in range(3):
        sticks.there_and_back(counter)
    assert service_ids(site) == ["0000000001", "0000000002", "0000000003"]
    assert [counter.finds(n) for n in (1, 2, 3)] == ["0000000001", "0000000002", "0000000003"]
    assert counter.store.unsent() == 0


def test_a_counter_that_was_put_back_to_a_copy_draws_new_numbers_by_stick(
    site: Site, sticks: Sticks
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    sticks.there_and_back(counter)
    home = counter.store.home
    counter.store.close()
    copy = {path: path.read_bytes() for path in home.path.glob("counter.*")}
    later = site.counter(CounterStore.open(home), counter.clock)
    later.queue(2)
    sticks.there_and_back(later)
    later.store.close()
    for path, content in copy.items():
        path.unlink()
        path.write_bytes(content)
    restored = site.counter(CounterStore.open(home), counter.clock)
    old = restored.store.incarnation()
    sticks.there_and_back(restored)  # the greeting says that the server has more of its numbers
    restored.queue(3)  # would take the number that the server has with another content
    for _ in range(2):
        sticks.there_and_back(restored)
    assert restored.store.incarnation() != old
    assert restored.store.unsent() == 0
    assert service_ids(site) == ["0000000001", "0000000002", "0000000003"]
    assert [restored.finds(n) for n in (1, 2, 3)] == ["0000000001", "0000000002", "0000000003"]


@pytest.mark.parametrize("after", range(9))
def test_an_import_that_dies_anywhere_is_finished_by_the_next(
    site: Site, sticks: Sticks, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    scope = site.add_provider()
    other, counter = site.enrol(scope), site.enrol(scope)
    other.queue(1)
    sticks.there_and_back(other)
    counter.queue(2)
    reply, _ = sticks.carry(sticks.export(counter))
    whole, asked = StickLine.handle_request, []

    def dying(line: StickLine, request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if len(asked) > after:
            raise KeyboardInterrupt
        return whole(line, request)

    with monkeypatch.context() as dying_process:
        dying_process.setattr(StickLine, "handle_request", dying)
        try:
            sticks.take(counter, reply)
        except KeyboardInterrupt:
            assert counter.store.progress().synced_at is None
    counter.store.close()
    again = site.counter(CounterStore.open(counter.store.home), counter.clock)
    sticks.take(again, reply)
    assert again.store.unsent() == 0
    assert [again.finds(n) for n in (1, 2)] == ["0000000001", "0000000002"]
    known = again.store.progress()
    assert known.position is not None
    assert known.position.seq == 2


def test_another_counters_reply_is_refused(site: Site, sticks: Sticks) -> None:
    scope = site.add_provider()
    one, two = site.enrol(scope), site.enrol(scope)
    one.queue(1)
    two.queue(2)
    reply, _ = sticks.carry(sticks.export(one))
    before = state(two)
    with pytest.raises(ForeignBundleError):
        sticks.take(two, reply)
    with pytest.raises(ForeignBundleError):
        sticks.take(two, sticks.export(two))  # its own export instead of the reply
    assert state(two) == before
    with pytest.raises(BundleRefusedError) as refused:
        sticks.carry(reply)
    assert refused.value.reason == "bundle-foreign"


def test_a_counter_of_another_server_is_refused(site: Site, sticks: Sticks, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = Site(tmp_path / "elsewhere")
    try:
        stranger = other.enrol(other.add_provider())
        stranger.queue(1)
        with pytest.raises(BundleRefusedError) as refused:
            sticks.carry(sticks.export(stranger))
        assert refused.value.reason == "terminal-unknown"
    finally:
        other.close()


def test_another_server_that_knows_the_counter_cannot_answer_it(
    site: Site, sticks: Sticks, tmp_path: Path
) -> None:
    counter = site.enrol(site.add_provider())
    reply, _ = sticks.carry(sticks.export(counter))
    store = counter.store
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identity SET server_key = ?", (bytes(32),))
    again = site.counter(CounterStore.open(store.home), counter.clock)
    with pytest.raises((BundleError, ForeignBundleError)):
        sticks.take(again, reply)


def test_an_enrolment_without_the_servers_key_takes_no_reply(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    reply, _ = sticks.carry(sticks.export(counter))
    with counter.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identity SET server_key = NULL")
    again = site.counter(CounterStore.open(counter.store.home), counter.clock)
    for act in (lambda: sticks.take(again, reply), lambda: sticks.export(again)):
        with pytest.raises(ServerError) as refused:
            act()
        assert refused.value.code is Code.SERVER_DENIED


def test_a_retired_counter_learns_it_from_the_stick(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    site.retire(counter)
    reply, carried = sticks.carry(sticks.export(counter))
    assert carried.verdicts == 0
    with pytest.raises(RetiredError):
        sticks.take(counter, reply)
    assert not counter.store.home.database.exists()
    assert service_ids(site) == []


def test_nothing_of_a_person_stands_on_the_stick(site: Site, sticks: Sticks) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1, "CANARY-1")
    export = sticks.export(counter)
    reply, _ = sticks.carry(export)
    identity = counter.store.identity
    for path in (export, reply):
        content = path.read_bytes()
        for secret in (
            b"CANARY-1",
            person(1).encode(),
            counter.token(1),
            identity.scope.encode(),
            identity.provider_key,
            identity.device_key,
        ):
            assert secret not in content


def damaged(content: bytes, chance: random.Random) -> list[bytes]:
    """Cut, lengthened, and with one bit changed in every region of the file."""
    flips = []
    for region in range(40):
        at = (region * len(content)) // 40 + chance.randrange(max(1, len(content) // 40))
        at = min(at, len(content) - 1)
        flips.append(
            content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
        )
    cuts = [content[: len(content) * part // 8] for part in range(8)]
    return [*flips, *cuts, content[:-1], content + b"\x00", content + content, b"", b"x" * 300]


def test_a_damaged_file_is_refused_on_both_sides_and_changes_nothing(
    site: Site, sticks: Sticks, tmp_path: Path
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    export = sticks.export(counter)
    chance = random.Random(20261122)  # noqa: S311  # repeatable, not secret
    bad = tmp_path / "bad"
    for content in damaged(export.read_bytes(), chance)[::2]:
        bad.write_bytes(content)
        with pytest.raises(BundleRefusedError):
            sticks.carry(bad)
    assert service_ids(site) == []
    reply, _ = sticks.carry(export)
    before = state(counter)
    for content in damaged(reply.read_bytes(), chance):
        bad.write_bytes(content)
        with pytest.raises((BundleError, ForeignBundleError)), open_bundle(bad) as file:
            import_bundle(counter.store, file)
        assert state(counter) == before
    assert sticks.take(counter, reply).applied == 1


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_bit_of_a_reply_can_be_changed(site: Site, tmp_path: Path, data: st.DataObject) -> None:
    reply = tmp_path / "reply"
    if not reply.exists():
        counter = site.enrol(site.add_provider())
        counter.queue(1)
        sticks = Sticks(site, tmp_path)
        made, _ = sticks.carry(sticks.export(counter))
        shutil.copy(made, reply)
    counter = site._counters[0]
    content = bytearray(reply.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    with pytest.raises((BundleError, ForeignBundleError)), open_bundle(bad) as file:
        import_bundle(counter.store, file)


def test_the_damage_finds_a_reader_that_checks_no_signature(
    site: Site, sticks: Sticks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = site.enrol(site.add_provider())
    counter.queue(1)
    reply, _ = sticks.carry(sticks.export(counter))
    content = reply.read_bytes()
    bad = tmp_path / "bad"
    bad.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    monkeypatch.setattr(BundleReader, "_check_signature", lambda self, end, signed_by: None)
    assert sticks.take(counter, bad).applied == 1


def test_the_age_finds_a_round_that_takes_the_reply_for_new(
    site: Site, sticks: Sticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = site.enrol(site.add_provider())
    site.clock.offset -= timedelta(hours=30)
    reply, _ = sticks.carry(sticks.export(counter))
    monkeypatch.setattr(bundle, "_AsOf", lambda moment: SystemClock())
    sticks.take(counter, reply)
    age = counter.store.pull_age_seconds()
    assert age is not None
    assert age < 60
