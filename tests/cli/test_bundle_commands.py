"""Files that a person carries: the real commands of a counter without a line, and of its server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mykey_tui.simulated.cards import make_card

SERVER = str(Path(sys.executable).with_name("mykey-server"))


def mykey_server(site: Any, *arguments: str, code: int = 0) -> Any:
    done = subprocess.run(
        [SERVER, *arguments, "--db", str(site.path / "server.db")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_counter_whose_server_is_never_up_reconciles_by_commands_and_files(
    site: Any, enrolled: Any, said: Any, lay: Any, tmp_path: Path
) -> None:
    home = enrolled(0)
    site.stop()
    cn = "CARRIED0000001" + "99999000A"
    reader = lay(make_card(cn, at=datetime.now(UTC)))
    linked = said("--home", home, "link", "--reader", reader, "--service-id", "C00001", "--json")
    assert linked.json["code"] == "S-QUEUED"
    export, reply = tmp_path / "stick" / "out", tmp_path / "stick" / "back"
    export.parent.mkdir()
    written = said("--home", home, "bundle", "export", export, "--json")
    assert (written.exit_code, written.json["mutations"]) == (0, 1)
    assert (export.stat().st_mode & 0o777) == 0o600
    taken = mykey_server(site, "bundle", "import", str(export), "--reply", str(reply))
    assert (taken["mutations"], taken["decided"]) == (1, 1)
    read = said("--home", home, "bundle", "import", reply, "--json")
    assert read.exit_code == 0, read.out
    assert read.json["applied"] == 1
    assert (read.json["waiting"], read.json["news"]) == (0, True)
    again = said("--home", home, "bundle", "import", reply, "--json")
    assert (again.json["applied"], again.json["news"]) == (0, False)
    found = said("--home", home, "lookup", "--reader", reader, "--no-handover", "--json")
    assert found.json["service_id"] == "C00001"
    assert sorted(path.name for path in export.parent.iterdir()) == ["back", "out"]
    site.start()
    assert (cn, "A-α1-0001", "C00001") in site.links()


def test_a_file_that_is_no_good_has_its_code_and_leaves_nothing_behind(
    site: Any, enrolled: Any, said: Any, tmp_path: Path
) -> None:
    home, other = enrolled(0), enrolled(1)
    export, bad = tmp_path / "out", tmp_path / "bad"
    said("--home", home, "bundle", "export", export)
    bad.write_bytes(export.read_bytes()[:-1])
    reply = tmp_path / "back"
    refused = mykey_server(site, "bundle", "import", str(bad), "--reply", str(reply), code=1)
    assert refused["refused"] == "bundle-damaged"
    assert not reply.exists()
    mykey_server(site, "bundle", "import", str(export), "--reply", str(reply))
    assert said("--home", other, "bundle", "import", reply, "--json").json["code"] == "B-OTHER"
    assert said("--home", home, "bundle", "import", export, "--json").json["code"] == "B-OTHER"
    bad.write_bytes(reply.read_bytes()[:-1])
    answer = said("--home", home, "bundle", "import", bad, "--json")
    assert (answer.exit_code, answer.json["code"]) == (1, "B-BAD")
    os.mkfifo(tmp_path / "pipe")
    assert said("--home", home, "bundle", "import", tmp_path / "pipe", "--json").json["code"] == (
        "B-BAD"
    )
    assert said("--home", home, "bundle", "import", tmp_path / "none").exit_code == 2
    assert said("--home", home, "bundle", "export", tmp_path / "no" / "out").exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_retired_counter_says_what_was_lost(
    site: Any, enrolled: Any, said: Any, lay: Any
) -> None:
    home = enrolled(0)
    device = json.loads(said("--home", home, "sync", "--json").out)
    assert device["digest"] == "match"
    site.stop()
    reader = lay(make_card("RETIRED0000001" + "99999000A", at=datetime.now(UTC)))
    said("--home", home, "link", "--reader", reader, "--service-id", "R00001", "--json")
    site.start()
    for terminal in site.operator("terminal", "list"):
        if terminal["provider_id"] == "A-α1-0001" and terminal["status"] == "active":
            site.operator("terminal", "revoke", terminal["device_id"])
    ended = said("--home", home, "sync", "--json")
    assert (ended.exit_code, ended.json["code"], ended.json["lost"]) == (3, "N-RETIRED", 1)
    assert said("--home", home, "status", "--json").json["code"] == "K-NONE"
    assert not (home / "counter.key").exists()
