"""Faults that the simulator found (`tests/proofs`), each as small as it can be told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from mykey_server.database import write
from mykey_server.services.compaction import compact
from mykey_server.services.feeds import LINKS
from mykey_server.services.renewal import renew
from mykey_tui.domain.errors import LineError
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.link import LinkStatus
from tests.unit.sync.conftest import Counter, Site, person


def no_line(request: httpx.Request, _send: Any) -> httpx.Response:
    raise httpx.ConnectError("no line", request=request)


def test_a_clock_that_was_years_ahead_does_not_stop_the_suspensions_for_years(
    site: Site, counter: Counter
) -> None:
    """Without a line its time was noted; once the server has told the right one, that one counts."""
    counter.queue(1)
    counter.sync()
    counter.clock.offset = timedelta(days=20 * 365)
    site.line.spoil = no_line
    with pytest.raises(LineError):
        counter.sync()
    site.line.spoil = None
    site.set_suspended(1, suspended=True)
    assert counter.sync().digest == "match"
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.SUSPENDED


def test_the_row_of_a_renewed_id_is_kept_and_the_digests_stay_equal(
    site: Site, counter: Counter
) -> None:
    """It has no service ID any more: that is no damage, and no reason to take it for removed."""
    counter.queue(1)
    counter.sync()
    old, new = SubjectCn.parse(person(1)), SubjectCn.parse(person(2))
    write(site.core.engine, lambda connection: renew(connection, old, new))
    report = counter.sync()
    assert (report.digest, report.refused_rows) == ("match", 0)
    link = counter.store.lookup(counter.token(1))
    assert link is not None
    assert link.status is LinkStatus.RENEWED
    assert counter.finds(2) == f"{1:010}"


def test_a_first_load_takes_the_row_of_a_renewed_id(site: Site) -> None:
    scope = site.add_provider()
    first = site.enrol(scope)
    first.queue(1)
    first.sync()
    old, new = SubjectCn.parse(person(1)), SubjectCn.parse(person(2))
    write(site.core.engine, lambda connection: renew(connection, old, new))
    report = site.enrol(scope).sync()
    assert (report.digest, report.refused_rows) == ("match", 0)


def test_a_counter_that_stood_before_everything_gets_past_a_compaction(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands at 0, which every history has; the second page then lies below the horizon."""
    monkeypatch.setattr("mykey_tui.sync.plan.PAGE_ROWS_MAX", 3)
    monkeypatch.setattr("mykey_tui.sync.pull.STORE_ROWS", 1)
    scope = site.add_provider()
    late, busy = site.enrol(scope), site.enrol(scope)
    assert late.sync().digest == "match"
    for number in range(5):
        busy.queue(number)
    busy.sync()
    compact(site.core.engine, LINKS, scope, below=5)
    assert late.sync().digest == "match"
    assert late.finds(4) == f"{4:010}"


def test_numbers_that_another_history_never_had_do_not_stop_the_queue_for_ever(site: Site) -> None:
    """Another counter made the same row there, so that no place tells; a backup then holds it."""
    scope = site.add_provider()
    first, second = site.enrol(scope), site.enrol(scope)
    empty = site.backup()
    first.queue(1, "SAME")
    assert first.sync().digest == "match"
    site.restore(empty)
    second.queue(1, "SAME")
    assert second.sync().digest == "match"
    assert first.sync().digest == "match"
    first.store.note_durable(1)
    first.queue(2)
    first.queue(3)
    report = first.sync()
    assert (report.applied, report.digest, first.store.unsent()) == (2, "match", 0)
    assert len(site.links()) == 3
    first.queue(4)
    assert first.sync().applied == 1
