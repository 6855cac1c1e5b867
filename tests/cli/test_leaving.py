"""`mykey leave`: nothing that was acknowledged to a person is lost, unless somebody says how much."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert

from mykey_tui.simulated.cards import make_card
from mykey_tui.store import outbox, progress
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import writing
from mykey_tui.store.home import Home
from mykey_tui.store.tables import StoredMutation


@pytest.fixture
def home(said: Any, site: Any, tmp_path: Path) -> Path:
    """A counter of the test's own."""
    home = tmp_path / "leaving"
    enrol(said, site, home)
    return home


def enrol(said: Any, site: Any, home: Path) -> None:
    code = site.code("A-α1-0001")
    answer = said("enrol", "--server", site.url, "--code", code, "--home", home, "--json")
    assert answer.exit_code == 0, answer.out


def queue_one(said: Any, lay: Any, site: Any, home: Path, service_id: str) -> None:
    """Link somebody with no line; the server stays down."""
    site.stop()
    person = "LEAVER" + service_id[-8:]
    reader = lay(make_card(f"{person:0<14}99999001A", at=datetime.now(UTC)))
    where = ("--home", home, "--reader", reader, "--json")
    assert said("link", "--service-id", service_id, *where).json["code"] == "S-QUEUED"


def test_signing_out_is_refused_until_all_is_sent(
    said: Any, lay: Any, site: Any, home: Path
) -> None:
    queue_one(said, lay, site, home, "LEAVE00000001")
    for wanted in ((), ("--wipe",), ("--lose-unsent", "2"), ("--lose-unsent", "0")):
        refused = said("leave", "--yes", *wanted, "--home", home, "--json")
        assert (refused.exit_code, refused.json["code"]) == (1, "K-UNSENT"), wanted
        assert (refused.json["result"], refused.json["unsent"]) == ("refused", 1)
        assert 0 <= refused.json["oldest_seconds"] < 600
    told = said("leave", "--yes", "--home", home)
    assert "not sent yet: 1" in told.out
    assert "mykey sync" in told.out
    site.start()
    assert said("sync", "--home", home, "--json").json["applied"] == 1
    left = said("leave", "--yes", "--home", home, "--json")
    expected = {"result": "left", "kept": "aside-1", "lost": 0, "attention": 0, "unbacked": 1}
    assert (left.exit_code, left.json) == (0, expected)


@pytest.mark.parametrize("wanted", [(), ("--wipe",)])
def test_what_no_backup_holds_is_named_before_it_hangs_on_the_server_alone(
    said: Any, lay: Any, site: Any, home: Path, monkeypatch: Any, wanted: tuple[str, ...]
) -> None:
    queue_one(said, lay, site, home, f"LEAVE0000001{len(wanted)}")
    site.start()
    assert said("sync", "--home", home, "--json").json["applied"] == 1
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda question: "n")
    kept = said("leave", *wanted, "--home", home)
    assert "no checked backup of the server yet: 1" in kept.out + kept.err
    left = said("leave", "--yes", *wanted, "--home", home)
    assert (left.exit_code, "no checked backup of the server yet: 1" in left.out) == (0, True)


def test_what_a_checked_backup_holds_is_not_spoken_of(home: Path) -> None:
    with closing(CounterStore.open(Home(home))) as store, writing(store._engine) as connection:
        for mid, (state, code, acked) in enumerate(
            [("done", None, 5), ("done", None, 6), ("done", None, None), ("done", "S-DUP", 9)], 1
        ):
            connection.execute(
                insert(StoredMutation).values(
                    mid=mid, op="link", v=1, token=bytes(16), service_id="", prev=b"", sealed=b"",
                    seen_seq=0, state=state, code=code, acked_seq=acked, number=mid,
                    incarnation=b"", tries=0,
                )
            )  # fmt: skip
        progress.change(connection, durable_through=5)
        assert outbox.count_unbacked(connection) == 2


def test_after_leaving_the_home_is_enrolled_anew(said: Any, site: Any, home: Path) -> None:
    assert said("leave", "--yes", "--home", home).exit_code == 0
    assert said("status", "--home", home, "--json").json["code"] == "K-NONE"
    enrol(said, site, home)
    assert said("sync", "--home", home, "--json").json["digest"] == "match"
    assert said("leave", "--yes", "--wipe", "--home", home, "--json").json["kept"] is None
    assert not (home / "counter.db").exists()
    assert not (home / "counter.key").exists()
    assert (home / "aside-1" / "counter.db").exists()  # of the first counter; it stays
    enrol(said, site, home)


def test_who_names_the_number_leaves_with_something_unsent(
    said: Any, lay: Any, site: Any, home: Path
) -> None:
    try:
        queue_one(said, lay, site, home, "LEAVE00000002")
        left = said("leave", "--yes", "--lose-unsent", "1", "--home", home, "--json")
        assert (left.exit_code, left.json["lost"]) == (0, 1)
        (home / "aside-1" / "counter.db").rename(home / "counter.db")
        (home / "aside-1" / "counter.key").rename(home / "counter.key")
        with_its_queue = CounterStore.open(Home(home))
        assert with_its_queue.unsent() == 1  # set aside, not destroyed
        with_its_queue.close()
    finally:
        site.start()


def test_a_store_that_does_not_open_needs_another_word(said: Any, home: Path) -> None:
    (home / "counter.key").write_text("ab" * 32)
    assert said("leave", "--yes", "--home", home, "--json").json["code"] == "K-KEY"
    both = ("--lose-unsent", "unknown", "--wipe")
    assert said("leave", "--yes", *both, "--home", home).exit_code == 2
    left = said("leave", "--yes", "--lose-unsent", "unknown", "--home", home, "--json")
    assert (left.exit_code, left.json["lost"], left.json["kept"]) == (0, None, "aside-1")


@pytest.mark.parametrize("wrong", ["all", "-1", "1.5", "１"])
def test_a_number_that_is_none_is_wrong_usage(said: Any, home: Path, wrong: str) -> None:
    assert said("leave", "--yes", f"--lose-unsent={wrong}", "--home", home).exit_code == 2
    assert (home / "counter.db").exists()


def test_without_a_yes_nothing_is_left(said: Any, home: Path) -> None:
    assert said("leave", "--home", home).exit_code == 2  # nobody can be asked here
    assert (home / "counter.db").exists()


@pytest.mark.parametrize(("answered", "exit_code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(
    said: Any, home: Path, monkeypatch: Any, answered: str, exit_code: int
) -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return answered

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", answer)
    assert said("leave", "--home", home).exit_code == exit_code
    assert asked == ["Sign this counter out? Its data is kept (y/n) "]
    assert (home / "counter.db").exists() is bool(exit_code)


def test_a_running_screen_keeps_its_store(said: Any, home: Path) -> None:
    with Home(home).only_screen():
        refused = said("leave", "--yes", "--home", home, "--json")
    assert (refused.exit_code, refused.json["code"]) == (3, "K-SCREEN")
