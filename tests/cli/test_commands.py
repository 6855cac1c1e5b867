"""The commands' contract: one JSON object, exit codes, and no traceback for anybody."""

from __future__ import annotations

import json
import os
import pty
import queue
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from mykey_tui.commands import lookup as lookup_command
from mykey_tui.composition.running import RunningCounter
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, StoreError
from mykey_tui.flows.desk_events import CounterEvent, LookedUp, Scanned, ScannerIs
from mykey_tui.flows.outcomes import Stopped
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.settings import load_settings
from mykey_tui.simulated.cards import make_card
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card

PAPER = "1C2410DF79DGEL07202002B"


def person(number: int, **how: Any) -> CardFile:
    return make_card(f"PEOPLE{number:08d}99999{number:03d}A", at=datetime.now(UTC), **how)


def test_a_visit_from_not_linked_to_unlinked(said: Any, enrolled: Any, lay: Any, site: Any) -> None:
    home = enrolled()
    reader = lay(person(1))

    def ask(*arguments: object) -> Any:
        return said(*arguments, "--home", home, "--reader", reader, "--json")

    answer = ask("lookup")
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (
        1,
        "not-linked",
        "L-NONE",
    )
    answer = ask("link", "--service-id", "V000001")
    assert (answer.exit_code, answer.json) == (
        0,
        {"result": "linked", "code": "S-OK", "waiting": 0},
    )
    answer = ask("lookup")
    assert answer.exit_code == 0
    found = answer.json
    assert found["result"] == "found"
    assert found["service_id"] == "V000001"
    assert found["assurance"] == "identified"
    assert found["source"] == "cache"
    assert {"card", "verify", "lookup"} <= found["ms"].keys()
    answer = ask("link", "--service-id", "V000002")
    assert (answer.exit_code, answer.json) == (
        1,
        {
            "result": "refused",
            "code": "S-DUP",
            "text": "A service ID is linked to this MyKey ID already.",
            "last": "01",
        },
    )
    answer = ask("unlink")
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (
        0,
        "unlinked",
        "S-OFF",
    )
    answer = ask("unlink")
    assert (answer.exit_code, answer.json["code"]) == (1, "L-NONE")


def test_a_service_id_of_another_person_is_taken_also_where_only_the_server_knows(
    said: Any, enrolled: Any, lay: Any
) -> None:
    home = enrolled()
    first, second = lay(person(3), "first"), lay(person(4), "second")
    base = ("link", "--home", home, "--service-id", "T000001", "--json", "--reader")
    assert said(*base, first).json["code"] == "S-OK"
    answer = said(*base, second)
    assert (answer.exit_code, answer.json["code"]) == (1, "S-TAKEN")
    assert said("outbox", "list", "--home", home, "--json").json["items"] == []


def test_a_suspended_person_is_refused_everywhere(
    said: Any, enrolled: Any, lay: Any, site: Any
) -> None:
    home = enrolled()
    reader = lay(person(5))
    where = ("--home", home, "--reader", reader, "--json")
    said("link", "--service-id", "U000001", *where)
    site.operator("suspend", "PEOPLE00000005", "99999005A")
    assert said("sync", "--home", home, "--json").exit_code == 0
    answer = said("lookup", *where)
    assert (answer.exit_code, answer.json["result"]) == (1, "suspended")
    assert answer.json["service_id"] is None
    assert said("link", "--service-id", "U000002", *where).json["code"] == "L-SUSP"


def test_with_no_line_a_link_is_accepted_and_sync_says_what_it_could_not(
    said: Any, enrolled: Any, lay: Any, site: Any
) -> None:
    home = enrolled()
    site.stop()
    where = ("--home", home, "--json")
    answer = said("link", "--service-id", "W000001", "--reader", lay(person(6)), *where)
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (
        0,
        "queued",
        "S-QUEUED",
    )
    answer = said("sync", *where)
    assert (answer.exit_code, answer.json["result"], answer.json["code"]) == (3, "failed", "N-LINE")
    status = said("status", *where).json
    assert status["online"] is False
    assert status["outbox"]["waiting"] == 1
    (item,) = said("outbox", "list", *where).json["items"]
    assert (item["service_id"], item["state"]) == ("****001", "waiting")
    assert said("outbox", "retry", *where).json == {"retried": 0}
    assert said("outbox", "resolve", *where).json == {"resolved": 0}
    assert said("outbox", "resolve", "1", "--yes", *where).exit_code == 1


