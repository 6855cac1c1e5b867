"""The simulator on a real reader's way: pcscd shows a card as good as plastic, and it is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from mykey_tui.card.connection import CardArrived
from mykey_tui.composition.counter import open_counter, reader_of
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.flows.identify import identify
from mykey_tui.flows.outcomes import IdentifiedCard, Stopped
from mykey_tui.flows.timings import Timings
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.settings import Settings
from mykey_tui.simulated import DATA
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home
from tests.pcscd.looking import next_event
from tests.unit.flows.conftest import make_identity

pytestmark = pytest.mark.pcscd
Lay = Callable[..., Any]


@pytest.fixture
def real_counter(tmp_path: Path) -> Settings:
    """A counter of the profile jpki that trusts a CA which has not signed the sample cards."""
    home = Home(tmp_path / "real")
    identity = replace(make_identity(), profile="jpki")
    CounterStore.create(home, identity, clock=SystemClock()).close()
    home.anchors.mkdir(parents=True, exist_ok=True)
    shutil.copy(DATA / "foreign" / "other-ca.pem", home.anchors)
    return Settings(home=home.path, profile="jpki")


def test_its_certificate_is_from_a_ca_that_the_counter_does_not_know(
    lay: Lay, card: CardFile, real_counter: Settings
) -> None:
    with open_counter(real_counter) as counter, closing(reader_of(counter)) as reader:
        assert not reader.simulated, "nothing tells this reader from a real one"
        with lay(card):
            next_event(cast("PcscReader", reader), CardArrived)
            outcome = identify(reader, counter.judge, Timings(counter.clock))
    assert outcome == Stopped(Code.CERTIFICATE_UNKNOWN_ISSUER)


def test_the_same_card_is_believed_where_training_was_asked_for(
    lay: Lay, card: CardFile, tmp_path: Path
) -> None:
    """So it is the issuer alone that the test above fails at."""
    home = Home(tmp_path / "training")
    CounterStore.create(home, make_identity(), clock=SystemClock()).close()
    with (
        open_counter(Settings(home=home.path)) as counter,
        closing(reader_of(counter)) as reader,
        lay(card),
    ):
        next_event(cast("PcscReader", reader), CardArrived)
        outcome = identify(reader, counter.judge, Timings(counter.clock))
    assert isinstance(outcome, IdentifiedCard)
