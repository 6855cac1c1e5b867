"""The PIN on the command line: asked for by the provider's policy, told as `assurance`."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.reader.card_file import CardFile, CardPin
from mykey_tui.simulated.cards import copied_card, make_card

NUMBER = "P000001"
CN = "PINCLI000000019999900" + "1A"
COPIED = "PINCLI000000029999900" + "2A"


def person(cn: str = CN, *, tries: int = 3) -> CardFile:
    card = make_card(cn, at=datetime.now(UTC), pin="7351")
    return replace(card, pins={**card.pins, 0x0018: CardPin("7351", tries)})


def set_policy(home: Path, policy: str) -> None:
    path = home / "counter.json"
    values = json.loads(path.read_bytes()) if path.exists() else {}
    path.write_text(json.dumps({**values, "pin": {"policy": policy}}))


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Any:
    def typed(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return typed


def test_a_visit_with_the_pin_at_every_step(said: Any, enrolled: Any, lay: Any, types: Any) -> None:
    home, reader = enrolled(), lay(person())
    set_policy(home, "always")

    def ask(*arguments: object) -> Any:
        return said(*arguments, "--home", home, "--reader", reader, "--json", "--pin-stdin")

    types("7351\n")
    answer = ask("link", "--service-id", NUMBER)
    assert (answer.exit_code, answer.json["result"]) == (0, "linked")

    types("7351\n")
    answer = ask("lookup")
    assert answer.exit_code == 0
    assert answer.json["service_id"] == NUMBER
    assert answer.json["assurance"] == "authenticated"
    assert "7351" not in answer.out + answer.err

    types("0000\n")
    answer = ask("lookup")
    assert (answer.exit_code, answer.json["code"], answer.json["count"]) == (1, "C-PINWRONG", "2")
    assert (answer.json["service_id"], answer.json["assurance"]) == (None, None)

    types("")
    answer = ask("lookup")
    assert (answer.exit_code, answer.json["code"]) == (1, "C-PIN")

    types("7351\n")
    answer = ask("unlink")
    assert (answer.exit_code, answer.json["code"]) == (0, "S-OFF")


@pytest.mark.parametrize("line", ["73510\n", "735\n", "7 351\n", "735１\n", "x" * 500])
def test_a_line_that_is_no_pin_is_not_sent(
    said: Any, enrolled: Any, lay: Any, types: Any, line: str
) -> None:
    home, reader = enrolled(), lay(person(COPIED, tries=2))
    set_policy(home, "on-link")
    types(line)
    answer = said(
        "link", "--service-id", "P000009", "--home", home, "--reader", reader, "--json",
        "--pin-stdin",
    )  # fmt: skip
    assert answer.json["code"] == "C-PIN"


def test_one_try_left_wants_a_word_typed_on_purpose(
    said: Any, enrolled: Any, lay: Any, types: Any
) -> None:
    home, reader = enrolled(), lay(person(tries=1))
    set_policy(home, "on-link")
    asked = ("link", "--service-id", NUMBER, "--home", home, "--reader", reader, "--json")
    types("7351\n")
    answer = said(*asked, "--pin-stdin")
    assert (answer.exit_code, answer.json["code"]) == (1, "C-PINLAST")
    types("7351\n")
    answer = said(*asked, "--pin-stdin", "--last-try")
    assert (answer.exit_code, answer.json["result"]) == (0, "linked")
    types("7351\n")
    assert said("unlink", "--home", home, "--reader", reader, "--pin-stdin", "--last-try").out


def test_a_locked_pin_and_a_copied_card_are_named(
    said: Any, enrolled: Any, lay: Any, types: Any
) -> None:
    home = enrolled()
    set_policy(home, "on-link")
    for card, code in (
        (person(COPIED, tries=0), "C-PINLOCK"),
        (copied_card(COPIED, at=datetime.now(UTC)), "C-PROOF"),
    ):
        types("1234\n")
        answer = said(
            "link", "--service-id", "P000002", "--home", home, "--reader", lay(card), "--json",
            "--pin-stdin",
        )  # fmt: skip
        assert (answer.exit_code, answer.json["code"]) == (1, code)


def test_a_person_at_a_terminal_types_unseen(enrolled: Any, lay: Any, commands: Any) -> None:
    home = enrolled()
    set_policy(home, "on-link")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "mykey_tui.cli", "link", "--service-id", "P000003",
            "--home", str(home), "--reader", lay(person(COPIED)), "--json",
        ],
        stdin=slave, stdout=subprocess.PIPE, stderr=slave, env=commands.environment(),
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while b"not shown): " not in shown:  # what is typed before the prompt is thrown away
        shown += os.read(master, 65536)
    os.write(master, b"7351\n")
    out, _ = process.communicate(timeout=60)
    while select.select([master], [], [], 0)[0]:
        try:
            shown += os.read(master, 65536)
        except OSError:  # the program's end of it is closed
            break
    os.close(master)
    assert json.loads(out)["result"] == "linked"
    assert b"7351" not in shown + out


@pytest.mark.parametrize(
    "pin",
    [
        {"policy": "sometimes"},
        {"policy": None},
        {"keypad": "event3"},
        {"keypad": 3},
        {"keyboard": "yes"},
        {"polcy": "never"},
        ["always"],
        "always",
    ],
)
def test_a_setting_that_means_nothing_is_not_taken_for_never(
    said: Any, enrolled: Any, lay: Any, pin: object
) -> None:
    home, reader = enrolled(), lay(person())
    (home / "counter.json").write_text(json.dumps({"pin": pin}))
    answer = said("lookup", "--home", home, "--reader", reader, "--json")
    assert (answer.exit_code, answer.json["code"]) == (3, "K-SET")
