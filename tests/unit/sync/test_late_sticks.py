"""Sticks whose reply comes when counter or server are no longer as they were at the export."""

from __future__ import annotations

from pathlib import Path

import pytest

from mykey_tui.store.counter_store import CounterStore
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
