"""What the server cannot decide now waits, stored and not final, and loses nobody's link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from mykey_server.database import reading
from mykey_server.services import intake
from mykey_server.services.admin import list_terminals
from mykey_server.services.cards import TrustedCards
from mykey_server.services.decide import Decision, decide
from mykey_server.services.selfcheck import self_check
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.foreign import Variant
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.trust.certificate import AuthCertificate
from mykey_tui.wire.messages import HelloReply, Problem, PushItem
from tests.server.conftest import Counter, Server, certificate, stored

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"
THIRD = "BBBBBBBBBBBBBB07202002B"


def still_held(server: Server) -> int:
    """As the operator sees it."""
    with reading(server.core.engine) as connection:
        return sum(terminal["held"] for terminal in list_terminals(connection))


async def verdicts(counter: Counter, *items: PushItem) -> list[str]:
    return [item.verdict for item in (await counter.push(*items)).items]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Let the decision on these mutation numbers meet a bug of ours."""
    sound = decide

    def let(mids: set[int]) -> None:
        def poisoned(item: PushItem, *rest: Any) -> Decision:
            # What was changed before the bug showed must not stay.
            decision = sound(item, *rest)
            if item.mid in mids:
                raise RuntimeError(f"{SEED} {item.sid}")
            return decision

        monkeypatch.setattr(intake, "decide", poisoned)

    return let


async def test_a_server_clock_set_back_holds_an_acknowledged_link_and_decides_it_later(
    server: Server, counter: Counter
) -> None:
    item = counter.link(SEED, "A1")
    server.clock.pass_by(-timedelta(days=400))
    held = await counter.verdict(item)
    assert (held.verdict, held.kind, held.row) == ("held", None, None)
    assert server.links() == []
    assert await verdicts(counter, item) == ["held"]
    server.clock.pass_by(timedelta(days=400))
    assert await verdicts(counter, item) == ["applied"]
    assert [row["service_id"] for row in server.links()] == ["A1"]
    assert await verdicts(counter, item) == ["applied"]
    assert still_held(server) == 0
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_a_server_without_anchors_holds_an_acknowledged_link_until_it_has_them(
    server: Server,
) -> None:
    counter = await server.enrol(server.add_provider("R-1", profile="jpki"))
    item = counter.link(SEED, "A1")
    assert await verdicts(counter, item) == ["held"]
    real = load_anchors(anchors_dir())
    server.core.cards = TrustedCards(simulated=real, jpki=real)
    assert await verdicts(counter, item) == ["applied"]


async def test_a_server_that_lacks_the_cards_newer_ca_holds_its_link(counter: Counter) -> None:
    der = certificate(SEED, Variant.WRONG_ISSUER)
    assert await verdicts(counter, counter.link(SEED, "A1", der=der)) == ["held"]


