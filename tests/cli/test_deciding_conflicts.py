"""`mykey outbox resolve`: keep or replace, both numbers named, nothing done without a yes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.simulated.cards import make_card

PEOPLE = itertools.count(41)


@dataclass
class Conflict:
    """A person linked to FIRST… by another counter, and to SECOND… by this one, which was refused."""

    said: Any
    home: Path
    where: tuple[object, ...]
    number: int
    first: str
    second: str

    def outbox(self, *arguments: object) -> Any:
        return self.said("outbox", *arguments, "--home", self.home, "--json")

    def resolve(self, *arguments: object) -> Any:
        return self.outbox("resolve", self.number, *arguments)

    def found(self) -> str:
        """The service ID that this counter hands over, after a sync."""
        self.said("sync", "--home", self.home)
        answer = self.said("lookup", "--no-handover", *self.where)
        return str(answer.json["service_id"])


@pytest.fixture
def conflict(said: Any, enrolled: Any, lay: Any, site: Any, tmp_path: Path) -> Conflict:
    number = next(PEOPLE)
    first, second = f"FIRST{number:04}", f"SECOND{number:04}"
    reader = lay(make_card(f"PEOPLE{number:08}99999{number:03}A", at=datetime.now(UTC)))
    homes = (enrolled(), tmp_path / "second")
    code = site.code("A-α1-0001")
    said("enrol", "--server", site.url, "--code", code, "--home", homes[1], "--json")
    for home in homes:
        said("sync", "--home", home)
    site.stop()
    for home, service_id in zip(homes, (first, second), strict=True):
        linked = said(
            "link", "--service-id", service_id, "--home", home, "--reader", reader, "--json"
        )
        assert linked.json["code"] == "S-QUEUED"
    site.start()
    for home in homes:
        said("sync", "--home", home)
    where = ("--home", homes[1], "--reader", reader, "--json")
    (item,) = said("outbox", "list", "--home", homes[1], "--json").json["items"]
    assert (item["state"], item["code"]) == ("conflict", "S-DUP")
    return Conflict(said, homes[1], where, int(item["number"]), first, second)


def test_both_numbers_of_a_conflict_are_listed_masked(conflict: Conflict) -> None:
    answer = conflict.outbox("list")
    (item,) = answer.json["items"]
    assert item["service_id"] == "******" + conflict.second[-4:]
    assert item["other_service_id"] == "*****" + conflict.first[-4:]
    told = conflict.said("outbox", "list", "--home", conflict.home)
    assert f"server has *****{conflict.first[-4:]}" in told.out
    assert conflict.first not in answer.out + told.out
    assert conflict.second not in answer.out


def test_replacing_puts_this_counters_number_everywhere(conflict: Conflict) -> None:
    answer = conflict.resolve("--replace", "--yes")
    assert (answer.exit_code, answer.json["resolved"]) == (0, 1)
    assert conflict.found() == conflict.second
    assert conflict.outbox("list").json["items"] == []


@pytest.mark.parametrize("way", [("--keep",), ()])
def test_keeping_leaves_what_the_server_has(conflict: Conflict, way: tuple[str, ...]) -> None:
    answer = conflict.resolve(*way, "--yes")
    assert (answer.exit_code, answer.json["resolved"]) == (0, 1)
    assert conflict.found() == conflict.first
    assert conflict.outbox("list").json["items"] == []


@pytest.mark.parametrize("way", ["--keep", "--replace"])
def test_nothing_is_decided_where_nobody_can_say_yes(conflict: Conflict, way: str) -> None:
    assert conflict.resolve(way).exit_code == 2
    assert len(conflict.outbox("list").json["items"]) == 1


def test_replacing_needs_the_number_of_a_row_that_can_be_replaced(conflict: Conflict) -> None:
    assert conflict.outbox("resolve", "--replace", "--yes").exit_code == 2
    answer = conflict.outbox("resolve", "999", "--replace", "--yes")
    assert (answer.exit_code, answer.json["code"]) == (1, "S-NUMBER")
    assert conflict.resolve("--keep", "--replace", "--yes").exit_code == 2
    assert len(conflict.outbox("list").json["items"]) == 1
