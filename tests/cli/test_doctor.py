"""`mykey doctor` as a person and as a script runs it."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.composition import doctor
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain import clock
from mykey_tui.reader.card_file import CardFile, CardPin
from mykey_tui.simulated.cards import make_card
from mykey_tui.simulated.foreign import Variant, driving_licence
from mykey_tui.sync import client

PERSON = "PEOPLE0000077799999777A"


RENEWED = "OLDSELF000077899999778A"
HEIR = "NEWSELF000077899999778A"


def card(cn: str = PERSON, **how: Any) -> CardFile:
    return make_card(cn, at=datetime.now(UTC), **how)


def states(answer: Any) -> dict[str, str]:
    return {finding["layer"]: finding["state"] for finding in answer.json["findings"]}


def finding(answer: Any, layer: Layer) -> Any:
    (found,) = [item for item in answer.json["findings"] if item["layer"] == layer.value]
    return found


MACHINE = ("usb", "kernel", "daemon", "permission")


def test_an_enrolled_counter_with_its_server_and_a_card_is_healthy(
    said: Any, enrolled: Any, lay: Any
) -> None:
    home = enrolled()
    answer = said("doctor", "--home", home, "--reader", lay(card()), "--json")
    assert answer.exit_code == 0
    assert (answer.json["result"], answer.json["code"], answer.json["exit"]) == (
        "healthy",
        None,
        0,
    )
    assert answer.json["seconds"] < 5
    found = states(answer)
    assert list(found) == [layer.value for layer in Layer]
    # A card file needs nothing of the machine; everything else is examined, and well.
    assert {found.pop(layer) for layer in MACHINE} == {"skipped"}
    assert set(found.values()) == {"ok"}
    assert abs(float(finding(answer, Layer.CLOCK)["facts"]["seconds"])) < 5


def test_a_home_that_was_never_set_up_is_examined_up_to_the_certificate(
    said: Any, tmp_path: Path, lay: Any
) -> None:
    answer = said("doctor", "--home", tmp_path / "new", "--reader", lay(card()), "--json")
    assert answer.exit_code == 0
    assert states(answer)["certificate"] == "ok"
    assert answer.json["simulated"] is True
    store = finding(answer, Layer.STORE)
    assert (store["state"], store["code"]) == ("note", "K-NONE")
    assert store["command"] == "mykey enrol --server URL --code CODE"
    assert finding(answer, Layer.LINE)["because"] == "K-NONE"
    assert not (tmp_path / "new").exists(), "looking at a home makes none"


@pytest.mark.parametrize(
    ("laid", "layer", "code", "exit_code"),
    [
        (driving_licence(), Layer.APPLICATION, "C-OTHER", 71),
        (card(variant=Variant.EXPIRED), Layer.CERTIFICATE, "C-EXPIRED", 83),
        (card(variant=Variant.WRONG_ISSUER), Layer.TRUST, "C-ISSUER", 92),
        (
            replace(card(), pins={0x0018: CardPin("1234", 0)}),
            Layer.APPLICATION,
            "C-PINLOCK",
            73,
        ),
    ],
)
def test_the_exit_code_is_the_worst_findings_own(
    said: Any, tmp_path: Path, lay: Any, laid: CardFile, layer: Layer, code: str, exit_code: int
) -> None:
    answer = said("doctor", "--home", tmp_path, "--reader", lay(laid), "--json")
    assert answer.exit_code == answer.json["exit"] == exit_code
    assert (answer.json["result"], answer.json["code"]) == ("fault", code)
    assert finding(answer, layer)["next"]


def test_no_line_is_named_and_the_rest_is_examined_all_the_same(
    said: Any, enrolled: Any, lay: Any, site: Any
) -> None:
    home = enrolled()
    site.stop()
    answer = said("doctor", "--home", home, "--reader", lay(card()), "--json")
    assert answer.exit_code == 115
    assert finding(answer, Layer.LINE)["code"] == "N-LINE"
    assert finding(answer, Layer.SERVER)["because"] == "N-LINE"
    assert states(answer)["certificate"] == states(answer)["store"] == "ok"


def test_a_box_whose_clock_is_wrong_is_told_so_by_its_server(
    said: Any, enrolled: Any, lay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, laid = enrolled(), lay(card())

    class Slow(datetime):
        """The box's clock is twenty minutes behind."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(minutes=20)

    for module in (clock, client, doctor):
        monkeypatch.setattr(module, "datetime", Slow)
    answer = said("doctor", "--home", home, "--reader", laid, "--json")
    found = finding(answer, Layer.CLOCK)
    assert (found["state"], found["code"]) == ("fault", "N-CLOCK")
    assert abs(int(found["facts"]["seconds"]) - 1200) <= 2
    assert found["command"] == "sudo timedatectl set-ntp true"
    assert answer.exit_code == 101


