"""What goes in as columns comes out as the same rows."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mykey_tui.domain import digest
from mykey_tui.domain.link import LinkStatus
from mykey_tui.store import columns, links
from mykey_tui.store.columns import How
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.engine import writing
from mykey_tui.wire.messages import Row
from tests.unit.store.conftest import DIGEST_KEY

TOKENS = st.binary(min_size=16, max_size=16)
ROWS = st.lists(
    st.tuples(
        TOKENS,
        st.none() | st.binary(min_size=8, max_size=8),
        st.from_regex(r"[0-9A-Z-]{1,32}", fullmatch=True),
        st.sampled_from((0, 1, 2)),
        st.integers(min_value=0, max_value=2**53 - 1),
    ),
    unique_by=lambda row: row[0],
    max_size=40,
)


@given(rows=ROWS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_out_as_they_went_in(store: CounterStore, rows: list[Row]) -> None:
    with writing(store._engine) as connection:
        connection.exec_driver_sql("DELETE FROM link")
        assert columns.insert(connection, "INSERT", "link", columns.of_rows(rows)) == len(rows)
        found = connection.exec_driver_sql("SELECT * FROM link ORDER BY token").all()
        types = connection.exec_driver_sql(
            "SELECT DISTINCT typeof(token) || typeof(service_id) || typeof(status) || typeof(seq) "
            "FROM link"
        ).scalars()
        assert set(types) <= {"blobtextintegerinteger"}
    assert [tuple(row) for row in found] == sorted(rows)


def test_what_is_there_stays_or_gives_way_as_asked(store: CounterStore) -> None:
    old: Row = (b"a" * 16, None, "1", 0, 1)
    new: Row = (b"a" * 16, b"b" * 8, "2", 2, 2)
    cases: tuple[tuple[How, Row], ...] = (("INSERT OR IGNORE", old), ("INSERT OR REPLACE", new))
    for how, after in cases:
        with writing(store._engine) as connection:
            connection.exec_driver_sql("DELETE FROM link")
            columns.insert(connection, "INSERT", "link", columns.of_rows([old]))
            inserted = columns.insert(connection, how, "link", columns.of_rows([new]))
            found = connection.exec_driver_sql("SELECT * FROM link").all()
        assert inserted == (after == new)
        assert [tuple(row) for row in found] == [after]


@given(rows=ROWS)
def test_rows_weigh_the_same_in_every_form(rows: list[Row]) -> None:
    each = sum(digest.weight(DIGEST_KEY, *row[:4]) for row in rows) % (1 << 128)
    assert links.weight_of(DIGEST_KEY, columns.of_rows(rows)) == each
    assert digest.weigh(DIGEST_KEY, rows) % (1 << 128) == each


def test_a_seq_of_the_widest_form_fits_its_slot() -> None:
    assert len(columns.slot_of(2**53 - 1)) == len(columns.slot_of(0))
    assert columns.slot_of(7) == b"0000000000000007"


def test_every_status_fits_the_one_digit_that_it_is_stored_from() -> None:
    assert max(status.value for status in LinkStatus) < 10
