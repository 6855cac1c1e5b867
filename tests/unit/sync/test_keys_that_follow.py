"""The server's own keys change while counters work, are away, or come back from a copy."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.store.believing import Believed
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.tables import MutationState
from mykey_tui.sync import round as rounds
from mykey_tui.sync.retire import RetiredError
from mykey_tui.wire.messages import MSGPACK, Problem
from mykey_tui.wire.retirement import retirement_proof
from mykey_tui.wire.succession import succeed
from tests.unit.sync.conftest import Counter, Site
from tests.unit.sync.test_the_suspensions import is_of_suspensions

Send = Callable[[], httpx.Response]


def present(site: Site) -> Believed:
    """What a counter believes that has followed to the server's present keys."""
    keys = site.keys()
    return Believed(keys.server_key, keys.seal_public_key)


def is_suspended(counter: Counter, number: int) -> bool:
    link = counter.store.lookup(counter.token(number))
    return link is not None and link.status.name == "SUSPENDED"


def greet(site: Site, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change what the server's greeting says."""

    def spoiled(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send()
        if not request.url.path.endswith("/hello") or answer.status_code != 200:
            return answer
        body = msgspec.msgpack.encode(change(msgspec.msgpack.decode(answer.read())))
        return httpx.Response(200, headers={"content-type": MSGPACK}, stream=httpx.ByteStream(body))

    site.line.spoil = spoiled


@pytest.fixture
def linked(site: Site, counter: Counter) -> Counter:
    for number in (1, 2, 3):
        counter.queue(number)
    counter.sync()
    return counter


def test_keys_change_without_anybody_noticing(site: Site, linked: Counter) -> None:
    before = linked.store.believed()
    for number in (4, 5, 6):
        linked.queue(number)  # sealed to the key of before each change
        site.change_keys()
        site.set_suspended(number - 3, suspended=True)
        report = linked.sync()
        assert (report.applied, report.invalid, report.digest) == (1, 0, "match")
        assert linked.store.believed() == present(site) != before
        assert is_suspended(linked, number - 3)
    assert len(site.links()) == 6


def test_what_is_queued_after_the_change_is_sealed_to_the_new_key_alone(
    site: Site, linked: Counter
) -> None:
    linked.queue(4)
    site.change_keys()
    linked.sync()
    site.operate("keys", "drop", "1", "--anyway")
    linked.queue(5)
    assert linked.sync().applied == 1
    assert len(site.keys().seal_keys) == 1


def test_another_process_took_the_keys_over_and_this_one_seals_to_them(
    site: Site, linked: Counter
) -> None:
    site.change_keys()
    other = CounterStore.open(linked.store.home)
    site.counter(other, linked.clock).sync()
    assert linked.store.identity.seal_key != present(site).seal_key
    assert linked.store.believed() == present(site)


def test_a_queue_of_two_changes_ago_goes_out(site: Site, linked: Counter) -> None:
    for number in range(10, 15):
        linked.queue(number)
    site.change_keys()
    site.change_keys()
    assert linked.sync().applied == 5
    assert linked.store.believed() == present(site)


def test_a_change_between_the_greeting_and_the_list_is_followed_in_the_same_round(
    site: Site, linked: Counter
) -> None:
    changed: list[bool] = []

    def spoiled(request: httpx.Request, send: Send) -> httpx.Response:
        if is_of_suspensions(request, "heads") and not changed:
            changed.append(True)
            site.change_keys()
        return send()

    site.line.spoil = spoiled
    linked.queue(4)
    assert linked.sync().applied == 1
    assert changed
    assert linked.store.believed() == present(site)


def _stranger(hello: dict[str, Any]) -> dict[str, Any]:
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return hello | {"server_key": key}


def _wrongly_signed(hello: dict[str, Any]) -> dict[str, Any]:
    stranger, server_key = Ed25519PrivateKey.generate(), secrets.token_bytes(32)
    link = succeed(stranger, server_key=server_key, seal_key=bytes(32))
    return hello | {"server_key": server_key, "successions": [msgspec.structs.asdict(link)]}


def _shortened(hello: dict[str, Any]) -> dict[str, Any]:
    return hello | {"successions": hello["successions"][1:]}


def _another_end(hello: dict[str, Any]) -> dict[str, Any]:
    return hello | {"server_key": secrets.token_bytes(32)}


@pytest.mark.parametrize("forge", [_stranger, _wrongly_signed, _shortened, _another_end])
def test_a_greeting_without_proof_replaces_no_key_and_gets_nothing(
    site: Site, linked: Counter, forge: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    before = linked.store.believed()
    site.change_keys()
    site.change_keys()
    greet(site, forge)
    linked.queue(4)
    with pytest.raises(ServerError) as refused:
        linked.sync()
    assert refused.value.code is Code.SERVER_KEYS
    assert linked.store.believed() == before
    assert linked.store.counts().waiting == 1
    site.line.spoil = None
    assert linked.sync().applied == 1


def test_an_old_chain_that_is_played_again_takes_nobody_back(site: Site, linked: Counter) -> None:
    site.change_keys()
    told: list[dict[str, Any]] = []

    def listen(hello: dict[str, Any]) -> dict[str, Any]:
        told.append(hello)
        return hello

    greet(site, listen)
    linked.sync()
    site.line.spoil = None
    site.change_keys()
    linked.sync()
    after = linked.store.believed()
    old = {name: told[0][name] for name in ("server_key", "successions")}
    greet(site, lambda hello: hello | old)
    with pytest.raises(ServerError) as refused:
        linked.sync()
    assert refused.value.code is Code.SERVER_KEYS
    assert linked.store.believed() == after == present(site)


def test_a_counter_that_came_back_from_a_copy_follows_again(site: Site, linked: Counter) -> None:
    former = linked.store.believed()
    site.change_keys()
    linked.sync()
    with linked.store._engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE identity SET server_key = ?, seal_key = ?",
            (former.server_key, former.seal_key),
        )
    linked.queue(4)
    assert linked.sync().applied == 1
    assert linked.store.believed() == present(site)


def test_a_counter_that_was_away_believes_its_end(site: Site, linked: Counter) -> None:
    site.change_keys()
    site.change_keys()
    site.retire(linked)
    with pytest.raises(RetiredError):
        linked.sync()
    assert not linked.store.home.database.exists()


def test_a_key_that_was_given_up_ends_nobody_who_has_followed(site: Site, linked: Counter) -> None:
    """Also where the program was opened before the change, and still remembers the former key."""
    stolen = site.keys().sign_key
    site.change_keys()
    linked.sync()
    assert linked.store.believed() == present(site)
    proof = retirement_proof(stolen, str(linked.store.identity.device_id))

    def spoiled(request: httpx.Request, send: Send) -> httpx.Response:
        del request, send
        body = msgspec.json.encode(Problem("device-retired", "", 401, proof=proof))
        return httpx.Response(
            401,
            headers={"content-type": "application/problem+json"},
            stream=httpx.ByteStream(body),
        )

    site.line.spoil = spoiled
    with pytest.raises(ServerError) as refused:
        linked.sync()
    assert refused.value.code is Code.SERVER_DENIED
    assert linked.store.home.database.exists()


def test_a_server_put_back_to_before_the_change_gets_nothing_until_it_took_its_keys_up_again(
    site: Site, linked: Counter
) -> None:
    site.draw_keys()
    backup = site.backup()
    site.operate("keys", "rotate")
    linked.queue(4)
    linked.sync()
    known = linked.store.believed()
    linked.queue(5)
    site.restore(backup, epoch="0123456789abcdef")
    for _ in range(2):
        with pytest.raises(ServerError) as refused:
            linked.sync()
        assert refused.value.code is Code.SERVER_KEYS
    assert linked.store.unsent() == 2  # and the one of after the backup goes again
    site.draw_keys()  # drawn already: only the backup is new
    site.operate("keys", "rotate")
    assert present(site) == known
    report = linked.sync()
    assert (report.invalid, report.digest, linked.store.unsent()) == (0, "match", 0)
    assert [linked.finds(number) for number in (4, 5)] == ["0000000004", "0000000005"]
    assert len(site.links()) == 5


@pytest.mark.parametrize(
    ("drawn", "changed"),
    [
        pytest.param(True, True, id="the newest backup, another place"),
        pytest.param(True, False, id="the newest backup, the same place"),
        pytest.param(False, True, id="an older backup, another place"),
    ],
)
def test_a_server_put_back_in_the_middle_of_a_round_refuses_nothing_for_good(
    site: Site, linked: Counter, drawn: bool, changed: bool
) -> None:
    """Between the greeting and the push: it opens with the drawn key, or is greeted again."""
    before = site.backup()
    site.draw_keys()
    backup = site.backup() if drawn else before
    site.operate("keys", "rotate")
    linked.queue(4 if changed else 1)
    linked.sync()
    linked.queue(5)
    restored: list[bool] = []

    def spoiled(request: httpx.Request, send: Send) -> httpx.Response:
        if request.url.path.endswith("/push") and not restored:
            restored.append(True)
            site.restore(backup)
        return send()

    site.line.spoil = spoiled
    with suppress(ServerError):
        linked.sync()
    assert restored
    states = {entry.state for entry in linked.store.queue()}
    assert MutationState.INVALID not in states
    if drawn:
        site.draw_keys()
        site.operate("keys", "rotate")
        site.operate("epoch", "renew")
        linked.sync()
        assert linked.store.unsent() == 0
        assert linked.finds(5) == "0000000005"


def test_without_the_wait_a_restored_server_would_refuse_what_waits_for_good(
    site: Site, linked: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teeth of the test above."""
    backup = site.backup()
    site.change_keys()
    linked.sync()
    linked.queue(4)
    site.restore(backup)
    monkeypatch.setattr(rounds, "_judge_keys", lambda *_: None)
    with pytest.raises(ServerError):
        linked.sync()
    states = [entry.state for entry in linked.store.queue()]
    assert states == [MutationState.INVALID]


def test_a_counter_of_an_older_enrolment_keeps_its_seal_key(site: Site, counter: Counter) -> None:
    """It learns the signing key once, as ever; for another seal key there is no proof."""
    older = replace(counter.store.identity, server_key=None)
    home = type(counter.store.home)(counter.store.home.path.with_name("older"))
    site.change_keys()
    away = site.counter(CounterStore.create(home, older), counter.clock)
    away.queue(1)
    assert away.sync().applied == 1
    assert away.store.believed() == Believed(site.keys().server_key, older.seal_key)