def test_a_renewed_certificate_is_told_from_this_counters_rows(
    said: Any, enrolled: Any, lay: Any, site: Any
) -> None:
    home, reader = enrolled(), lay(card(RENEWED))

    def lookups() -> int:
        answer = said("status", "--home", home, "--reader", reader, "--json")
        return int(answer.json["revocation"]["lookups"])

    assert said("link", "--service-id", "V777", "--home", home, "--reader", reader).exit_code == 0
    said("sync", "--home", home)
    site.operator("renew", RENEWED, HEIR)
    said("sync", "--home", home)
    before = lookups()
    answer = said("doctor", "--home", home, "--reader", reader, "--json")
    assert finding(answer, Layer.CERTIFICATE)["code"] == "L-RENEW"
    assert answer.exit_code == 87
    assert lookups() == before, "the doctor's look is no look-up"
    assert "V777" not in answer.out


def test_a_damaged_store_is_named(said: Any, enrolled: Any, lay: Any) -> None:
    home = enrolled()
    with (home / "counter.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 4096)
    answer = said("doctor", "--home", home, "--reader", lay(card()), "--json")
    assert answer.exit_code == 110
    assert finding(answer, Layer.STORE)["code"] in ("K-CORRUPT", "K-KEY")


@pytest.mark.parametrize(
    ("handover", "code", "reason"),
    [
        ({"kind": "file", "path": "/no/such/folder"}, "H-FILE", "ENOENT"),
        ({"kind": "command", "argv": ["/no/such/till"]}, "H-CMD", "ENOENT"),
        ({"kind": "pigeon"}, "K-SET", None),
    ],
)
def test_the_way_to_the_till_is_looked_at(
    said: Any, tmp_path: Path, lay: Any, handover: object, code: str, reason: str | None
) -> None:
    (tmp_path / "counter.json").write_text(json.dumps({"handover": handover}))
    answer = said("doctor", "--home", tmp_path, "--reader", lay(card()), "--json")
    found = finding(answer, Layer.HANDOVER)
    assert (found["state"], found["code"], found["facts"].get("reason")) == (
        "fault",
        code,
        reason,
    )
    assert answer.exit_code == 121


def test_nothing_is_sent_to_the_till(said: Any, tmp_path: Path, lay: Any) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    settings = {"handover": {"kind": "file", "path": str(inbox)}}
    (tmp_path / "counter.json").write_text(json.dumps(settings))
    answer = said("doctor", "--home", tmp_path, "--reader", lay(card()), "--json")
    assert finding(answer, Layer.HANDOVER)["state"] == "ok"
    assert list(inbox.iterdir()) == []


def test_a_counter_for_real_cards_takes_none_from_a_file(
    said: Any, tmp_path: Path, lay: Any
) -> None:
    (tmp_path / "counter.json").write_text(json.dumps({"profile": "jpki"}))
    answer = said("doctor", "--home", tmp_path, "--reader", lay(card()), "--json")
    assert finding(answer, Layer.READER)["code"] == "D-SIMULATED"
    assert answer.json["simulated"] is False
    assert finding(answer, Layer.TRUST)["code"] == "C-ANCHOR"
    assert finding(answer, Layer.CARD)["state"] == "skipped"


def test_the_profile_is_the_one_that_the_counter_was_enrolled_with(
    said: Any, enrolled: Any, lay: Any
) -> None:
    """A lost or edited `counter.json` changes nothing of what the counter believes."""
    home = enrolled()
    settings = json.loads((home / "counter.json").read_text())
    (home / "counter.json").write_text(json.dumps({**settings, "profile": "jpki"}))
    answer = said("doctor", "--home", home, "--reader", lay(card()), "--json")
    assert answer.exit_code == 0
    assert answer.json["simulated"] is True
    assert states(answer)["trust"] == states(answer)["certificate"] == "ok"


def test_nothing_of_the_person_or_the_machine_is_in_the_answer(
    said: Any, enrolled: Any, lay: Any
) -> None:
    home, laid = enrolled(), card()
    text = said("doctor", "--home", home, "--reader", lay(laid), "--json").out
    secrets = (
        PERSON[:14],
        PERSON[14:],
        laid.atr.hex(),
        laid.files[0x000A][:32].hex(),
        str(home),
    )
    for secret in (*secrets, f'"{getpass.getuser()}"', f'"{socket.gethostname()}"'):
        assert secret.lower() not in text.lower()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_people_read_a_line_for_each_layer_and_one_next_step(
    said: Any, tmp_path: Path, lay: Any, language: str
) -> None:
    (tmp_path / "counter.json").write_text(json.dumps({"language": language}))
    answer = said("doctor", "--home", tmp_path, "--reader", lay(driving_licence()))
    assert answer.exit_code == 71
    lines = answer.out.splitlines()
    assert lines[0].endswith("SIMULATED")
    assert sum(line.startswith("  ") for line in lines[:16]) == len(Layer)
    assert sum("C-OTHER" in line for line in lines) == 2, "in its line, and where more is"
    head = {"ja": "次にすること", "en": "What to do next"}[language]
    assert lines.count(head) == 1
    assert lines[lines.index(head) + 1].startswith("  ")
