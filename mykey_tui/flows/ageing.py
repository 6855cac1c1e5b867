"""The rows' age as the store knows it, held against the provider's policy."""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.domain.codes import Code
from mykey_tui.domain.staleness import Age, Level, Policy, judge
from mykey_tui.flows.outcomes import Loading
from mykey_tui.store.freshness import Freshness

_HOUR = 3600


def level_of(freshness: Freshness) -> Level:
    """What may be done with rows that are this fresh."""
    chosen = freshness.staleness
    return judge(
        Age(freshness.age_seconds, freshness.lookups, freshness.clock_doubt),
        Policy(chosen.green_s, chosen.refuse_s, chosen.lookups_max),
    )


def age_code(freshness: Freshness) -> Code | None:
    """What a person is told about rows of this age; None where they are fresh."""
    match level_of(freshness):
        case Level.FRESH:
            return None
        case Level.AMBER:
            too_old = (freshness.age_seconds or 0) > freshness.staleness.green_s
            return Code.ROWS_OLD if too_old else Code.ROWS_CLOCK
        case Level.REFUSE:
            if freshness.age_seconds is None:
                return Code.ROWS_LOADING
            too_many = freshness.lookups > freshness.staleness.lookups_max
            return Code.ROWS_MANY if too_many else Code.ROWS_STALE


def age_values(freshness: Freshness) -> Mapping[str, str]:
    """What fills the sentences of `age_code`."""
    loading = freshness.loading
    return {
        "hours": str(int((freshness.age_seconds or 0) // _HOUR)),
        "count": str(freshness.lookups),
        "rows": str(loading.rows if loading is not None else 0),
    }


def loading_of(freshness: Freshness) -> Loading | None:
    """How far a load of all rows is, for the screens."""
    loading = freshness.loading
    if loading is None:
        return None
    return Loading(loading.rows, max(0, min(100, int(loading.fraction * 100))))
