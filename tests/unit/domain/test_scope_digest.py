import random
from dataclasses import replace as changed

from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.digest import DIGEST_LENGTH, EMPTY_DIGEST, replace, row_weight
from mykey_tui.domain.ids import Binding, LookupToken, ServiceId
from mykey_tui.domain.link import LinkRow, LinkStatus

KEY = bytes(range(32))
ROW = LinkRow(LookupToken(bytes(16)), None, ServiceId("2802121234"), LinkStatus.ACTIVE, 7)

rows = st.builds(
    LinkRow,
    token=st.binary(min_size=16, max_size=16).map(LookupToken),
    binding=st.none() | st.binary(min_size=8, max_size=8).map(Binding),
    service_id=st.text("0123456789ABC-", min_size=1, max_size=32).map(ServiceId),
    status=st.sampled_from(LinkStatus),
    seq=st.integers(0, 2**53 - 1),
)


def digest_of(many: list[LinkRow]) -> bytes:
    digest = EMPTY_DIGEST
    for row in many:
        digest = replace(digest, removed=0, added=row_weight(KEY, row))
    return digest


def test_the_weight_of_a_row_is_what_it_always_was() -> None:
    assert row_weight(KEY, ROW) == 0x3E88C10385C303C90C1AF07530D14EC0
    chosen = changed(ROW, binding=Binding(bytes(8)))
    assert row_weight(KEY, chosen) == 0xB1E08D2DAAEB74E08BA3B96A43EC2962


@given(st.lists(rows, max_size=20), st.integers())
def test_the_order_of_the_rows_does_not_matter(many: list[LinkRow], seed: int) -> None:
    turned = list(many)
    random.Random(seed).shuffle(turned)  # noqa: S311  # an order, not a secret
    assert digest_of(turned) == digest_of(many)


@given(st.lists(rows, max_size=10), rows, rows)
def test_replacing_a_row_gives_the_digest_of_the_new_rows(
    others: list[LinkRow], old: LinkRow, new: LinkRow
) -> None:
    digest = digest_of([*others, old])
    swapped = replace(digest, removed=row_weight(KEY, old), added=row_weight(KEY, new))

    assert swapped == digest_of([*others, new])
    assert len(swapped) == DIGEST_LENGTH


@given(st.lists(rows, max_size=10))
def test_taking_every_row_away_leaves_the_empty_digest(many: list[LinkRow]) -> None:
    digest = digest_of(many)
    for row in many:
        digest = replace(digest, removed=row_weight(KEY, row), added=0)
    assert digest == EMPTY_DIGEST


@given(rows)
def test_a_removed_row_weighs_nothing(row: LinkRow) -> None:
    assert row_weight(KEY, changed(row, status=LinkStatus.REMOVED)) == 0


def test_each_part_of_a_row_changes_its_weight_and_its_place_does_not() -> None:
    variants = [
        ROW,
        changed(ROW, token=LookupToken(b"\x01" + bytes(15))),
        changed(ROW, binding=Binding(bytes(8))),
        changed(ROW, service_id=ServiceId("2802121235")),
        changed(ROW, status=LinkStatus.SUSPENDED),
    ]
    assert len({row_weight(KEY, row) for row in variants}) == len(variants)
    assert row_weight(KEY, changed(ROW, seq=8)) == row_weight(KEY, ROW)
    assert row_weight(bytes(32), ROW) != row_weight(KEY, ROW)


def test_the_numbers_of_the_states_never_change() -> None:
    assert {status.name: status.value for status in LinkStatus} == {
        "ACTIVE": 0,
        "SUSPENDED": 1,
        "RENEWED": 2,
        "REMOVED": 9,
    }
