"""The server's own keys are changed by a command, and every process that serves follows at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import text

from mykey_server.cli import run
from mykey_server.database import reading, writing
from mykey_server.services import intake
from mykey_server.services.keys import FORMER_MAX
from mykey_server.services.selfcheck import self_check
from mykey_server.services.site import Keys
from mykey_server.settings import PostgresUrl
from mykey_tui.wire.messages import (
    SUSPENSION_CONTEXT,
    SUSPENSION_PREFIX,
    EnrolReply,
    HeadReply,
    HelloReply,
    Problem,
)
from mykey_tui.wire.retirement import proves_retirement
from mykey_tui.wire.succession import fingerprint, follow
from tests.server.conftest import Counter, Server, stored

Types = Callable[..., Any]

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"
THIRD = "BBBBBBBBBBBBBB07202002B"


@pytest.fixture
def types(database: Path | PostgresUrl, capsys: pytest.CaptureFixture[str]) -> Types:
    """What an operator types beside the running server: a connection of its own."""
    url = database.text if isinstance(database, PostgresUrl) else str(database)

    def types(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*words, "--db", url]) == code
        return json.loads(capsys.readouterr().out)

    return types


@pytest.fixture
def change(types: Types) -> Callable[[], int]:
    def change() -> int:
        types("keys", "draw")
        types("backup", "confirm", types("backup", "begin")["name"])
        number: int = types("keys", "rotate", "--anyway")["present"]
        return number

    return change


def keys_of(server: Server) -> Keys:
    with reading(server.core.engine) as connection:
        return server.core.site.keys(connection)


def believes(counter: Counter) -> str:
    identity = counter.identity
    assert identity.server_key is not None
    return fingerprint(server_key=identity.server_key, seal_key=identity.seal_key)


async def greeted(counter: Counter, query: str = "") -> HelloReply:
    return await counter.ask(f"/v1/hello{query}", HelloReply)


async def test_a_server_whose_keys_never_changed_says_what_it_always_said(counter: Counter) -> None:
    answer = await counter.send("GET", "/v1/hello")
    assert "successions" not in msgspec.msgpack.decode(answer.content)


async def test_the_running_process_follows_the_command_at_the_next_request(
    server: Server, counter: Counter, change: Callable[[], int]
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    first = counter.identity
    assert [change(), change()] == [2, 3]
    hello = await greeted(counter)
    assert first.server_key is not None
    newest = follow(hello.successions or (), known=first.server_key)
    assert newest is not None
    assert newest.server_key == hello.server_key != first.server_key
    head = await counter.ask(f"/v1/heads?scope={SUSPENSION_PREFIX}{counter.scope}", HeadReply)
    assert head.state is not None
    assert head.signature is not None
    signed = SUSPENSION_CONTEXT + head.state
    Ed25519PublicKey.from_public_bytes(newest.server_key).verify(head.signature, signed)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(first.server_key).verify(head.signature, signed)
    # Sealed before the changes, and after them.
    assert (await counter.verdict(counter.link(OTHER, "A2"))).verdict == "applied"
    counter.identity = msgspec.structs.replace(first, seal_key=newest.seal_key)
    assert (await counter.verdict(counter.link(THIRD, "A3"))).verdict == "applied"
    assert [row["service_id"] for row in server.links()] == ["A1", "A2", "A3"]


@pytest.mark.parametrize("first", ["hello", "heads", "push", "enrol", "retired"])
async def test_whatever_a_process_is_asked_first_after_a_change_it_answers_with_the_new_keys(
    server: Server, counter: Counter, change: Callable[[], int], types: Types, first: str
) -> None:
    """Each kind of request by itself: none relies on another's having come before."""
    before = keys_of(server)
    change()
    if first == "hello":
        assert (await greeted(counter)).server_key != before.server_key
    elif first == "heads":
        path = f"/v1/heads?scope={SUSPENSION_PREFIX}{counter.scope}"
        head = await counter.ask(path, HeadReply)
        assert head.state is not None
        assert head.signature != before.sign_key.sign(SUSPENSION_CONTEXT + head.state)
    elif first == "enrol":
        code = types("terminal", "code", "--provider", "A-α1-0001")["code"]
        answer = await server.ask_to_enrol(code, Ed25519PrivateKey.generate())
        identity = msgspec.json.decode(answer.content, type=EnrolReply)
        assert identity.server_key != before.server_key
        assert identity.seal_key != before.seal_public_key
    elif first == "retired":
        types("terminal", "revoke", counter.identity.device_id)
        answer = await counter.send("GET", "/v1/hello")
        problem = msgspec.json.decode(answer.content, type=Problem)
        assert proves_retirement(
            problem.proof,
            server_key=before.server_key,
            device_id=counter.identity.device_id,
            successions=problem.successions,
        )
        assert len(problem.successions) == 1
    else:
        now = types("keys", "list")["present"]
        assert now["number"] == 2
        with reading(server.core.engine) as connection:
            seal = connection.execute(text("SELECT seal_key FROM succession")).scalar_one()
        counter.identity = msgspec.structs.replace(counter.identity, seal_key=seal)
        assert (await counter.verdict(counter.link(SEED, "A1"))).verdict == "applied"


