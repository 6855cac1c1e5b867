"""Opening: the right key, the right engine, a sound file; or a code that says which is not."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import sqlcipher3.dbapi2 as dbapi
from sqlalchemy.exc import IntegrityError

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.domain.ids import LookupToken, ServiceId
from mykey_tui.store import migrations
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import is_sound_version, open_engine, reading, writing
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.store.keys import CREDENTIAL_NAME, KeySource, key_source, load_key
from mykey_tui.wire.messages import Row


def code_of_opening(home: Home) -> Code:
    with pytest.raises(StoreError) as caught:
        CounterStore.open(home)
    return caught.value.code


def test_what_enrolment_gave_is_there_after_a_restart(
    store: CounterStore, home: Home, identity: Identity
) -> None:
    store.close()
    again = CounterStore.open(home)
    assert again.identity == identity
    again.close()


def test_no_store_is_said_to_be_none(home: Home) -> None:
    assert code_of_opening(home) is Code.STORE_NONE
    assert not home.database.exists()


def test_a_home_is_enrolled_once(store: CounterStore, home: Home, identity: Identity) -> None:
    with pytest.raises(StoreError) as caught:
        CounterStore.create(home, identity)
    assert caught.value.code is Code.ENROL_ALREADY


def test_a_wrong_key_is_told_from_a_damaged_file(store: CounterStore, home: Home) -> None:
    store.close()
    home.write_private(home.key_file, b"ab" * 32)
    assert code_of_opening(home) is Code.STORE_KEY


@pytest.mark.parametrize("text", [b"", b"xyz", b"ab" * 31, b"ab" * 33])
def test_a_file_that_is_no_key_is_a_key_fault(store: CounterStore, home: Home, text: bytes) -> None:
    store.close()
    home.write_private(home.key_file, text)
    assert code_of_opening(home) is Code.STORE_KEY


def test_a_missing_key_is_a_key_fault(store: CounterStore, home: Home) -> None:
    store.close()
    home.key_file.unlink()
    assert code_of_opening(home) is Code.STORE_KEY


def test_a_damaged_first_page_is_corrupt_and_the_file_stays(
    store: CounterStore, home: Home
) -> None:
    store.close()
    content = bytearray(home.database.read_bytes())
    content[100] ^= 1
    home.database.write_bytes(content)
    assert code_of_opening(home) is Code.STORE_CORRUPT
    assert home.database.read_bytes() == content


def test_a_truncated_file_is_corrupt(store: CounterStore, home: Home) -> None:
    store.close()
    home.database.write_bytes(home.database.read_bytes()[:5000])
    assert code_of_opening(home) is Code.STORE_CORRUPT


def test_a_newer_schema_is_left_alone(store: CounterStore, home: Home) -> None:
    store.close()
    engine = open_engine(home.database, key=load_key(home))
    with writing(engine) as connection:
        connection.exec_driver_sql(f"PRAGMA user_version = {len(migrations.STEPS) + 1}")
    engine.dispose()
    assert code_of_opening(home) is Code.STORE_NEWER


def test_a_store_set_aside_is_kept_with_its_key(
    store: CounterStore, home: Home, identity: Identity
) -> None:
    store.close()
    content, key = home.database.read_bytes(), home.key_file.read_bytes()
    aside = home.set_aside()
    assert (aside / "counter.db").read_bytes() == content
    assert (aside / "counter.key").read_bytes() == key
    CounterStore.create(home, identity).close()
    assert home.key_file.read_bytes() != key


def test_a_creation_that_was_cut_off_leaves_no_store(home: Home, identity: Identity) -> None:
    home.prepare()
    (home.path / "counter.db.new").write_bytes(b"half")
    (home.path / "counter.db.new-wal").write_bytes(b"half")
    assert code_of_opening(home) is Code.STORE_NONE
    CounterStore.create(home, identity).close()
    assert sorted(path.name for path in home.path.glob("counter.db*")) == ["counter.db"]


def test_nobody_else_on_the_machine_may_read_the_home(store: CounterStore, home: Home) -> None:
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    for name in ("counter.db", "counter.db-wal", "counter.key"):
        assert stat.S_IMODE((home.path / name).stat().st_mode) == 0o600


def test_a_systemd_credential_goes_before_the_key_file(tmp_path: Path, home: Home) -> None:
    home.prepare()
    home.write_private(home.key_file, b"11" * 32)
    (tmp_path / CREDENTIAL_NAME).write_text("22" * 32 + "\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_key(home, environment) == bytes.fromhex("22" * 32)
    assert key_source(environment) is KeySource.CREDENTIAL
    assert load_key(home, {}) == bytes.fromhex("11" * 32)
    assert key_source({}) is KeySource.KEY_FILE


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
    ],
)
def test_an_engine_with_the_wal_reset_bug_is_refused(
    version: tuple[int, int, int], sound: bool, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_sound_version(version) is sound
    if not sound:
        monkeypatch.setattr(dbapi, "sqlite_version_info", version)
        with pytest.raises(StoreError) as caught:
            open_engine(home.database, key=None)
        assert caught.value.code is Code.STORE_ENGINE


def test_every_connection_waits_for_the_disk(store: CounterStore, home: Home) -> None:
    engine = open_engine(home.database, key=load_key(home))
    with reading(engine) as first, reading(engine) as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_a_double_key_reaches_us_as_sqlalchemys_own_error(store: CounterStore, home: Home) -> None:
    engine = open_engine(home.database, key=load_key(home))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO progress SELECT * FROM progress"  # the one row, twice
        )
    engine.dispose()


def test_the_engine_says_nothing_on_standard_error(
    store: CounterStore, home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    store.close()
    content = bytearray(home.database.read_bytes())
    content[100] ^= 1
    home.database.write_bytes(content)
    code_of_opening(home)
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_is_found_and_never_served(
    store: CounterStore, home: Home, row: Callable[..., Row]
) -> None:
    rows = [row(f"person {n}", f"{n:010}", seq=n) for n in range(1, 2001)]
    store.apply_page(rows, epoch="e", cursor=2000)
    store.close()
    good = home.database.read_bytes()
    expected = {r[0]: r[2] for r in rows}
    random = Random(20261122)  # noqa: S311  # which bits to flip
    found = 0
    for _ in range(40):
        content = bytearray(good)
        content[random.randrange(16, len(content))] ^= 1 << random.randrange(8)
        home.database.write_bytes(content)
        try:
            damaged = CounterStore.open(home)
        except StoreError as error:
            assert error.code is Code.STORE_CORRUPT
            found += 1
            continue
        try:
            for token, service_id in expected.items():
                link = damaged.lookup(LookupToken(token))
                assert link is not None
                assert link.service_id == ServiceId(service_id)
        except StoreError as error:
            assert error.code is Code.STORE_CORRUPT
            found += 1
        finally:
            damaged.close()
    assert found > 20  # the rest fell on pages that no lookup reads


def test_a_plain_file_is_not_taken_for_a_store(home: Home) -> None:
    home.prepare()
    home.write_private(home.key_file, b"ab" * 32)
    plain = dbapi.connect(str(home.database))
    plain.execute("CREATE TABLE t (x)")
    plain.close()
    assert code_of_opening(home) is Code.STORE_KEY