def test_a_conflict_found_later_is_listed_and_can_be_taken_off_the_list(
    said: Any, enrolled: Any, lay: Any, site: Any, tmp_path: Any
) -> None:
    first, second = enrolled(0), tmp_path / "second-counter"
    said(
        "enrol", "--server", site.url, "--code", site.code("A-α1-0001"), "--home", second, "--json"
    )
    site.stop()
    reader = lay(person(7))
    for home, service_id in ((first, "X000001"), (second, "X000002")):
        said("link", "--service-id", service_id, "--reader", reader, "--home", home, "--json")
    site.start()
    assert said("sync", "--home", first, "--json").json["applied"] == 1
    assert said("sync", "--home", second, "--json").json["conflicts"] == 1
    where = ("--home", second, "--json")
    (item,) = said("outbox", "list", *where).json["items"]
    assert (item["state"], item["code"]) == ("conflict", "S-DUP")
    assert said("outbox", "resolve", *where).exit_code == 2
    assert said("outbox", "resolve", item["number"], "--yes", *where).json == {"resolved": 1}
    assert said("outbox", "list", *where).json["items"] == []


@pytest.mark.parametrize(
    ("card", "exit_code", "result", "code"),
    [
        (person(8, variant=Variant.EXPIRED), 1, "refused", "C-EXPIRED"),
        (person(8, variant=Variant.FORGED), 1, "refused", "C-FORGED"),
        (driving_licence(), 1, "refused", "C-OTHER"),
        (felica_card(), 1, "refused", "C-POINT"),
        (person(8, fault=Fault(FaultName.MUTE)), 3, "unreadable", "C-MUTE"),
        (person(8, fault=Fault(FaultName.REMOVED_DURING_READ)), 3, "unreadable", "C-REMOVED"),
        (person(8, fault=Fault(FaultName.ENDLESS_TLV)), 3, "unreadable", "C-READ"),
    ],
)
def test_each_bad_card_has_its_code_and_exit(
    said: Any, enrolled: Any, lay: Any, card: Any, exit_code: Any, result: Any, code: Any
) -> None:
    answer = said("lookup", "--home", enrolled(), "--reader", lay(card), "--json")
    assert answer.exit_code == exit_code
    assert (answer.json["result"], answer.json["code"]) == (result, code)
    assert answer.json["service_id"] is None


