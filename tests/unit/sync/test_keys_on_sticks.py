"""The server's own keys change while files are on their way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_server.bundle import BundleRefusedError
from mykey_tui.store.believing import Believed
from mykey_tui.sync.retire import RetiredError
from mykey_tui.wire import bundle as form
from mykey_tui.wire.bundle import BundleError, BundleHeader, ForeignBundleError, read_header
from mykey_tui.wire.messages import Succession
from mykey_tui.wire.succession import succeed
from tests.unit.sync.conftest import Counter, Site
from tests.unit.sync.test_by_stick import Sticks
from tests.unit.sync.test_keys_that_follow import is_suspended, present


@pytest.fixture
def linked(site: Site, counter: Counter) -> Counter:
    for number in (1, 2, 3):
        counter.queue(number)
    counter.sync()
    return counter


@pytest.fixture
def sticks(site: Site, tmp_path: Any) -> Sticks:
    return Sticks(site, tmp_path)


def test_a_stick_that_was_on_its_way_while_the_keys_changed(
    site: Site, sticks: Sticks, linked: Counter
) -> None:
    linked.queue(4)
    export = sticks.export(linked)
    site.change_keys()
    site.change_keys()
    site.set_suspended(1, suspended=True)
    reply, carried = sticks.carry(export)
    assert (carried.mutations, carried.verdicts) == (1, 1)
    site.clock.offset += timedelta(seconds=2)
    result = sticks.take(linked, reply)
    assert (result.applied, result.news) == (1, True)
    assert linked.store.believed() == present(site)
    assert is_suspended(linked, 1)
    # The same stick again, and one from before the change, do no harm.
    assert sticks.take(linked, reply).applied == 0
    linked.queue(5)
    assert sticks.there_and_back(linked).applied == 1


def test_a_reply_of_before_the_change_is_refused_after_it_and_the_next_stick_brings_all(
    site: Site, sticks: Sticks, linked: Counter
) -> None:
    linked.queue(4)
    reply, _ = sticks.carry(sticks.export(linked))
    site.change_keys()
    linked.sync()
    with pytest.raises(BundleError, match="signature"):
        sticks.take(linked, reply)
    assert linked.store.believed() == present(site)
    assert linked.finds(4) == "0000000004"


def test_a_stick_ends_a_counter_that_was_away_while_the_keys_changed(
    site: Site, sticks: Sticks, linked: Counter
) -> None:
    export = sticks.export(linked)
    site.change_keys()
    site.retire(linked)
    site.clock.offset += timedelta(seconds=2)
    reply, _ = sticks.carry(export)
    with pytest.raises(RetiredError):
        sticks.take(linked, reply)
    assert not linked.store.home.database.exists()


def test_a_chain_in_the_header_that_is_not_the_servers_is_no_way_in(
    site: Site, sticks: Sticks, linked: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signs a reply with a key of their own, and says that the server handed over to it."""
    before, mine = linked.store.believed(), Ed25519PrivateKey.generate()
    forged = succeed(
        Ed25519PrivateKey.generate(),
        server_key=mine.public_key().public_bytes_raw(),
        seal_key=bytes(32),
    )

    class Forger(form.BundleWriter):
        def __init__(self, file: Any, header: BundleHeader, **keys: Any) -> None:
            header = msgspec.structs.replace(header, successions=[forged])
            super().__init__(file, header, **(keys | {"sign_with": mine}))

    monkeypatch.setattr("mykey_server.bundle.BundleWriter", Forger)
    reply, _ = sticks.carry(sticks.export(linked))
    with pytest.raises(BundleError, match="signature"):
        sticks.take(linked, reply)
    assert linked.store.believed() == before


def test_the_header_of_a_reply_has_the_chain_only_for_whom_it_helps(
    site: Site, sticks: Sticks, linked: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chain(export: Any) -> list[Succession]:
        reply, _ = sticks.carry(export)
        with reply.open("rb") as file:
            return read_header(file).successions

    assert chain(sticks.export(linked)) == []
    site.change_keys()
    assert len(chain(sticks.export(linked))) == 1
    monkeypatch.setattr(Believed, "fingerprint", None)  # as an older program writes it
    assert chain(sticks.export(linked)) == []
    monkeypatch.undo()
    linked.sync()
    assert chain(sticks.export(linked)) == []


def test_a_header_without_a_chain_has_the_bytes_of_before(site: Site) -> None:
    del site
    header = BundleHeader("reply", bytes(16), "0b54d1f2-7a8e-4c1c-9d39-5f3a7b1e2c4d")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(header)).keys() == {"kind", "id", "device"}


def test_an_export_to_a_key_that_was_dropped_is_refused_and_nothing_is_changed(
    site: Site, sticks: Sticks, linked: Counter
) -> None:
    linked.queue(4)
    export = sticks.export(linked)
    site.change_keys()
    site.operate("keys", "drop", "1", "--anyway")
    with pytest.raises(BundleRefusedError, match="does not open"):
        sticks.carry(export)
    assert len(site.links()) == 3


def test_a_counter_says_which_keys_it_believes_on_the_line_and_on_a_stick(
    site: Site, sticks: Sticks, linked: Counter
) -> None:
    def believed() -> str | None:
        (terminal,) = site.operate("terminal", "list")
        told: str | None = terminal["believes"]
        return told

    assert believed() == site.keys().fingerprint
    site.change_keys()
    assert believed() != site.keys().fingerprint
    linked.sync()
    linked.sync()
    assert believed() == site.keys().fingerprint
    site.change_keys()
    sticks.there_and_back(linked)
    sticks.there_and_back(linked)
    assert believed() == site.keys().fingerprint


def test_a_foreign_file_stays_foreign(site: Site, sticks: Sticks, linked: Counter) -> None:
    other = site.enrol(linked.store.identity.scope)
    site.change_keys()
    reply, _ = sticks.carry(sticks.export(other))
    with pytest.raises(ForeignBundleError):
        sticks.take(linked, reply)
    assert linked.store.believed() != present(site)