async def test_keys_are_told_only_when_a_confirmed_backup_has_them(
    server: Server, counter: Counter, types: Types
) -> None:
    assert types("keys", "rotate", code=1)["refused"] == "no-keys-drawn"
    early = types("backup", "begin")["name"]
    assert types("keys", "draw") == types("keys", "draw") == {"drawn": 2}
    for word in ([], ["--anyway"]):
        assert types("keys", "rotate", *word, code=1)["refused"] == "not-in-a-backup"
    types("backup", "confirm", early)  # begun before they were drawn
    assert types("keys", "list")["drawn"] == {"number": 2, "in_backup": False}
    assert types("keys", "rotate", "--anyway", code=1)["refused"] == "not-in-a-backup"
    types("backup", "confirm", types("backup", "begin")["name"])
    assert types("keys", "list")["drawn"] == {"number": 2, "in_backup": True}
    assert types("keys", "rotate", code=1)["refused"] == "counters-cannot-follow"
    assert (await greeted(counter)).server_key == counter.identity.server_key
    await greeted(counter, f"?believes={believes(counter)}")
    assert types("keys", "rotate") == {"present": 2}
    assert keys_of(server).server_key != counter.identity.server_key


async def test_what_is_sealed_to_a_drawn_key_opens(
    server: Server, counter: Counter, types: Types
) -> None:
    """A server that was put back to before the change gets what counters sealed after it."""
    types("keys", "draw")
    with reading(server.core.engine) as connection:
        drawn = connection.execute(text("SELECT seal_key FROM next_key")).scalar_one()
    public = X25519PrivateKey.from_private_bytes(bytes(drawn)).public_key().public_bytes_raw()
    before = counter.identity
    counter.identity = msgspec.structs.replace(before, seal_key=public)
    assert (await counter.verdict(counter.link(SEED, "A1"))).verdict == "applied"
    counter.identity = before
    assert (await counter.verdict(counter.link(OTHER, "A2"))).verdict == "applied"


async def test_a_former_key_is_dropped_when_nothing_sealed_to_it_can_come(
    server: Server, counter: Counter, types: Types, change: Callable[[], int]
) -> None:
    await greeted(counter, f"?believes={believes(counter)}")
    change()
    assert types("keys", "drop", "2", code=1)["refused"] == "key-unknown"
    assert types("keys", "drop", "1", code=1)["refused"] == "counters-behind"
    assert len(keys_of(server).seal_keys) == 2
    late = counter.link(SEED, "A1")
    await greeted(counter, f"?believes={keys_of(server).fingerprint}")
    assert types("keys", "drop", "1") == {"dropped": 1}
    assert types("keys", "drop", "1", code=1)["refused"] == "key-unknown"
    assert len(keys_of(server).seal_keys) == 1
    verdict = await counter.verdict(late)
    assert (verdict.verdict, verdict.kind) == ("invalid", "seal")
    # The way to the present keys stays for whoever was away.
    hello = await greeted(counter)
    assert counter.identity.server_key is not None
    assert follow(hello.successions or (), known=counter.identity.server_key) is not None


