"""Whatever the line does to a counter's batches, each mutation counts exactly once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mykey_server.app import create_app
from mykey_server.services import intake
from mykey_server.services.decide import Decision
from mykey_server.services.decide import decide as sound
from mykey_server.services.selfcheck import self_check
from mykey_server.settings import Settings
from mykey_tui.wire.messages import ItemVerdict, PushItem
from tests.server.conftest import ORIGIN, Counter, Server, TestClock

PEOPLE = [f"M{number:013d}07202002B" for number in range(4)]
SIDS = ["S1", "S2", "S3", "-not-a-format!"]

mutations = st.lists(
    st.tuples(
        st.sampled_from(["link", "link", "unlink"]), st.sampled_from(PEOPLE), st.sampled_from(SIDS)
    ),
    min_size=1,
    max_size=8,
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], list[list[int]]]:
    """Mutations, and batches of their indexes: permuted, repeated, cut short."""
    made = draw(mutations)
    index = st.integers(0, len(made) - 1)
    return made, draw(st.lists(st.lists(index, min_size=1, max_size=10), max_size=5))


@settings(max_examples=30, deadline=None)
@given(plan=deliveries())
def test_any_order_repetition_or_loss_ends_as_if_each_had_been_sent_once(
    plan: tuple[list[tuple[str, str, str]], list[list[int]]],
) -> None:
    made, batches = plan
    expected, links = asyncio.run(deliver(made, [[n] for n in range(len(made))]))
    assert asyncio.run(deliver(made, [*batches, list(range(len(made)))])) == (expected, links)


@settings(max_examples=15, deadline=None)
@given(plan=deliveries(), stuck=st.sets(st.integers(1, 8)))
def test_whatever_was_held_ends_as_if_it_had_been_decided_at_once(
    plan: tuple[list[tuple[str, str, str]], list[list[int]]], stuck: set[int]
) -> None:
    made, batches = plan
    everything = list(range(len(made)))
    expected, links = asyncio.run(deliver(made, [everything]))
    late = asyncio.run(deliver(made, [*batches, everything, everything], stuck=stuck))
    assert late[1] == links
    assert late[0] == expected


async def deliver(
    made: list[tuple[str, str, str]],
    batches: list[list[int]],
    *,
    stuck: Collection[int] = (),
) -> tuple[list[tuple[str, str | None]], list[tuple[str, str]]]:
    """Send the batches; return the final verdicts, and the links that stand in the end."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(database=Path(folder) / "server.db"), TestClock())
        transport = httpx.ASGITransport(app=app)
        try:
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
                server = Server(app, app.state.core, app.state.core.clock, http)
                counter = await server.enrol(server.add_provider("A-1"))
                items = [counter.item(op, cn, sid) for op, cn, sid in made]
                final: dict[int, tuple[str, str | None]] = {}
                with stumbling(stuck):
                    await send(counter, items, batches[:-1], final)
                await send(counter, items, batches[-1:], final)
                verdicts = [final[index] for index in range(len(items))]
            assert all(finding.ok for finding in self_check(server.core.engine))
            links = [(row["mykey_id"], row["service_id"]) for row in server.links()]
            return verdicts, sorted(links)
        finally:
            app.state.core.close()


@contextmanager
def stumbling(stuck: Collection[int]) -> Iterator[None]:
    """A server that meets a bug at these mutation numbers."""

    def decide(item: PushItem, *rest: Any) -> Decision:
        if item.mid in stuck:
            raise RuntimeError
        return sound(item, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "decide", decide)
        yield


async def send(
    counter: Counter,
    items: list[PushItem],
    batches: list[list[int]],
    final: dict[int, tuple[str, str | None]],
) -> None:
    for batch in batches:
        reply = await counter.push(*(items[index] for index in batch))
        for index, verdict in zip(batch, reply.items, strict=True):
            settle(final, index, verdict)


def settle(final: dict[int, tuple[str, str | None]], index: int, verdict: ItemVerdict) -> None:
    """A verdict once given is given again; only `retry` and `held` may change."""
    assert verdict.mid == index + 1
    if verdict.verdict in {"retry", "held"}:
        assert index not in final
    else:
        assert final.setdefault(index, (verdict.verdict, verdict.kind)) == (
            verdict.verdict,
            verdict.kind,
        )
