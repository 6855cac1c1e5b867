"""What an operator types, and the JSON that answers."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from mykey_server.cli import run
from mykey_server.database import open_database, reading, writing
from mykey_server.migrations import HEAD
from mykey_server.tables.terminal import EnrolmentCodeTable

SEED = ("1C2410DF79DGEL", "07202002B")


class Operator:
    """Types commands at one server file."""

    def __init__(self, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.database = database
        self._capsys = capsys

    def types(self, *arguments: str, code: int = 0) -> Any:
        assert run([*arguments, "--db", str(self.database)]) == code
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return json.loads(printed.out)


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path / "server.db", capsys)


def test_the_tables_are_made_on_first_use(operator: Operator) -> None:
    assert operator.types("migrate") == {"step": HEAD, "migrated": True}
    assert operator.types("migrate") == {"step": HEAD, "migrated": False}


def test_a_provider_is_added_once_and_listed_without_its_keys(operator: Operator) -> None:
    added = operator.types(
        "provider", "add", "A-α1-0001", "--name", "図書館", "--service-id-format", "digits:10"
    )
    assert (added["provider_id"], added["alias"]) == ("A-α1-0001", "A-alpha1-0001")
    assert added["profile"] == "simulated"
    again = operator.types("provider", "add", "A-alpha1-0001", "--name", "x", code=1)
    assert again["refused"] == "provider-exists"
    (provider,) = operator.types("provider", "list")
    assert provider["service_id_format"] == "digits:10"
    assert not any("key" in name for name in provider)


def test_a_malformed_provider_id_is_refused(operator: Operator) -> None:
    refused = operator.types("provider", "add", "A B", "--name", "x", code=1)
    assert refused["refused"] == "malformed"


def test_a_code_says_its_end(operator: Operator) -> None:
    operator.types("provider", "add", "A-1", "--name", "x")
    code = operator.types("terminal", "code", "--provider", "A-1")
    left = datetime.fromisoformat(code["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    assert operator.types("terminal", "code", "--provider", "Z-9", code=1)["refused"] == (
        "provider-unknown"
    )


def test_a_code_may_name_the_place_where_the_counter_is_to_stand(operator: Operator) -> None:
    operator.types("provider", "add", "A-1", "--name", "x")
    code = operator.types("terminal", "code", "--provider", "A-1", "--site", "駅前店")
    assert set(code) == {"code", "expires_at"}
    with reading(open_database(operator.database)) as connection:
        sites = connection.execute(select(col(EnrolmentCodeTable.site))).scalars().all()
    assert sites == ["駅前店"]


def test_what_is_not_there_is_named(operator: Operator) -> None:
    assert operator.types("terminal", "list") == []
    assert operator.types("link", "list") == []
    unknown = operator.types("terminal", "revoke", "x", code=1)
    assert unknown["refused"] == "terminal-unknown"
    assert operator.types("suspend", *SEED, code=1)["refused"] == "not-registered"
    assert operator.types("suspend", "short", SEED[1], code=1)["refused"] == "malformed"


def test_the_check_finds_a_row_that_was_changed_by_hand(operator: Operator) -> None:
    operator.types("provider", "add", "A-1", "--name", "x")
    assert operator.types("check")["ok"]
    engine = open_database(operator.database)
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO link (scope, token, service_id, status, seq)"
            " VALUES ('A-1', zeroblob(16), 'X', 0, 1)"
        )
    engine.dispose()
    report = operator.types("check", code=1)
    assert {finding["check"] for finding in report["findings"] if not finding["ok"]} == {
        "digest",
        "buckets",
        "seq",
    }


def test_the_database_may_be_named_by_url_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYKEY_SERVER_DB", f"sqlite:///{tmp_path}/named.db")
    assert run(["migrate"]) == 0
    assert (tmp_path / "named.db").exists()
    assert run(["--db", str(tmp_path / "first.db"), "migrate"]) == 0
    assert (tmp_path / "first.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["migrate", "--db", "mysql://host/x"],
        ["serve", "--listen", "8790"],
        ["serve", "--listen", "127.0.0.1:99999"],
        ["terminal", "code", "--provider", "A-1", "--minutes", "0"],
        ["terminal", "code", "--provider", "A-1", "--minutes", "10081"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(arguments)
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_ends_with_3(operator: Operator) -> None:
    operator.database.mkdir()
    assert "failed" in operator.types("migrate", code=3)


def test_an_operators_command_loads_no_web_server_and_judges_no_certificate(
    operator: Operator,
) -> None:
    operator.types("migrate")
    program = (
        "import sys; from mykey_server.cli import run; run(['terminal', 'list']);"
        "print([name for name in ('fastapi', 'starlette', 'granian', 'zstandard', 'alembic',"
        " 'cryptography.x509') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"MYKEY_SERVER_DB": str(operator.database), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_the_staleness_of_a_provider_is_set_and_its_unnamed_parts_stay(operator: Operator) -> None:
    operator.types("provider", "add", "A-1", "--name", "x")
    said = operator.types("provider", "set", "A-1", "--refuse-hours", "48")
    assert said == {"alias": "A-1", "green_hours": 24, "refuse_hours": 48, "lookups": 2000}
    said = operator.types("provider", "set", "A-1", "--green-hours", "2", "--lookups", "9")
    assert said == {"alias": "A-1", "green_hours": 2, "refuse_hours": 48, "lookups": 9}
    refused = operator.types("provider", "set", "A-1", "--refuse-hours", "169", code=1)
    assert refused["refused"] == "staleness-out-of-range"


def test_a_list_of_suspensions_is_read_whole_before_anything_is_done(
    operator: Operator, tmp_path: Path
) -> None:
    operator.types("migrate")
    file = tmp_path / "list.txt"
    file.write_text(f"{''.join(SEED)}\n\nAAAAAAAAAAAAAA07202002B\n", encoding="utf-8")
    assert operator.types("suspend-list", str(file)) == {
        "status": "suspended", "set": 0, "unknown": 2,
    }  # fmt: skip
    file.write_text(f"{''.join(SEED)}\nnobody\n", encoding="utf-8")
    assert operator.types("resume-list", str(file), code=1)["refused"] == "malformed"
    operator.types("resume-list", str(tmp_path / "missing"), code=3)


def test_renewal_backup_and_compaction_answer_for_an_empty_server(
    operator: Operator, tmp_path: Path
) -> None:
    operator.types("provider", "add", "A-1", "--name", "x")
    new = "AAAAAAAAAAAAAA07202002B"
    assert operator.types("renew", "".join(SEED), new, code=1)["refused"] == "not-registered"
    begun = operator.types("backup", "begin")
    assert begun["seqs"] == {"A-1": 0}
    assert operator.types("backup", "confirm", begun["name"]) == {"durable_through": {"A-1": 0}}
    assert operator.types("backup", "confirm", "x", code=1)["refused"] == "backup-unknown"
    copy = tmp_path / "copy.db"
    assert operator.types("backup", "make", str(copy))["durable_through"] == {"A-1": 0}
    assert copy.exists()
    assert operator.types("backup", "make", str(copy), code=1)["refused"] == "file-exists"
    for scope in ("A-1", "S:A-1"):
        assert operator.types("compact", scope, "--below", "1", code=1)["refused"] == "ahead"
    refused = operator.types("compact", "B-1", "--below", "1", code=1)
    assert refused["refused"] == "provider-unknown"