def test_no_card_in_time_is_said(said: Any, enrolled: Any, tmp_path: Any) -> None:
    reader = f"emulator:{tmp_path / 'nothing.json'}"
    answer = said("lookup", "--home", enrolled(), "--reader", reader, "--wait", "0.3", "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "C-WAIT")


def test_a_card_that_hangs_does_not_hold_the_command(
    said: Any, enrolled: Any, lay: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("mykey_tui.commands.card_thread.READING_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(
        "mykey_tui.commands.card_thread.CardThread.run.__kwdefaults__",
        {"deadline_seconds": 0.5},
    )
    reader = lay(person(9, fault=Fault(FaultName.HANG, at=3, seconds=30)))
    answer = said("lookup", "--home", enrolled(), "--reader", reader, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "C-SLOW")


def test_what_the_till_gets_is_set_in_the_counters_file(
    said: Any, enrolled: Any, lay: Any, tmp_path: Any
) -> None:
    home = enrolled()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    settings = json.loads((home / "counter.json").read_text())
    settings["handover"] = {"kind": "file", "path": str(inbox)}
    (home / "counter.json").write_text(json.dumps(settings))
    where = ("--home", home, "--reader", lay(person(10)), "--json")
    said("link", "--service-id", "Y000001", *where)
    answer = said("lookup", "--no-handover", *where)
    assert (answer.json["handover"], list(inbox.iterdir())) == ("H-OFF", [])
    answer = said("lookup", *where)
    assert answer.json["handover"] == "H-OK"
    (file,) = inbox.iterdir()
    assert file.read_text().strip() == "Y000001"
    file.unlink()
    inbox.rmdir()
    answer = said("lookup", *where)
    assert (answer.exit_code, answer.json["result"], answer.json["handover"]) == (
        3,
        "found",
        "H-FILE",
    )


def test_a_counter_that_was_never_enrolled_says_so(said: Any, tmp_path: Any, lay: Any) -> None:
    answer = said("lookup", "--home", tmp_path / "none", "--reader", lay(person(1)), "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-NONE")


def test_a_wrong_code_enrols_nobody_and_a_second_enrolment_is_refused(
    said: Any, enrolled: Any, site: Any, tmp_path: Any
) -> None:
    answer = said(
        "enrol", "--server", site.url, "--code", "0000000000", "--home", tmp_path / "x", "--json"
    )
    assert (answer.exit_code, answer.json["code"]) == (1, "E-CODE")
    home = enrolled()
    answer = said(
        "enrol", "--server", site.url, "--code", site.code("A-α1-0001"), "--home", home, "--json"
    )
    assert (answer.exit_code, answer.json["code"]) == (1, "E-ALREADY")
    assert answer.json["result"] == "refused"


@pytest.fixture
def real_home(said: Any, real_site: Any, tmp_path: Any) -> Any:
    """A counter of a provider for real cards, enrolled without naming the profile."""
    number = len(real_site.operator("provider", "list")) + 1
    provider_id = f"J-α1-{number:04d}"
    real_site.operator("provider", "add", provider_id, "--name", "本番", "--profile", "jpki")
    home, code = tmp_path / "real", real_site.code(provider_id)
    base = ("enrol", "--server", real_site.url, "--code", code, "--home", home)
    other = said(*base, "--profile", "simulated", "--json")
    assert (other.exit_code, other.json["code"]) == (3, "N-DENIED")
    assert "jpki" in other.json["detail"]
    answer = said(*base)
    assert answer.exit_code == 0, answer.out + answer.err
    return home, answer


def test_the_profile_is_the_providers_and_the_real_one_shows_the_legal_note(
    said: Any, real_home: Any
) -> None:
    home, answer = real_home
    assert "38-4" in answer.out
    assert json.loads((home / "counter.json").read_text())["profile"] == "jpki"


def test_a_counter_for_real_cards_takes_no_card_from_a_file(
    said: Any, real_home: Any, lay: Any
) -> None:
    home, _ = real_home
    card = lay(person(11))
    for command in (
        ("lookup",),
        ("link", "--service-id", "R000001"),
        ("unlink",),
        ("status",),
    ):
        answer = said(*command, "--home", home, "--reader", card, "--json")
        assert (answer.exit_code, answer.json["code"]) == (3, "D-SIMULATED")
    settings = load_settings(home=str(home), reader=card, environment={})
    events: queue.Queue[CounterEvent] = queue.Queue()
    with closing(RunningCounter(settings)) as running:
        with pytest.raises(ReaderError) as refused:
            running.build(events.put)
        told = next(
            event
            for event in iter(partial(events.get, timeout=10), None)
            if isinstance(event, LookedUp)
        )
    assert refused.value.code is Code.READER_SIMULATED
    assert told.outcome == Stopped(Code.READER_SIMULATED), "the screen's card too"


def test_the_scanner_that_the_settings_name_reaches_the_screen(
    enrolled: Any, tmp_path: Any
) -> None:
    home = enrolled()
    far, near = pty.openpty()
    written = json.loads((home / "counter.json").read_text())
    written["scanner"] = {"kind": "serial", "device": os.ttyname(near), "baud": 19200}
    (home / "counter.json").write_text(json.dumps(written))
    reader = f"emulator:{tmp_path / 'slot.json'}"
    settings = load_settings(home=str(home), reader=reader, environment={})
    events: queue.Queue[CounterEvent] = queue.Queue()
    seen = []
    with closing(RunningCounter(settings)) as running:
        running.build(events.put)
        while ScannerIs(present=True) not in seen:
            seen.append(events.get(timeout=10))
        os.write(far, b"2802121234\r\n")
        while Scanned("2802121234") not in seen:
            seen.append(events.get(timeout=10))
    os.close(near)
    os.close(far)
    assert "scanner" not in {thread.name for thread in threading.enumerate()}


def test_a_second_screen_on_one_home_is_refused_until_the_first_has_ended(
    said: Any, enrolled: Any, tmp_path: Any
) -> None:
    home = enrolled()
    reader = f"emulator:{tmp_path / 'slot.json'}"
    settings = load_settings(home=str(home), reader=reader, environment={})
    with closing(RunningCounter(settings)) as first, closing(RunningCounter(settings)) as second:
        first.build(lambda event: None)
        with pytest.raises(StoreError) as refused:
            second.build(lambda event: None)
        assert refused.value.code is Code.STORE_SCREEN
        assert said("status", "--home", home, "--reader", reader, "--json").exit_code == 0
        first.close()
        assert second.build(lambda event: None).counter.status().unsent == 0


def test_a_store_with_a_flipped_bit_is_said_to_be_broken_and_left_alone(
    said: Any, enrolled: Any, lay: Any
) -> None:
    home = enrolled()
    content = bytearray((home / "counter.db").read_bytes())
    for page in range(4096, len(content), 4096):
        content[page + 904] ^= 1
    (home / "counter.db").write_bytes(content)
    answer = said("lookup", "--home", home, "--reader", lay(person(1)), "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-CORRUPT")
    assert (home / "counter.db").read_bytes() == content


def test_the_home_may_stand_before_or_after_the_command_or_in_the_environment(
    said: Any, enrolled: Any, monkeypatch: Any
) -> None:
    home = enrolled()
    after = said("outbox", "list", "--json", "--home", home)
    before = said("--home", home, "--json", "outbox", "list")
    monkeypatch.setenv("MYKEY_HOME", str(home))
    environment = said("outbox", "list", "--json")
    assert after.json == before.json == environment.json
    assert after.exit_code == before.exit_code == environment.exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("link",),
        ("lookup", "--wait", "soon"),
        ("lookup", "--reader", "usb"),
        ("outbox",),
        ("nonsense",),
        ("card", "make", "--cn", "SHORT", "--out", "x.json"),
        ("card", "make", "--cn", PAPER, "--out", "/nowhere/x.json"),
        ("card", "make", "--cn", PAPER, "--out", "x.json", "--fault", "melted"),
        ("card", "place", "/nowhere/card.json"),
        ("card", "place", "/nowhere/card.json", "--vpcd", "here"),
    ],
)
def test_wrong_usage_exits_2(said: Any, arguments: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    answer = said(*arguments, "--home", tmp_path)
    assert answer.exit_code == 2
    assert answer.out == ""


def test_sample_cards_are_made_laid_shown_and_taken_away(said: Any, tmp_path: Any) -> None:
    home, file = tmp_path / "home", tmp_path / "card.json"
    assert said("card", "make", "--cn", PAPER, "--out", file, "--json").json["result"] == "made"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    placed = said("card", "place", file, "--home", home, "--json").json
    export = tmp_path / "export.txt"
    shown = said(
        "card", "show", "--home", home, "--reader", placed["reader"], "--export", export, "--json"
    )
    assert shown.json["random_string"] == PAPER[:14]
    assert shown.json["revocation"] == "not-checked"
    text = said("card", "show", "--home", home, "--reader", placed["reader"])
    assert text.out == export.read_text()
    assert (shown.json["simulated"], "SIMULATED" in text.out.splitlines()[0]) == (True, True)
    assert said("card", "remove", "--home", home, "--json").exit_code == 0
    answer = said("lookup", "--home", home, "--reader", placed["reader"], "--wait", "0.2", "--json")
    assert answer.exit_code == 3


def test_a_card_file_was_shown_without_a_word_that_it_is_none(said: Any, tmp_path: Any) -> None:
    home, file = tmp_path / "home", tmp_path / "card.json"
    licence = ("--cn", PAPER, "--fault", "driving-licence", "--out", file)
    assert said("card", "make", *licence, "--json").exit_code == 0
    show = ("card", "show", "--home", home, "--reader", f"emulator:{file}")
    refused = said(*show, "--json")
    assert (refused.exit_code, refused.json["simulated"]) == (1, True)
    assert said(*show).out.splitlines()[0] == "SIMULATED"


def test_the_status_names_every_layer(said: Any, enrolled: Any, tmp_path: Any) -> None:
    reader = f"emulator:{tmp_path / 'slot.json'}"
    status = said("status", "--home", enrolled(), "--reader", reader, "--json").json
    assert status["online"] is True
    assert status["revocation"]["level"] == "green"
    assert status["reader"]["state"] == "ready"
    assert status["simulated"] is True
    assert {"cache", "outbox", "versions"} <= status.keys()
    assert status["standing"] is None
    assert status["outbox"]["unsent"] == 0


def test_a_bug_is_a_code_for_people_and_a_place_for_the_log_and_names_nobody(
    said: Any, enrolled: Any, lay: Any, monkeypatch: Any
) -> None:
    home = enrolled()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"card {PAPER} of member 2802121234")

    monkeypatch.setattr(lookup_command, "identify", broken)
    reader = lay(make_card(PAPER, at=datetime.now(UTC)))
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "X-BUG")
    assert answer.json.keys() == {
        "result", "code", "text", "service_id", "assurance", "source", "ms",
    }  # fmt: skip
    assert answer.json["result"] == "unreadable"
    log = (home / "counter.log").read_text()
    assert "RuntimeError at test_commands.py" in log
    for canary in (PAPER, PAPER[:14], "2802121234"):
        assert canary not in log + answer.err
    assert stat.S_IMODE((home / "counter.log").stat().st_mode) == 0o600


def test_settings_that_cannot_be_used_are_named(said: Any, enrolled: Any) -> None:
    home = enrolled()
    (home / "counter.json").write_text('{"handover": {"kind": "telepathy"}}')
    answer = said("lookup", "--home", home, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-SET")
    (home / "counter.json").write_text("{")
    answer = said("lookup", "--home", home)
    assert answer.exit_code == 3
    assert "counter.json: is not JSON" in answer.out


def test_a_missing_extra_is_named_and_not_a_traceback(commands: Any, tmp_path: Any) -> None:
    program = (
        "import sys; sys.modules['httpx'] = None\n"
        "from mykey_tui.cli import main\n"
        f"sys.exit(main(['sync', '--json', '--home', {str(tmp_path)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        text=True,
        env=commands.environment(),
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout)["code"] == "E-EXTRA"
