"""What is PostgreSQL's own: its URL, its schema, its history, its log, several processes."""

from __future__ import annotations

import itertools
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from mykey_server.core import open_core
from mykey_server.database import DatabaseError, is_passing, open_database, reading, write
from mykey_server.services.history import renew_epoch
from mykey_server.services.selfcheck import self_check
from mykey_server.services.site import read_epoch
from mykey_server.settings import PostgresUrl, Settings, parse_database
from mykey_tui.domain.clock import SystemClock
from tests.postgres.cluster import Cluster
from tests.server.conftest import POSTGRESQL_ONLY, Counter, Databases, Server
from tests.server.test_server_process import Running, enrolled, mykey_server, push

SEED = "1C2410DF79DGEL07202002B"
PROCESSES = 4


@pytest.fixture
def url(databases: Databases) -> Iterator[PostgresUrl]:
    with databases.fresh() as url:
        yield url


def epoch_of(url: PostgresUrl) -> str:
    core = open_core(Settings(database=url), SystemClock())
    try:
        with reading(core.engine) as connection:
            return read_epoch(connection)
    finally:
        core.close()


def test_an_address_says_its_engine() -> None:
    assert parse_database("a/b.db") == Path("a/b.db")
    assert parse_database("sqlite:///a/b.db") == Path("a/b.db")
    assert parse_database("postgresql://h/n") == PostgresUrl("postgresql://h/n")
    for wrong in ("mysql://h/n", "sqlite://", "://"):
        with pytest.raises(ValueError, match="postgresql"):
            parse_database(wrong)


def test_a_url_is_never_shown_with_its_password() -> None:
    url = PostgresUrl("postgresql://mykey:SECRET@host:wrong/name?nonsense=1")
    assert "SECRET" not in repr(url)
    with pytest.raises(DatabaseError) as refused:
        open_database(url)
    assert "SECRET" not in str(refused.value)


def test_a_host_that_cannot_be_reached_passes_and_ends_with_3(tmp_path: Path) -> None:
    nowhere = f"postgresql:///x?host={quote(str(tmp_path))}"
    engine = open_database(PostgresUrl(nowhere))
    with pytest.raises(OperationalError) as refused, reading(engine):
        pass
    assert is_passing(refused.value)
    assert mykey_server(nowhere, "check", code=3)["failed"] == "database"


def test_every_session_has_its_limits_and_commits_to_the_disk(url: PostgresUrl) -> None:
    loose = PostgresUrl(url.text + "&options=" + quote("-c synchronous_commit=off"))
    engine = open_database(loose)
    with reading(engine) as connection:
        told = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("synchronous_commit", "transaction_isolation", "transaction_read_only",
                         "statement_timeout", "lock_timeout")
        }  # fmt: skip
    assert told == {
        "synchronous_commit": "on",
        "transaction_isolation": "repeatable read",
        "transaction_read_only": "on",
        "statement_timeout": "15s",
        "lock_timeout": "5s",
    }
    shown = write(engine, lambda c: c.exec_driver_sql("SHOW transaction_isolation").scalar_one())
    assert shown == "read committed"
    engine.dispose()


def test_nothing_but_migrate_makes_or_changes_the_schema(databases: Databases) -> None:
    with databases.fresh("template0") as url:
        refusal = mykey_server(url.text, "provider", "list", code=3)
        assert "mykey-server migrate" in refusal["text"]
        assert mykey_server(url.text, "serve", "--listen", "127.0.0.1:0", code=3) == refusal
        assert mykey_server(url.text, "migrate")["migrated"] is True
        assert mykey_server(url.text, "provider", "list") == []
        assert mykey_server(url.text, "migrate")["migrated"] is False


def test_an_epoch_stays_while_the_history_is_the_same(url: PostgresUrl) -> None:
    assert epoch_of(url) == epoch_of(url)


