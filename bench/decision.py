"""From the last byte of the card to the decision: verify, look up, decide, in a cache of 1,000,000 rows."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.figures import milliseconds
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import DeviceId, Incarnation, ProviderId, SubjectCn
from mykey_tui.domain.service_id import ANY_SERVICE_ID
from mykey_tui.domain.tokens import default_token
from mykey_tui.flows.identify import CertificateJudge
from mykey_tui.flows.lookup import find_link
from mykey_tui.flows.outcomes import IdentifiedCard
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.cards import make_card
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.wire.messages import PAGE_ROWS_MAX, Row

ROWS = 1_000_000
CARDS = 40
DECISIONS = 4_000
EPOCH = "bench"


def identity() -> Identity:
    """A counter that no server knows, with keys that are no secrets."""
    return Identity(
        device_id=DeviceId(UUID(int=1)),
        incarnation=Incarnation(bytes(16)),
        provider_id=ProviderId.parse("A-α1-0001"),
        provider_name="bench",
        scope="A-alpha1-0001",
        provider_key=bytes(32),
        digest_key=bytes(32),
        seal_key=bytes(32),
        device_key=bytes(32),
        server_url="http://127.0.0.1:1",
        profile="simulated",
        counter_name="bench",
        service_id_format=ANY_SERVICE_ID,
    )


@contextmanager
def full_store(rows: list[Row]) -> Iterator[CounterStore]:
    """A store that holds `rows`, brought in page by page as a first sync would."""
    with tempfile.TemporaryDirectory() as folder:
        store = CounterStore.create(Home(Path(folder)), identity())
        try:
            for start in range(0, len(rows), PAGE_ROWS_MAX):
                page = rows[start : start + PAGE_ROWS_MAX]
                store.apply_page(page, epoch=EPOCH, cursor=page[-1][4])
            yield store
        finally:
            store.close()


def synthetic_rows(count: int, *, seed: int = 1) -> list[Row]:
    """Random tokens in token order, ten-digit service IDs, one seq each."""
    generator = random.Random(seed)  # noqa: S311  # synthetic rows, no secret
    tokens = sorted({generator.randbytes(16) for _ in range(count)})
    return [(token, None, f"{seq:010d}", 0, seq) for seq, token in enumerate(tokens, start=1)]


def measure() -> dict[str, Any]:
    now = datetime.now(UTC)
    cns = [f"BENCH{n:09d}08220003A" for n in range(CARDS)]
    ders = [make_card(cn, at=now).files[0x000A] for cn in cns]
    keys = identity()
    known: list[Row] = [
        (default_token(keys.provider_key, SubjectCn.parse(cn)), None, f"K{n:09d}", 0, ROWS + n + 1)
        for n, cn in enumerate(cns)
    ]
    clock = SystemClock()
    certificate_judge = CertificateJudge(load_anchors(anchors_dir()), clock)
    begun = time.perf_counter()
    with full_store([*synthetic_rows(ROWS), *known]) as store:
        filled = time.perf_counter() - begun
        spent = []
        for n in range(DECISIONS):
            start = time.perf_counter()
            card = certificate_judge.judge(ders[n % CARDS])
            if not isinstance(card, IdentifiedCard):
                raise TypeError("a good card was not accepted")
            link = find_link(card, store)
            spent.append(time.perf_counter() - start)
            if link is None or link.link.service_id.text != f"K{n % CARDS:09d}":
                raise ValueError("the wrong row was found")
    return {
        "rows": ROWS,
        "decisions": DECISIONS,
        "fill_rows_per_second": round(ROWS / filled),
        **milliseconds(spent),
        "targets": {"p99_ms": 5.0},
    }
