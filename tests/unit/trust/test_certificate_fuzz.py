"""Seeded mutants of a good certificate: no uncaught exception, no warning, no second truth."""

import random
from datetime import datetime

import pytest

from mykey_tui.domain.verdict import Accepted, Refused
from mykey_tui.trust.anchors import Anchors
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.trust.chain import judge

MUTANTS = 4000
"""About a second here; docs/adr/0010 says how many were run once."""


def mutant(good: bytes, source: random.Random) -> bytes:
    kind = source.random()
    if kind < 0.5:  # 1 to 3 flipped bits
        changed = bytearray(good)
        for _ in range(source.randint(1, 3)):
            changed[source.randrange(len(changed))] ^= 1 << source.randrange(8)
        return bytes(changed)
    if kind < 0.7:  # cut off
        return good[: source.randrange(len(good))]
    if kind < 0.9:  # 1 to 8 bytes pushed in
        place = source.randrange(len(good))
        return good[:place] + source.randbytes(source.randint(1, 8)) + good[place:]
    return source.randbytes(source.randrange(600))


@pytest.mark.parametrize("name", ["good-generation-2", "good-generation-3"])
def test_no_mutant_of_a_certificate_is_accepted_with_another_content(
    name: str, vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    good, source = vectors[name], random.Random(20261122)  # noqa: S311  # a seed
    refused, digest = 0, parse_certificate(vectors[name]).tbs_digest

    for _ in range(MUTANTS // 2):
        candidate = mutant(good, source)
        verdict = judge(candidate, anchors, at=at)
        if isinstance(verdict, Accepted):
            assert parse_certificate(candidate).tbs_digest == digest
        else:
            assert isinstance(verdict, Refused)
            refused += 1

    assert refused > MUTANTS // 2 * 0.95