async def test_a_key_is_kept_while_a_mutation_waits_for_a_decision(
    server: Server,
    counter: Counter,
    types: Types,
    change: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def poisoned(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(intake, "decide", poisoned)
        held = counter.link(SEED, "A1")
        assert (await counter.verdict(held)).verdict == "held"
    change()
    await greeted(counter, f"?believes={keys_of(server).fingerprint}")
    assert types("keys", "drop", "1", code=1)["refused"] == "held-waits"
    assert (await counter.verdict(held)).verdict == "applied"
    assert types("keys", "drop", "1") == {"dropped": 1}


async def test_a_retired_counter_holds_no_key_up(
    counter: Counter, types: Types, change: Callable[[], int]
) -> None:
    types("terminal", "revoke", counter.identity.device_id)
    change()
    assert types("keys", "drop", "1") == {"dropped": 1}


async def test_there_are_at_most_so_many_former_keys(
    server: Server, counter: Counter, types: Types, change: Callable[[], int]
) -> None:
    item = counter.link(SEED, "A1")
    for _ in range(FORMER_MAX):
        change()
    types("keys", "draw")
    types("backup", "confirm", types("backup", "begin")["name"])
    assert types("keys", "rotate", "--anyway", code=1)["refused"] == "too-many-keys"
    assert len(keys_of(server).seal_keys) == FORMER_MAX + 2  # the present one, and the drawn one
    assert (await counter.verdict(item)).verdict == "applied"  # sealed to the oldest of all
    types("keys", "drop", "1", "--anyway")
    assert types("keys", "rotate", "--anyway") == {"present": FORMER_MAX + 2}


async def test_the_list_says_who_believes_what_and_no_private_byte(
    server: Server, counter: Counter, types: Types, change: Callable[[], int]
) -> None:
    other = await server.enrol(counter.scope)
    await server.enrol(counter.scope)
    await greeted(counter, f"?believes={believes(counter)}")
    change()
    await greeted(other, f"?believes={keys_of(server).fingerprint}")
    types("keys", "draw")
    listed = types("keys", "list")
    assert listed == {
        "present": {"number": 2, "fingerprint": keys_of(server).fingerprint, "counters": 1},
        "former": [{"number": 1, "fingerprint": believes(counter), "counters": 1}],
        "drawn": {"number": 3, "in_backup": False},
        "other_counters": 1,
    }
    told = {row["device_id"]: row["believes"] for row in types("terminal", "list")}
    assert told[counter.identity.device_id] == believes(counter)


@pytest.mark.parametrize("word", ["", "x", "0" * 15, "0" * 17, "G" * 16, "０" * 16, "0%00"])
async def test_a_name_of_keys_that_is_none_is_refused(counter: Counter, word: str) -> None:
    from urllib.parse import quote

    answer = await counter.send("GET", f"/v1/hello?believes={quote(word, safe='%')}")
    assert answer.status_code == 400
    assert msgspec.json.decode(answer.content, type=Problem).type == "malformed"


async def test_a_disk_that_takes_no_write_keeps_no_counter_from_its_greeting(
    server: Server, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_server.core.WRITES_WAITING_MAX", 0)
    hello = await greeted(counter, f"?believes={believes(counter)}")
    assert hello.server_key == keys_of(server).server_key


@pytest.mark.parametrize("column", ["server_key", "seal_key", "signature"])
async def test_check_finds_a_chain_that_leads_nowhere(
    server: Server, counter: Counter, change: Callable[[], int], column: str
) -> None:
    del counter
    for _ in range(3):
        change()
    assert all(finding.ok for finding in self_check(server.core.engine))
    with writing(server.core.engine) as connection:
        statement = f"UPDATE succession SET {column} = :bad WHERE number = 3"  # noqa: S608 - a name
        connection.execute(text(statement), {"bad": bytes(64 if column == "signature" else 32)})
    bad = [finding.check for finding in self_check(server.core.engine) if not finding.ok]
    assert bad == ["keys"]


async def test_a_dropped_key_is_nowhere_at_rest_nor_in_the_running_process(
    server: Server, counter: Counter, types: Types, change: Callable[[], int]
) -> None:
    first = keys_of(server)
    item = counter.link(SEED, "A1")
    await counter.push(item)
    change()
    types("keys", "drop", "1", "--anyway")
    with reading(server.core.engine) as connection:
        rows = connection.execute(text("SELECT seal_key FROM former_seal")).all()
        site = connection.execute(text("SELECT seal_key, sign_key FROM site")).one()
    assert rows == []
    assert first.seal_keys[0] not in map(bytes, site)
    assert first.seal_keys[0] not in keys_of(server).seal_keys
    assert first.sign_key.private_bytes_raw() != bytes(site.sign_key)
    for gone in (first.seal_keys[0], first.sign_key.private_bytes_raw()):
        assert gone not in stored(server)
