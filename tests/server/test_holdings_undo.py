"""What a bug leaves half done in the rows of a batch is undone, and nothing else is."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest

from mykey_server.services.holdings import Held, Holdings, Person
from mykey_server.tables.management import KIND_DEFAULT, ORIGIN_COUNTER, PERSON_ACTIVE
from mykey_tui.domain.ids import LookupToken, ServiceId, SubjectCn
from mykey_tui.domain.link import LinkRow, LinkStatus

HISTORIES = 100
PEOPLE, SERVICE_IDS = 6, 4


class _BugError(Exception):
    pass


def state(holdings: Holdings) -> tuple[Any, ...]:
    """All that a later decision and the writing look at; changed rows in their order."""
    return deepcopy(
        (
            holdings.rows,
            holdings.owners,
            holdings.people,
            list(holdings.before.items()),
        )
    )


def change(holdings: Holdings, source: random.Random) -> None:
    """Link, unlink or register somebody, as a decision would."""
    number = source.randrange(PEOPLE)
    cn = SubjectCn.parse(f"M{number:013d}07202002B")
    if source.random() < 0.2:
        holdings.register(Person(cn, KIND_DEFAULT, ORIGIN_COUNTER, PERSON_ACTIVE, b"tag"))
        return
    removed = source.random() < 0.4
    service_id = ServiceId("" if removed else f"A{source.randrange(SERVICE_IDS)}")
    status = LinkStatus.REMOVED if removed else LinkStatus.ACTIVE
    row = LinkRow(LookupToken(bytes([number]) * 16), None, service_id, status, 0)
    holdings.put(Held(row, None if removed else cn))


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_all_that_a_decision_changed_before_its_bug_is_undone(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, holdings = random.Random(seed), Holdings()  # noqa: S311  # a seed
    for _ in range(source.randrange(12)):
        change(holdings, source)
    holdings.savepoint()
    stood = state(holdings)

    _break_after(source.randrange(1, 12), monkeypatch)
    with pytest.raises(_BugError):
        while True:
            change(holdings, source)
    holdings.roll_back()

    assert state(holdings) == stood


def _break_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bug show in the middle of a change: after `steps` notes."""
    sound, left = Holdings._note, iter(range(steps))

    def breaking(self: Holdings, table: dict[Any, Any], key: object) -> None:
        sound(self, table, key)
        if next(left, None) is None:
            raise _BugError

    monkeypatch.setattr(Holdings, "_note", breaking)


def test_what_stood_before_the_savepoint_stays() -> None:
    source, holdings = random.Random(1), Holdings()  # noqa: S311  # a seed
    change(holdings, source)
    holdings.savepoint()
    stood = state(holdings)
    holdings.roll_back()
    assert holdings.rows
    assert state(holdings) == stood


def test_a_table_that_is_changed_behind_its_back_would_be_seen_here() -> None:
    """The teeth: a change that notes nothing is not undone, and the comparison says so."""
    holdings = Holdings()
    holdings.savepoint()
    stood = state(holdings)
    holdings.rows[LookupToken(bytes(16))] = Held(
        LinkRow(LookupToken(bytes(16)), None, ServiceId("A1"), LinkStatus.ACTIVE, 0), None
    )
    holdings.roll_back()
    assert state(holdings) != stood
