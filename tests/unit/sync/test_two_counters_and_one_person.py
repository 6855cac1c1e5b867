"""Two counters of one provider linked the same person offline, to different service IDs."""

from __future__ import annotations

from typing import Any

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.store.verdicts import NotReplaceableError

MINE, THEIRS = "1111111111", "2222222222"


@pytest.fixture
def refused(site: Any, counter: Any) -> Any:
    """The other counter was first; ours has two more in the queue behind it."""
    other = site.enrol(counter.store.identity.scope)
    counter.sync()
    other.queue(1, THEIRS)
    counter.queue(1, MINE)
    counter.queue(2)
    counter.queue(3)
    other.sync()
    report = counter.sync()
    assert (report.applied, report.conflicts, report.digest) == (2, 1, "match")
    return counter


def links(site: Any) -> dict[str, str]:
    return {row["mykey_id"]: row["service_id"] for row in site.links()}


def test_the_first_is_accepted_and_the_second_is_in_the_inbox_with_both_values(
    site: Any, refused: Any
) -> None:
    (line,) = refused.store.queue()
    assert line.code is Code.LINK_DUPLICATE
    assert (line.service_id.text, line.other_service_id.text) == (MINE, THEIRS)
    assert refused.finds(1) == THEIRS
    assert len(links(site)) == 3


def test_keep_changes_nothing(site: Any, refused: Any) -> None:
    assert refused.store.resolve(refused.store.queue()[0].mid)
    report = refused.sync()
    assert (report.pushed, report.digest) == (0, "match")
    assert links(site)["TESTPERSON0001"] == THEIRS


def test_replace_puts_ours_in_its_place_and_is_sent_once(site: Any, refused: Any) -> None:
    refused.store.replace_conflict(refused.store.queue()[0].mid)
    assert refused.finds(1) == MINE
    report = refused.sync()
    assert (report.pushed, report.applied, report.digest) == (1, 1, "match")
    assert links(site)["TESTPERSON0001"] == MINE
    assert refused.finds(1) == MINE
    assert refused.store.queue() == []


def test_what_nobody_saw_is_not_replaced(site: Any, refused: Any) -> None:
    """The row moved at the server after the person had looked, and before the push."""
    other = site.enrol(refused.store.identity.scope)
    other.sync()
    other.queue(1, op="unlink", service_id=THEIRS)
    other.queue(1, "3333333333")
    other.sync()
    refused.store.replace_conflict(refused.store.queue()[0].mid)
    report = refused.sync()
    assert (report.applied, report.conflicts, report.digest) == (0, 1, "match")
    assert links(site)["TESTPERSON0001"] == "3333333333"
    (line,) = refused.store.queue()
    assert (line.op, line.other_service_id.text) == ("replace", "3333333333")
    refused.store.replace_conflict(line.mid)
    assert refused.sync().applied == 1
    assert links(site)["TESTPERSON0001"] == MINE


def test_a_row_that_has_moved_here_is_not_offered_any_more(site: Any, refused: Any) -> None:
    other = site.enrol(refused.store.identity.scope)
    other.sync()
    other.queue(1, op="unlink", service_id=THEIRS)
    other.sync()
    refused.sync()
    with pytest.raises(NotReplaceableError):
        refused.store.replace_conflict(refused.store.queue()[0].mid)


def test_the_providers_staleness_reaches_the_counter(counter: Any) -> None:
    hello = counter.client.hello()
    counter.sync()
    assert counter.store.freshness().staleness == hello.staleness
