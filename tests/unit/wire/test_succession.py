"""A key is believed for the signatures that lead to it from the one that is known, and for nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.wire import succession
from mykey_tui.wire.messages import (
    RETIRED_CONTEXT,
    SUCCESSIONS_MAX,
    SUSPENSION_CONTEXT,
    HelloReply,
    Succession,
)
from mykey_tui.wire.retirement import proves_retirement, retirement_proof
from mykey_tui.wire.succession import fingerprint, follow, is_signed, succeed

DEVICE = "0d1e6fb0-6c1b-4d0e-9a59-7f4a4d9a0001"


def private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def public(number: int) -> bytes:
    return private(number).public_key().public_bytes_raw()


def seal_key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def link(before: int, after: int) -> Succession:
    return succeed(private(before), server_key=public(after), seal_key=seal_key(after))


def chain(*numbers: int) -> list[Succession]:
    """From the first of these keys, which is not in it, to the last."""
    return [link(before, after) for before, after in pairwise(numbers)]


@pytest.mark.parametrize("known", [1, 2, 3])
def test_a_chain_leads_from_any_of_its_keys_to_the_newest(known: int) -> None:
    newest = follow(chain(1, 2, 3, 4), known=public(known))
    assert newest is not None
    assert (newest.server_key, newest.seal_key) == (public(4), seal_key(4))


@pytest.mark.parametrize(
    ("known", "links"),
    [
        pytest.param(1, [], id="none"),
        pytest.param(9, chain(1, 2, 3), id="begins at another key"),
        pytest.param(3, chain(1, 2, 3), id="an old chain goes back to nothing"),
        pytest.param(4, chain(1, 2, 3), id="older than what is known"),
        pytest.param(1, [link(1, 2), link(1, 3)], id="signed by a key before the one before"),
        pytest.param(1, [link(2, 3), link(1, 2)], id="in another order"),
        pytest.param(1, [link(1, 2), link(9, 3)], id="a stranger in the middle"),
        pytest.param(2, [link(1, 2), link(9, 3)], id="a stranger after the known one"),
        pytest.param(1, chain(*range(1, SUCCESSIONS_MAX + 3)), id="too long"),
        pytest.param(0, [Succession(bytes(32), bytes(32), bytes(64))], id="zeros"),
    ],
)
def test_any_other_chain_leads_nowhere(known: int, links: list[Succession]) -> None:
    assert follow(links, known=public(known)) is None


def test_the_longest_chain_is_followed() -> None:
    links = chain(*range(1, SUCCESSIONS_MAX + 2))
    assert len(links) == SUCCESSIONS_MAX
    assert follow(links, known=public(1)) == links[-1]


@pytest.mark.parametrize("field", ["server_key", "seal_key", "signature"])
@given(bit=st.integers(0, 255))
def test_no_bit_of_a_link_can_be_another(field: str, bit: int) -> None:
    good = link(1, 2)
    value = bytearray(getattr(good, field))
    value[bit // 8] ^= 1 << bit % 8
    bad = msgspec.structs.replace(good, **{field: bytes(value)})
    assert is_signed(good, by=public(1))
    assert not is_signed(bad, by=public(1))
    assert follow([bad], known=public(1)) is None


@pytest.mark.parametrize("context", [SUSPENSION_CONTEXT, RETIRED_CONTEXT, b""])
def test_what_the_server_signs_for_another_purpose_hands_no_key_over(context: bytes) -> None:
    body = msgspec.msgpack.encode((public(1), public(2), seal_key(2)))
    forged = Succession(public(2), seal_key(2), private(1).sign(context + body))
    assert follow([forged], known=public(1)) is None


@given(st.binary(max_size=40), st.lists(st.binary(min_size=64, max_size=64), max_size=3))
def test_whatever_bytes_come_nothing_is_raised(known: bytes, signatures: list[bytes]) -> None:
    links = [Succession(s[:32], s[32:], s) for s in signatures]
    assert follow(links, known=known) is None or any(s[:32] == known for s in signatures)


def test_the_same_keys_are_handed_over_in_the_same_words() -> None:
    assert link(1, 2) == link(1, 2)
    published = Path(__file__).parents[2] / "vectors" / "wire" / "now" / "HelloReply.keys.msgpack"
    hello = msgspec.msgpack.decode(published.read_bytes(), type=HelloReply)
    assert isinstance(hello.successions, list)
    assert hello.successions[-1].server_key == hello.server_key


def test_a_counter_that_was_away_believes_its_end_over_the_chain() -> None:
    proof = retirement_proof(private(3), DEVICE)
    away = {"server_key": public(1), "device_id": DEVICE}
    assert proves_retirement(proof, successions=chain(1, 2, 3), **away)  # type: ignore[arg-type]
    assert not proves_retirement(proof, **away)  # type: ignore[arg-type]
    strangers = [link(1, 2), link(9, 3)]
    assert not proves_retirement(proof, successions=strangers, **away)  # type: ignore[arg-type]
    # A key that was given up ends nobody who has followed.
    old = retirement_proof(private(1), DEVICE)
    assert not proves_retirement(
        old, server_key=public(2), device_id=DEVICE, successions=chain(1, 2)
    )


def test_fingerprints_tell_pairs_apart() -> None:
    pairs = [(a, b) for a in (1, 2) for b in (1, 2)]
    names = {fingerprint(server_key=public(a), seal_key=seal_key(b)) for a, b in pairs}
    assert len(names) == len(pairs)


def test_without_the_check_of_the_signature_these_tests_would_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The teeth of the table above: with this line of the program gone, strangers are followed."""
    monkeypatch.setattr(succession, "is_signed", lambda *_, **__: True)
    newest = follow([link(1, 2), link(9, 3)], known=public(1))
    assert newest is not None
    assert newest.server_key == public(3)
