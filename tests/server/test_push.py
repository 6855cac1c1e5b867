"""A counter's mutations arrive: verdicts, exactly once, in order, whatever the line does."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import insert

from mykey_server.services.proof import certificate_tag
from mykey_server.services.selfcheck import self_check
from mykey_tui.domain.digest import EMPTY_DIGEST, replace, weight
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.tokens import binding, chosen_token
from mykey_tui.simulated.foreign import Variant
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.wire.messages import Position, Problem
from tests.server.conftest import Counter, Server, certificate

SEED = "1C2410DF79DGEL07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"
TAKEN = {Variant.GOOD, Variant.EXPIRED}
HELD = {Variant.NOT_YET_VALID, Variant.WRONG_ISSUER}
"""The server's own clock or anchors may be what is wrong."""


def sample_cn(number: int) -> str:
    return f"M{number:013d}07202002B"


async def test_a_link_is_applied_and_stands_in_the_management_table(
    server: Server, counter: Counter
) -> None:
    verdict = await counter.verdict(counter.link(SEED, "ABCDEFGHI"))
    assert (verdict.verdict, verdict.kind) == ("applied", None)
    assert verdict.row == (counter.token(SEED), None, "ABCDEFGHI", 0, 1)
    assert server.links() == [
        {
            "mykey_id": "1C2410DF79DGEL",
            "terminal_code": "07202002B",
            "provider_id": "A-α1-0001",
            "service_id": "ABCDEFGHI",
            "status": "active",
            "seq": 1,
        }
    ]


async def test_three_providers_hold_the_three_rows_of_the_concept_paper(server: Server) -> None:
    for provider, sid in (
        ("A-α1-0001", "ABCDEFGHI"),
        ("B-β1-0002", "2802121234"),
        ("C-γ1-0003", "1111358665"),
    ):
        counter = await server.enrol(server.add_provider(provider))
        assert (await counter.verdict(counter.link(SEED, sid))).verdict == "applied"
    rows = [(row["provider_id"], row["service_id"]) for row in server.links()]
    assert sorted(rows) == [
        ("A-α1-0001", "ABCDEFGHI"),
        ("B-β1-0002", "2802121234"),
        ("C-γ1-0003", "1111358665"),
    ]


async def test_the_same_link_twice_is_already_there(counter: Counter) -> None:
    reply = await counter.push(counter.link(SEED, "A1"), counter.link(SEED, "A1"))
    assert [item.verdict for item in reply.items] == ["applied", "already"]
    assert reply.seq == 1


async def test_a_person_keeps_the_first_service_id(counter: Counter) -> None:
    reply = await counter.push(counter.link(SEED, "A1"), counter.link(SEED, "A2"))
    second = reply.items[1]
    assert (second.verdict, second.kind) == ("conflict", "key_linked")
    assert second.row is not None
    assert second.row[2] == "A1"


async def test_a_service_id_belongs_to_one_person(counter: Counter) -> None:
    reply = await counter.push(counter.link(SEED, "A1"), counter.link(OTHER, "A1"))
    second = reply.items[1]
    assert (second.verdict, second.kind) == ("conflict", "sid_taken")
    assert second.row is not None
    assert second.row[0] == counter.token(SEED)


