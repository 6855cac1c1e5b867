"""A counter that links one card after another, until it is killed. Run by the tests as a process.

Prints `N` as soon as link number N is acknowledged: what a person at the counter would have seen.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from mykey_tui.composition.counter import open_counter
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.identify import identify
from mykey_tui.flows.link import LinkFlow
from mykey_tui.flows.outcomes import IdentifiedCard, Linked
from mykey_tui.flows.timings import Timings
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.settings import load_settings
from mykey_tui.simulated.cards import make_card


class NoLine:
    """The server is stopped; the command would find that out in a moment."""

    def deliver(self, mid: int) -> None:
        """Nothing can be sent."""


def main(home: str, prefix: str, first: int, last: int) -> None:
    """Link cards number `first` to `last`."""
    reader = EmulatedReader()
    with open_counter(load_settings(home=home, reader=None, environment={})) as counter:
        flow = LinkFlow(reader, counter.judge, counter.store, NoLine(), counter.clock)
        for number in range(first, last + 1):
            cn = f"VOLUME{number:08d}99999{number % 1000:03d}A"
            reader.insert(make_card(cn, at=datetime.now(UTC)))
            card = identify(reader, counter.judge, Timings(counter.clock))
            assert isinstance(card, IdentifiedCard)
            service_id = ServiceId(f"{prefix}{number:06d}")
            outcome = flow.read_again(card) or flow.commit_link(card, service_id)
            done = isinstance(outcome, Linked) or (
                # Stored by a process that was killed before it could say so.
                outcome.code is Code.LINK_DUPLICATE
            )
            assert done, outcome
            print(number, flush=True)  # noqa: T201  # read by the test


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