async def test_one_item_that_meets_a_bug_stops_no_other(
    server: Server,
    counter: Counter,
    poison: Callable[[set[int]], None],
) -> None:
    items = [counter.link(cn, sid) for cn, sid in ((SEED, "A1"), (OTHER, "A2"), (THIRD, "A3"))]
    poison({2})
    assert await verdicts(counter, *items) == ["applied", "held", "applied"]
    assert [row["service_id"] for row in server.links()] == ["A1", "A3"]
    hello = await counter.ask(f"/v1/hello?incarnation={counter.incarnation.hex()}", HelloReply)
    assert hello.last_mid == 3
    poison(set())
    assert await verdicts(counter, items[1]) == ["applied"]
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_a_bug_undoes_the_unlink_that_it_met_and_nothing_of_the_items_around_it(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    items = [
        counter.link(OTHER, "A2"),
        counter.unlink(SEED, "A1"),  # Meets the bug when it has freed A1.
        counter.link(THIRD, "A3"),
        counter.unlink(OTHER, "A2"),
    ]
    poison({3})
    assert await verdicts(counter, *items) == ["applied", "held", "applied", "applied"]
    assert [row["service_id"] for row in server.links()] == ["A1", "A3"]
    assert all(finding.ok for finding in self_check(server.core.engine))
    poison(set())
    assert await verdicts(counter, *items) == ["applied"] * 4
    assert [row["service_id"] for row in server.links()] == ["A3"]
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_a_bug_while_a_seal_is_opened_holds_that_item_alone(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    believe = TrustedCards.believe

    def broken(self: TrustedCards, card: AuthCertificate, **options: Any) -> Any:
        if card.cn_text == SEED:
            raise RuntimeError
        return believe(self, card, **options)

    monkeypatch.setattr(TrustedCards, "believe", broken)
    items = [counter.link(SEED, "A1"), counter.link(OTHER, "A2")]
    assert await verdicts(counter, *items) == ["held", "applied"]


async def test_a_held_items_bug_is_logged_by_its_place_alone(
    counter: Counter, poison: Callable[[set[int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    poison({1})
    with caplog.at_level(logging.DEBUG):
        answer = await counter.try_push(counter.batch([counter.link(SEED, "SECRET1")]))
    assert answer.status_code == 200
    assert "RuntimeError at " in caplog.text
    for canary in ("1C2410DF79DGEL", "07202002B", "SECRET1"):
        assert canary not in caplog.text


async def test_a_late_link_does_not_undo_the_unlink_that_came_after_it(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    link, unlink = counter.link(SEED, "A1"), counter.unlink(SEED, "A1")
    poison({1})
    assert await verdicts(counter, link, unlink) == ["held", "held"]
    assert await verdicts(counter, unlink) == ["held"]
    poison(set())
    assert await verdicts(counter, unlink) == ["held"]  # Still behind the link.
    assert await verdicts(counter, unlink, link) == ["applied", "applied"]
    assert server.links() == []
    assert still_held(server) == 0


async def test_a_service_id_waits_behind_the_held_item_that_uses_it(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    poison({1})
    first = counter.link(SEED, "A1")
    assert await verdicts(counter, first) == ["held"]
    second, free = counter.link(OTHER, "A1"), counter.link(THIRD, "A3")
    assert await verdicts(counter, second, free) == ["held", "applied"]
    # Held for its service ID alone, the second holds its own token too.
    assert await verdicts(counter, counter.unlink(OTHER)) == ["held"]
    poison(set())
    again = await counter.push(first, second)
    assert [(item.verdict, item.kind) for item in again.items] == [
        ("applied", None),
        ("conflict", "sid_taken"),
    ]
    assert len(server.links()) == 2


async def test_a_number_that_a_held_unlink_frees_is_not_said_to_be_taken(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    poison({2})
    unlink, link = counter.unlink(SEED), counter.link(OTHER, "A1")
    assert await verdicts(counter, unlink, link) == ["held", "held"]
    poison(set())
    assert await verdicts(counter, unlink, link) == ["applied", "applied"]
    (row,) = server.links()
    assert (row["mykey_id"], row["service_id"]) == (OTHER[:14], "A1")


async def test_another_counters_items_do_not_wait(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    poison({1})
    assert await verdicts(counter, counter.link(SEED, "A1")) == ["held"]
    poison(set())
    neighbour = await server.enrol(counter.scope)
    assert await verdicts(neighbour, neighbour.link(SEED, "A1")) == ["applied"]


async def test_a_held_number_with_another_content_is_a_copied_disk(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    poison({1})
    await counter.push(counter.link(SEED, "A1"))
    poison(set())
    clone = Counter(server, counter.key, counter.identity, counter.incarnation)
    answer = await clone.try_push(clone.batch([clone.link(OTHER, "A2")]))
    assert msgspec.json.decode(answer.content, type=Problem).type == "device-quarantined"
    assert server.links() == []


async def test_an_operation_from_a_newer_counter_is_invalid_for_itself_alone(
    server: Server, counter: Counter
) -> None:
    items = [counter.item("renew", SEED, "A1"), counter.link(OTHER, "A2", v=7)]
    reply = await counter.push(*items, counter.link(THIRD, "A3"))
    assert [(item.verdict, item.kind) for item in reply.items] == [
        ("invalid", "op"),
        ("invalid", "op"),
        ("applied", None),
    ]
    assert [row["service_id"] for row in server.links()] == ["A3"]


async def test_what_a_held_item_is_about_is_kept_as_a_keyed_tag_only(
    server: Server, counter: Counter, poison: Callable[[set[int]], None]
) -> None:
    poison({1})
    await counter.push(counter.link(SEED, "SECRET1"))
    assert still_held(server) == 1
    content = stored(server)
    for canary in (counter.token(SEED), b"SECRET1", b"1C2410DF79DGEL"):
        assert canary not in content