async def test_unlinking_leaves_a_tombstone_that_names_nobody(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    reply = await counter.push(counter.unlink(SEED, "A1"))
    assert reply.items[0].verdict == "applied"
    assert reply.items[0].row == (counter.token(SEED), None, "", 9, 2)
    assert server.links() == []
    assert reply.digest == EMPTY_DIGEST
    assert (await counter.verdict(counter.unlink(SEED))).verdict == "already"


async def test_a_service_id_moves_to_another_person_within_one_batch(counter: Counter) -> None:
    await counter.push(counter.link(SEED, "A1"), counter.link(OTHER, "A2"))
    reply = await counter.push(
        counter.unlink(SEED, "A1"),
        counter.unlink(OTHER, "A2"),
        counter.link(SEED, "A2"),
        counter.link(OTHER, "A1"),
    )
    assert [item.verdict for item in reply.items] == ["applied"] * 4
    rows = {row[0]: row[2] for row in (await counter.page()).rows}
    assert rows == {counter.token(SEED): "A2", counter.token(OTHER): "A1"}


async def test_unlinking_another_number_than_the_linked_one_is_a_conflict(
    counter: Counter,
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    verdict = await counter.verdict(counter.unlink(SEED, "A9"))
    assert (verdict.verdict, verdict.kind) == ("conflict", "key_linked")


async def test_a_poison_item_blocks_nothing(server: Server, counter: Counter) -> None:
    reply = await counter.push(
        counter.link(sample_cn(1), "A1"),
        counter.link(sample_cn(2), "A2", sealed=b"\x00" * 100),
        counter.link(sample_cn(3), "A3", der=b"\x30\x03\x02\x01\x00"),
        counter.link(sample_cn(4), "A4", token=bytes(16)),
        counter.link(sample_cn(5), "\x1b[31m"),
        counter.link(sample_cn(6), "A6", v=2),
        counter.link(sample_cn(7), "A7"),
    )
    assert [(item.verdict, item.kind) for item in reply.items] == [
        ("applied", None),
        ("invalid", "seal"),
        ("invalid", "certificate"),
        ("invalid", "token"),
        ("invalid", "sid"),
        ("invalid", "op"),
        ("applied", None),
    ]
    assert [row["service_id"] for row in server.links()] == ["A1", "A7"]


async def test_a_seal_moved_under_another_service_id_does_not_open(counter: Counter) -> None:
    item = counter.link(SEED, "A1")
    verdict = await counter.verdict(msgspec.structs.replace(item, sid="A2"))
    assert (verdict.verdict, verdict.kind) == ("invalid", "seal")


@pytest.mark.parametrize(
    "variant",
    [variant for variant in Variant if variant not in TAKEN | HELD],
)
async def test_a_certificate_that_is_not_believed_links_nothing(
    server: Server, counter: Counter, variant: Variant
) -> None:
    verdict = await counter.verdict(counter.link(SEED, "A1", der=certificate(SEED, variant)))
    assert (verdict.verdict, verdict.kind) == ("invalid", "certificate")
    assert server.links() == []


async def test_a_chosen_id_links_with_the_certificate_it_is_bound_to_and_with_no_other(
    server: Server, counter: Counter
) -> None:
    mine, other = "HELLO00000000107202002B", "HELLO00000000113101001C"
    _complete_chosen(server, mine)
    token = chosen_token(counter.identity.provider_key, SubjectCn.parse(mine).my_key_id)
    refused = await counter.verdict(counter.link(other, "A1", token=token))
    assert (refused.verdict, refused.kind) == ("conflict", "not_registered")
    taken = await counter.verdict(counter.link(mine, "A1", token=token))
    assert taken.verdict == "applied"
    assert taken.row is not None
    ref = parse_certificate(certificate(mine)).ref
    assert taken.row[1] == binding(counter.identity.provider_key, ref)
    # The other person's default ID has the same 14 characters and is somebody else.
    assert (await counter.verdict(counter.link(other, "A2"))).verdict == "applied"


async def test_a_chosen_id_that_nobody_completed_is_not_registered(counter: Counter) -> None:
    token = chosen_token(counter.identity.provider_key, SubjectCn.parse(SEED).my_key_id)
    verdict = await counter.verdict(counter.link(SEED, "A1", token=token))
    assert (verdict.verdict, verdict.kind) == ("conflict", "not_registered")


async def test_a_certificate_that_expired_in_the_queue_still_counts(
    server: Server, counter: Counter
) -> None:
    item = counter.link(SEED, "A1")
    server.clock.pass_by(timedelta(days=4000))
    assert (await counter.verdict(item)).verdict == "applied"


async def test_a_card_of_the_test_ca_is_no_card_at_a_real_provider(server: Server) -> None:
    counter = await server.enrol(server.add_provider("R-1", profile="jpki"))
    assert counter.identity.profile == "jpki"
    verdict = await counter.verdict(counter.link(SEED, "A1"))
    assert (verdict.verdict, verdict.kind) == ("held", None)
    assert server.links() == []


async def test_a_lost_reply_is_asked_again_and_gets_the_same_verdicts(counter: Counter) -> None:
    items = [
        counter.link(SEED, "A1"),
        counter.link(OTHER, "A1"),
        counter.link(OTHER, "A2", sealed=b"x"),
    ]
    first = await counter.push(*items)
    again = await counter.push(*items)
    assert again.items == first.items
    assert (again.seq, again.digest) == (first.seq, first.digest)


async def test_a_stored_verdict_stays_when_the_world_has_moved(counter: Counter) -> None:
    refused = counter.link(OTHER, "A1")
    first = counter.link(SEED, "A1")
    # The chain stands in the order of making; the refused one came first here.
    assert refused.mid < first.mid
    await counter.push(refused, first)
    await counter.push(counter.unlink(OTHER))
    again = await counter.push(refused, first)
    assert [item.verdict for item in again.items] == ["applied", "conflict"]


async def test_a_gap_holds_the_later_items_and_names_the_missing_one(counter: Counter) -> None:
    one, two, three = (counter.link(sample_cn(n), f"A{n}") for n in (1, 2, 3))
    reply = await counter.push(one, three)
    assert [item.verdict for item in reply.items] == ["applied", "retry"]
    assert reply.expect_mid == 2
    assert reply.items[1].retry_after_s is not None
    reply = await counter.push(two, three)
    assert [item.verdict for item in reply.items] == ["applied", "applied"]
    assert reply.expect_mid is None


@pytest.mark.parametrize("sent", [1, 2])
async def test_one_number_with_two_contents_quarantines_the_device_and_applies_nothing(
    server: Server, counter: Counter, sent: int
) -> None:
    await counter.push(counter.link(sample_cn(1), "A1"))
    clone = Counter(server, counter.key, counter.identity, counter.incarnation)
    items = [clone.link(sample_cn(2), "B1"), clone.link(sample_cn(3), "B2")]
    answer = await clone.try_push(clone.batch(items[:sent]))
    assert answer.status_code == 409
    assert msgspec.json.decode(answer.content, type=Problem).type == "device-quarantined"
    assert [row["service_id"] for row in server.links()] == ["A1"]
    for path in (f"/v1/heads?scope={counter.scope}", "/v1/hello"):
        refused = await counter.send("GET", path)
        assert msgspec.json.decode(refused.content, type=Problem).type == "device-quarantined"


async def test_a_forked_chain_quarantines_the_device(server: Server, counter: Counter) -> None:
    await counter.push(counter.link(sample_cn(1), "A1"))
    counter.prev = bytes(32)
    answer = await counter.try_push(counter.batch([counter.link(sample_cn(2), "A2")]))
    assert answer.status_code == 409
    assert [row["service_id"] for row in server.links()] == ["A1"]


async def test_a_new_incarnation_counts_from_one(server: Server, counter: Counter) -> None:
    await counter.push(counter.link(sample_cn(1), "A1"))
    restored = Counter(server, counter.key, counter.identity)
    assert (await restored.verdict(restored.link(sample_cn(2), "A2"))).verdict == "applied"


async def test_the_head_is_the_sum_of_the_live_rows(counter: Counter) -> None:
    await counter.push(*(counter.link(sample_cn(n), f"A{n}") for n in range(20)))
    await counter.push(*(counter.unlink(sample_cn(n)) for n in range(0, 20, 3)))
    page = await counter.page()
    key = counter.identity.digest_key
    total = sum(weight(key, *row[:4]) for row in page.rows)
    assert page.head is not None
    assert page.head.digest == replace(EMPTY_DIGEST, removed=0, added=total)
    assert all(finding.ok for finding in self_check(counter.server.core.engine))


async def test_a_push_on_a_known_place_is_taken(counter: Counter) -> None:
    first = await counter.push(counter.link(sample_cn(1), "A1"))
    place = Position(first.epoch, first.seq, first.digest)
    nowhere = Position(first.epoch, 0, EMPTY_DIGEST)
    reply = await counter.push(counter.link(sample_cn(2), "A2"), base=nowhere, mark=place)
    assert reply.items[0].verdict == "applied"


@pytest.mark.parametrize("which", ["base", "mark"])
@pytest.mark.parametrize("wrong", ["seq", "digest"])
async def test_a_push_on_an_unknown_place_is_reset_and_applies_nothing(
    server: Server, counter: Counter, which: str, wrong: str
) -> None:
    first = await counter.push(counter.link(sample_cn(1), "A1"))
    place = Position(first.epoch, first.seq, first.digest)
    changed = {"seq": 7, "digest": bytes(16)}[wrong]
    place = msgspec.structs.replace(place, **{wrong: changed})
    batch = counter.batch([counter.link(sample_cn(2), "A2")])
    answer = await counter.try_push(msgspec.structs.replace(batch, **{which: place}))
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (answer.status_code, problem.type, problem.action) == (409, "reset", "snapshot")
    assert (problem.epoch, problem.reason) == (first.epoch, "diverged")
    assert answer.headers["cache-control"] == "no-store"
    assert [row["service_id"] for row in server.links()] == ["A1"]


async def test_a_suspended_person_can_neither_link_nor_unlink(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(SEED, "A1"))
    _suspend(server, SEED, suspended=True)
    reply = await counter.push(counter.unlink(SEED), counter.link(SEED, "A2"))
    assert {(item.verdict, item.kind) for item in reply.items} == {("conflict", "id_suspended")}
    _suspend(server, SEED, suspended=False)
    assert (await counter.verdict(counter.unlink(SEED))).verdict == "applied"


def _complete_chosen(server: Server, cn: str) -> None:
    """What the municipal counter will do: register a chosen ID with its certificate."""
    from mykey_server.database import writing
    from mykey_server.tables.management import KIND_CHOSEN, PERSON_ACTIVE, PersonTable

    subject = SubjectCn.parse(cn)
    tag = certificate_tag(server.core.site.tag_key, parse_certificate(certificate(cn)).ref)
    with writing(server.core.engine) as connection:
        connection.execute(
            insert(PersonTable).values(
                my_key_id=subject.my_key_id.text,
                terminal_code=subject.terminal_code.text,
                kind=KIND_CHOSEN,
                origin="resident",
                status=PERSON_ACTIVE,
                certificate_tag=tag,
            )
        )


def _suspend(server: Server, cn: str, *, suspended: bool) -> list[str]:
    from mykey_server.database import writing
    from mykey_server.services.suspensions import set_suspended

    with writing(server.core.engine) as connection:
        return set_suspended(connection, SubjectCn.parse(cn), suspended=suspended)
