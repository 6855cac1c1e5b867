"""`mykey lookup` and `mykey status` at a counter that heard nothing for long."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.simulated.cards import make_card
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.wire.messages import Staleness

PERSON = "PEOPLE00000031" + "99999031A"
HOUR = 3600
KEYS = {"result", "code", "text", "service_id", "assurance", "source", "ms"}


@pytest.fixture
def linked(said: Any, enrolled: Any, lay: Any, tmp_path: Path) -> Any:
    """A counter with one linked person, and the arguments of a look-up of their card."""
    home = enrolled()
    (home / "counter.json").write_text(
        json.dumps({"handover": {"kind": "file", "path": str(tmp_path), "mode": "one-per-tap"}})
    )
    where = ("--home", home, "--reader", lay(make_card(PERSON, at=datetime.now(UTC))), "--json")
    said("link", "--service-id", "V000031", *where)
    said("sync", "--home", home)
    return home, where


def grow_old(home: Path, *, staleness: Staleness) -> None:
    """As if the provider had chosen limits that this counter has passed already."""
    with closing(CounterStore.open(Home(home))) as store:
        store.note_staleness(staleness)


def till(tmp_path: Path) -> int:
    return len(list(tmp_path.glob("*.txt")))


def test_old_rows_answer_stale_and_hand_over_only_when_it_is_accepted(
    said: Any, linked: Any, tmp_path: Path
) -> None:
    home, where = linked
    grow_old(home, staleness=Staleness(green_s=0, refuse_s=72 * HOUR, lookups_max=2000))
    answer = said("lookup", *where)
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (1, "stale", "L-OLD")
    assert answer.json["service_id"] is None
    assert answer.json.keys() >= KEYS
    assert till(tmp_path) == 0
    status = said("status", *where).json
    assert (status["revocation"]["level"], status["standing"]) == ("amber", "L-OLD")
    answer = said("lookup", "--accept-stale", *where)
    assert (answer.exit_code, answer.json["service_id"]) == (0, "V000031")
    assert till(tmp_path) == 1


def test_rows_beyond_the_limit_are_never_accepted(said: Any, linked: Any, tmp_path: Path) -> None:
    home, where = linked
    grow_old(home, staleness=Staleness(green_s=0, refuse_s=0, lookups_max=2000))
    answer = said("lookup", "--accept-stale", *where)
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (1, "stale", "L-STALE")
    assert answer.json["service_id"] is None
    assert till(tmp_path) == 0
    assert said("status", *where).json["revocation"]["level"] == "refuse"


def test_look_ups_of_commands_are_counted_although_each_ends_at_once(
    said: Any, linked: Any
) -> None:
    home, where = linked
    limit = Staleness(green_s=24 * HOUR, refuse_s=72 * HOUR, lookups_max=2)
    grow_old(home, staleness=limit)
    codes = [said("lookup", "--no-handover", *where).json["code"] for _ in range(3)]
    assert codes == ["L-OK", "L-OK", "L-MANY"]
    assert said("status", *where).json["revocation"]["lookups"] == 3
    said("sync", "--home", home)
    assert said("lookup", "--no-handover", *where).json["code"] == "L-OK"


def test_a_look_up_that_asks_first_meets_what_no_sync_brought(
    said: Any, linked: Any, site: Any
) -> None:
    _home, where = linked
    person = (PERSON[:14], PERSON[14:])
    assert said("lookup", *where).json["source"] == "cache"
    asked = said("lookup", "--online", *where).json
    assert (asked["result"], asked["source"]) == ("found", "server")
    assert asked["ms"]["online"] > 0
    site.operator("suspend", *person)
    try:
        assert said("lookup", *where).json["result"] == "found"
        asked = said("lookup", "--online", *where).json
        assert (asked["result"], asked["source"]) == ("suspended", "server")
    finally:
        site.operator("resume", *person)


def test_a_look_up_that_asks_first_answers_without_a_line(
    said: Any, linked: Any, site: Any
) -> None:
    _home, where = linked
    site.stop()
    asked = said("lookup", "--online", *where).json
    assert (asked["result"], asked["source"]) == ("found", "cache")


def test_a_counter_that_was_retired_meanwhile_hands_nothing_over(
    said: Any, linked: Any, site: Any, tmp_path: Path
) -> None:
    home, where = linked
    with closing(CounterStore.open(Home(home))) as store:
        device_id = str(store.identity.device_id)
    site.operator("terminal", "revoke", device_id)
    asked = said("lookup", "--online", *where)
    assert (asked.exit_code, asked.json["result"], asked.json["code"]) == (
        3,
        "unreadable",
        "K-NONE",
    )
    assert till(tmp_path) == 0
    assert not (home / "counter.db").exists()
