"""The operator retires a counter: it ends on the server's proof, and on nothing less."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError, StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.retire import destroy
from mykey_tui.sync import background
from mykey_tui.sync.background import BackgroundSync, Line
from mykey_tui.sync.retire import RetiredError
from mykey_tui.wire.messages import PROBLEM_JSON, RETIRED_CONTEXT, SUSPENSION_CONTEXT, Problem
from mykey_tui.wire.retirement import proves_retirement, retirement_proof
from tests.unit.sync.conftest import Counter, Site


def refusal(problem: Problem) -> httpx.Response:
    body = msgspec.json.encode(problem)
    return httpx.Response(
        401, headers={"content-type": PROBLEM_JSON}, stream=httpx.ByteStream(body)
    )


def files_of(home: Home) -> set[str]:
    return {path.name for path in home.path.iterdir() if path.is_file()}


def test_a_retired_counter_destroys_its_keys_and_says_what_was_lost(
    site: Site, counter: Counter
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    counter.queue(3)
    home = counter.store.home
    key, ciphertext = home.key_file.read_bytes(), home.database.read_bytes()
    site.retire(counter)
    with pytest.raises(RetiredError) as ended:
        counter.sync()
    assert (ended.value.code, ended.value.lost) == (Code.SERVER_RETIRED, 2)
    assert files_of(home) == {"sync.lock"}
    left = b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())
    assert key.strip() not in left
    assert ciphertext[4096:4160] not in left
    with pytest.raises(StoreError) as closed:
        CounterStore.open(home)
    assert closed.value.code is Code.STORE_NONE


def test_a_retired_box_can_be_enrolled_anew(site: Site, counter: Counter) -> None:
    counter.queue(1)
    counter.sync()
    home = counter.store.home
    site.retire(counter)
    with pytest.raises(RetiredError):
        counter.sync()
    again = site.enrol(counter.store.identity.scope, home=home)
    again.sync()
    assert again.finds(1) == "0000000001"


Forge = Callable[[Problem, Counter], bytes | None]


def no_proof(problem: Problem, counter: Counter) -> bytes | None:
    del problem, counter
    return None


def own_key(problem: Problem, counter: Counter) -> bytes | None:
    del problem
    device = str(counter.store.identity.device_id)
    return retirement_proof(Ed25519PrivateKey.generate(), device)


def flipped(problem: Problem, counter: Counter) -> bytes | None:
    del counter
    assert problem.proof is not None
    return problem.proof[:-1] + bytes([problem.proof[-1] ^ 1])


def shortened(problem: Problem, counter: Counter) -> bytes | None:
    del counter
    assert problem.proof is not None
    return problem.proof[:32]


@pytest.mark.parametrize("forge", [no_proof, own_key, flipped, shortened])
def test_a_refusal_without_the_servers_own_proof_destroys_nothing(
    site: Site, counter: Counter, forge: Forge
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)
    site.retire(counter)

    def spoil(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        del request
        answer = send()
        problem = msgspec.json.decode(answer.read(), type=Problem)
        assert problem.type == "device-retired"
        changed = msgspec.structs.replace(problem, proof=forge(problem, counter))
        return refusal(changed)

    site.line.spoil = spoil
    with pytest.raises(ServerError) as refused:
        counter.sync()
    assert refused.value.code is Code.SERVER_DENIED
    assert (counter.finds(1), counter.store.unsent()) == ("0000000001", 1)
    assert {"counter.db", "counter.key"} <= files_of(counter.store.home)


def test_another_counters_proof_destroys_nothing(site: Site, counter: Counter) -> None:
    other = site.enrol(counter.store.identity.scope)
    stolen = retirement_proof(site.keys().sign_key, str(other.store.identity.device_id))

    def spoil(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        del request, send
        problem = Problem("device-retired", "", 401, proof=stolen)
        return refusal(problem)

    site.line.spoil = spoil
    with pytest.raises(ServerError) as refused:
        counter.sync()
    assert refused.value.code is Code.SERVER_DENIED
    assert counter.store.home.database.exists()


def test_a_counter_of_an_older_enrolment_knows_no_server_key_and_ends_by_nobodys_word(
    site: Site, counter: Counter
) -> None:
    older = replace(counter.store.identity, server_key=None)
    store = CounterStore.create(Home(counter.store.home.path.with_name("older")), older)
    older_counter = site.counter(store, counter.clock)
    site.retire(counter)
    with pytest.raises(ServerError) as refused:
        older_counter.sync()
    assert refused.value.code is Code.SERVER_DENIED
    assert store.home.database.exists()


def test_what_the_server_signs_for_another_purpose_is_no_proof() -> None:
    key, device = Ed25519PrivateKey.generate(), "0d1e6fb0-6c1b-4d0e-9a59-7f4a4d9a0001"
    server_key = key.public_key().public_bytes_raw()
    good = retirement_proof(key, device)
    assert proves_retirement(good, server_key=server_key, device_id=device)
    assert key.sign(RETIRED_CONTEXT + device.encode()) == good
    for proof in (key.sign(SUSPENSION_CONTEXT + device.encode()), key.sign(device.encode()), b""):
        assert not proves_retirement(proof, server_key=server_key, device_id=device)
    assert not proves_retirement(good, server_key=b"x", device_id=device)
    assert not proves_retirement(good, server_key=server_key, device_id=device[:-1] + "2")


def test_the_screens_thread_ends_and_goes_on_saying_why(site: Site, counter: Counter) -> None:
    site.retire(counter)
    thread = BackgroundSync(
        counter.store, counter.client, on_change=lambda: None, probe=lambda: True
    )
    thread.start()
    deadline = time.monotonic() + 20
    while thread._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not thread._thread.is_alive()
    assert (thread.view.line, thread.view.code) == (Line.REFUSED, Code.SERVER_RETIRED)
    assert thread.round_soon(1.0)


def test_a_counter_that_only_asks_for_news_ends_too(
    site: Site, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "poll_seconds", lambda asked, random: 0.05)
    thread = BackgroundSync(
        counter.store, counter.client, on_change=lambda: None, probe=lambda: True
    )
    thread.start()
    assert thread.round_soon(20.0)
    assert thread.view.line is Line.UP
    site.retire(counter)
    deadline = time.monotonic() + 20
    while thread._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (thread.view.line, thread.view.code) == (Line.REFUSED, Code.SERVER_RETIRED)
    assert not counter.store.home.database.exists()
    assert not counter.store.home.key_file.exists()


def test_an_end_that_was_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.database.write_bytes(b"store")
    home.database.with_name("counter.db-wal").write_bytes(b"log")
    aside = home.path / "aside-1"
    aside.mkdir()
    (aside / "counter.db").write_bytes(b"an earlier store")
    destroy(home)
    destroy(home)
    assert files_of(home) == set()
    assert (aside / "counter.db").read_bytes() == b"an earlier store"


def test_a_key_that_is_a_link_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    elsewhere = tmp_path / "precious"
    elsewhere.write_bytes(b"precious")
    home.key_file.symlink_to(elsewhere)
    home.database.write_bytes(b"store")
    with pytest.raises(StoreError):
        destroy(home)
    assert elsewhere.read_bytes() == b"precious"
    assert not home.database.exists()
