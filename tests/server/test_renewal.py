"""A renewed certificate carries its links over, at every provider at once."""

from __future__ import annotations

import pytest

from mykey_server.database import write
from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.renewal import renew
from mykey_server.services.selfcheck import self_check
from mykey_server.services.suspensions import set_suspended
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.wire.messages import LogReply
from tests.server.conftest import Counter, Server

OLD = "1C2410DF79DGEL07202002B"
NEW = "2D2410DF79DGEM07202002B"
NEWER = "3E2410DF79DGEN07202002B"
OTHER = "AAAAAAAAAAAAAA07202002B"


def carry_over(server: Server, old: str, new: str) -> list[str]:
    cns = SubjectCn.parse(old), SubjectCn.parse(new)
    return write(server.core.engine, lambda connection: renew(connection, *cns))


def suspend(server: Server, cn: str, *, suspended: bool = True) -> list[str]:
    person = SubjectCn.parse(cn)
    return write(
        server.core.engine,
        lambda connection: set_suspended(connection, person, suspended=suspended),
    )


async def rows(counter: Counter) -> dict[bytes, tuple[str, int]]:
    return {row[0]: (row[2], row[3]) for row in (await counter.page()).rows}


async def suspended(counter: Counter) -> set[bytes]:
    epoch = counter.server.epoch
    page = await counter.ask(f"/v1/log/{epoch}/S:{counter.scope}/0", LogReply)
    return {row[0] for row in page.rows if row[3] == 1}


async def test_every_link_is_at_the_new_token_and_the_old_one_says_renewed(server: Server) -> None:
    first = await server.enrol(server.add_provider("A-1"))
    second = await server.enrol(server.add_provider("B-1"))
    await first.push(first.link(OLD, "A1"), first.link(OTHER, "A2"))
    await second.push(second.link(OLD, "B1"))
    assert carry_over(server, OLD, NEW) == ["A-1", "B-1"]
    for counter, sid in ((first, "A1"), (second, "B1")):
        found = await rows(counter)
        assert found[counter.token(OLD)] == ("", 2)
        assert found[counter.token(NEW)] == (sid, 0)
    assert (await rows(first))[first.token(OTHER)] == ("A2", 0)
    assert all(finding.ok for finding in self_check(server.core.engine))
    assert carry_over(server, OLD, NEW) == []


async def test_the_new_card_works_at_once_and_the_old_one_is_told_its_successors_row(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(OLD, "A1"))
    carry_over(server, OLD, NEW)
    items = [counter.link(OLD, "A9"), counter.link(NEW, "A1"), counter.unlink(OLD)]
    for _ in range(2):  # And the same when the reply was lost.
        reply = await counter.push(*items)
        assert [(item.verdict, item.kind) for item in reply.items] == [
            ("conflict", "id_renewed"),
            ("already", None),
            ("conflict", "id_renewed"),
        ]
        for index in (0, 2):
            row = reply.items[index].row
            assert row is not None
            assert (row[0], row[2]) == (counter.token(NEW), "A1")
    assert (await counter.verdict(counter.unlink(NEW, "A1"))).verdict == "applied"
    assert (await counter.verdict(counter.link(OTHER, "A1"))).verdict == "applied"


async def test_a_person_who_is_renewed_twice_leads_to_the_last_one(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(OLD, "A1"))
    carry_over(server, OLD, NEW)
    carry_over(server, NEW, NEWER)
    verdict = await counter.verdict(counter.link(OLD, "A9"))
    assert verdict.row is not None
    assert (verdict.row[0], verdict.row[2]) == (counter.token(NEWER), "A1")


async def test_a_renewed_person_without_a_link_here_is_refused_without_a_row(
    server: Server,
) -> None:
    first = await server.enrol(server.add_provider("A-1"))
    second = await server.enrol(server.add_provider("B-1"))
    await first.push(first.link(OLD, "A1"))
    carry_over(server, OLD, NEW)
    verdict = await second.verdict(second.link(OLD, "B1"))
    assert (verdict.verdict, verdict.kind, verdict.row) == ("conflict", "id_renewed", None)


async def test_a_suspension_is_carried_over_with_the_links(server: Server) -> None:
    first = await server.enrol(server.add_provider("A-1"))
    second = await server.enrol(server.add_provider("B-1"))
    await first.push(first.link(OLD, "A1"))
    await second.push(second.link(NEW, "B2"))
    suspend(server, OLD)
    carry_over(server, OLD, NEW)
    assert await suspended(first) == {first.token(OLD), first.token(NEW)}
    assert await suspended(second) == {second.token(NEW)}
    assert (await first.verdict(first.unlink(NEW))).kind == "id_suspended"
    with pytest.raises(AdminRefusedError):
        suspend(server, OLD, suspended=False)
    assert suspend(server, NEW, suspended=False) == ["A-1", "B-1"]
    assert await suspended(first) == {first.token(OLD)}, "the old card stays stopped"
    assert await suspended(second) == set()
    assert all(finding.ok for finding in self_check(server.core.engine))


async def test_nothing_is_overwritten_where_both_have_a_link(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(OLD, "A1"), counter.link(NEW, "A2"))
    before = await counter.page()
    with pytest.raises(AdminRefusedError) as refused:
        carry_over(server, OLD, NEW)
    assert refused.value.reason == "both-linked"
    assert await counter.page() == before
    await counter.push(counter.unlink(NEW))
    assert carry_over(server, OLD, NEW) == [counter.scope]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (OTHER, NEW, "not-registered"),
        (OLD, OLD, "same"),
        (NEW, NEWER, "not-registered"),
    ],
)
async def test_who_cannot_be_renewed_is_refused(
    server: Server, counter: Counter, old: str, new: str, reason: str
) -> None:
    await counter.push(counter.link(OLD, "A1"))
    with pytest.raises(AdminRefusedError) as refused:
        carry_over(server, old, new)
    assert refused.value.reason == reason


async def test_a_successor_has_one_predecessor_and_a_renewed_one_no_second_successor(
    server: Server, counter: Counter
) -> None:
    await counter.push(counter.link(OLD, "A1"), counter.link(OTHER, "A2"))
    carry_over(server, OLD, NEW)
    for old, new, reason in (
        (OTHER, NEW, "successor"),
        (OLD, NEWER, "renewed"),
        (OTHER, OLD, "not-active"),
    ):
        with pytest.raises(AdminRefusedError) as refused:
            carry_over(server, old, new)
        assert refused.value.reason == reason