def test_another_history_gets_another_epoch_and_all_processes_the_same_one(
    url: PostgresUrl,
) -> None:
    """As after a dump that was loaded elsewhere: the row names another cluster."""
    before = epoch_of(url)
    engine = open_database(url)
    write(engine, lambda connection: connection.execute(text("UPDATE site SET cluster = '1'")))
    engine.dispose()
    found: list[str] = []
    together = threading.Barrier(PROCESSES)

    def start() -> None:
        together.wait()
        found.append(epoch_of(url))

    threads = [threading.Thread(target=start) for _ in range(PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == PROCESSES
    assert len(set(found)) == 1
    assert found[0] != before


def test_a_dump_that_is_loaded_elsewhere_has_the_same_rows_and_another_epoch(
    url: PostgresUrl, postgresql: Cluster
) -> None:
    """The drill of docs/operations.md, into a cluster of its own."""
    before = epoch_of(url)
    mykey_server(url.text, "provider", "add", "A-1", "--name", "x")
    (name,) = re.findall(r"mykey_\d+", url.text)
    postgresql.dump(name, "drill.dump")
    with tempfile.TemporaryDirectory(prefix="mykey-pg-") as folder:
        other = Cluster(Path(folder))
        other.create()
        try:
            other.execute("CREATE DATABASE drill")
            Path(folder).chmod(0o755)
            shutil.copy(postgresql.folder / "drill.dump", folder)
            Path(folder, "drill.dump").chmod(0o644)
            other.load(Path(folder, "drill.dump"), "drill")
            drill = other.url("drill")
            assert mykey_server(drill.text, "check")["ok"]
            assert [row["alias"] for row in mykey_server(drill.text, "provider", "list")] == ["A-1"]
            assert epoch_of(drill) != before
        finally:
            other.stop("immediate")
    assert epoch_of(url) == before


def test_a_running_server_notices_when_its_connections_were_cut(url: PostgresUrl) -> None:
    core = open_core(Settings(database=url), SystemClock())
    with reading(core.engine) as connection:
        before = read_epoch(connection)
    write(core.engine, lambda c: c.execute(text("UPDATE site SET branch = 77")))
    cutter = open_database(url)
    with pytest.raises(OperationalError), reading(core.engine) as connection:
        write(
            cutter,
            lambda c: c.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            ).all(),
        )
        read_epoch(connection)
    with reading(core.engine) as connection:
        assert read_epoch(connection) != before
    cutter.dispose()
    core.close()


async def test_the_operator_renews_the_epoch_of_an_image_that_was_put_back(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    before = await counter.head()
    renewed = write(server.core.engine, renew_epoch)
    after = await counter.head()
    assert (after.epoch, after.seq, after.digest) == (renewed, before.seq, before.digest)
    assert after.epoch != before.epoch


async def test_text_with_a_nul_is_refused_and_not_a_bug(server: Server, counter: Counter) -> None:
    """PostgreSQL's text cannot hold one; SQLite's can."""
    verdict = await counter.verdict(counter.link(SEED, "A\x001"))
    assert (verdict.verdict, verdict.kind) == ("invalid", "sid")
    verdict = await counter.verdict(counter.unlink(SEED, "A\x001"))
    assert (verdict.verdict, verdict.kind) == ("invalid", "sid")
    key = Ed25519PrivateKey.generate()
    answer = await server.ask_to_enrol("AB\x00DEFGHJK", key)
    assert answer.status_code == 403
    answer = await server.ask_to_enrol(server.make_code(counter.scope), key, name="a\x00b")
    assert answer.status_code == 200
    assert (await counter.send("GET", "/v1/heads?scope=A%00")).status_code == 404


@POSTGRESQL_ONLY
async def test_the_check_says_what_could_lose_a_commit_or_name_a_person(
    server: Server, postgresql: Cluster
) -> None:
    def bad() -> list[str]:
        return [finding.check for finding in self_check(server.core.engine) if not finding.ok]

    def only(check: str) -> bool:
        return bad() == [check]

    assert bad() == []
    for setting, check in (("fsync = off", "durable"), ("log_statement = 'all'", "log")):
        postgresql.execute(f"ALTER SYSTEM SET {setting}")
        postgresql.execute("SELECT pg_reload_conf()")
        server.core.engine.dispose()
        try:
            assert wait_for(partial(only, check)), check
        finally:
            postgresql.execute("ALTER SYSTEM RESET ALL")
            postgresql.execute("SELECT pg_reload_conf()")
    assert wait_for(lambda: bad() == [])


def wait_for(condition: Callable[[], bool]) -> bool:
    """A reload takes a moment."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(100))


@POSTGRESQL_ONLY
async def test_postgresqls_own_log_names_no_person(
    server: Server, counter: Counter, postgresql: Cluster
) -> None:
    await counter.push(counter.link(SEED, "SECRET1"))
    engine = server.core.engine
    statement = text(
        "INSERT INTO my_key_id (my_key_id, terminal_code, kind, origin, status, certificate_tag)"
        " SELECT my_key_id, terminal_code, kind, origin, status, certificate_tag FROM my_key_id"
        " WHERE my_key_id = :id"
    )
    with pytest.raises(IntegrityError):
        write(engine, lambda connection: connection.execute(statement, {"id": SEED[:14]}))
    log = (postgresql.folder / "log").read_text()
    assert "pk_my_key_id" in log  # The error itself is there.
    assert SEED[:14] not in log
    assert "SECRET1" not in log


def test_two_serving_processes_on_one_database_are_one_server(
    url: PostgresUrl, tmp_path: Path
) -> None:
    both = [Running(url.text, log=tmp_path / f"{number}.log") for number in range(2)]
    try:
        counter = enrolled(url.text, both[0].url)
        items = [counter.link(f"M{n:013d}07202002B", f"S{n}") for n in range(40)]
        for first, server in zip(range(0, 40, 4), itertools.cycle(both)):
            batch = items[first : first + 4]
            reply = push(counter, server.url, batch)
            assert {item.verdict for item in reply.items} == {"applied"}
            other = both[0] if server is both[1] else both[1]
            again = push(counter, other.url, batch)  # As if the reply had been lost.
            assert [item.row for item in again.items] == [item.row for item in reply.items]
            assert (again.epoch, again.seq) == (reply.epoch, reply.seq)
    finally:
        codes = [server.stop(signal.SIGTERM) for server in both]
    assert codes == [0, 0]
    rows = mykey_server(url.text, "link", "list")
    assert sorted(row["seq"] for row in rows) == list(range(1, 41))
    assert mykey_server(url.text, "check")["ok"]
