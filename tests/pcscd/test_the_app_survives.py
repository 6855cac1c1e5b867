"""The whole program in a real terminal over the real pcscd: it comes back, and keeps its screen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from tests.pcscd.counter import make_store
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd
from tests.tmux.conftest import Terminal, Terminals

pytestmark = [pytest.mark.pcscd, pytest.mark.tmux]
Lay = Callable[..., Any]
MYKEY = str(Path(sys.executable).with_name("mykey"))
PROMPT = "カードを置いて、そのままお待ちください"
READY, GONE = "読取機 正常", "D-PCSC-STOPPED"
NOISE = ("Traceback", "Exception ignored", "SCard", '.py"', "line ")


@pytest.fixture
def screen(
    terminals: Terminals, pcscd: PrivatePcscd, tmp_path: Path
) -> Iterator[tuple[Terminal, Path]]:
    """The counter's screen, and the record of every byte that it wrote."""
    home, record = tmp_path / "home", tmp_path / "written"
    make_store(home).close()
    terminal = terminals.start(
        [MYKEY, "--home", str(home), "--reader", f"pcsc:{SLOTS[0][1]}"],
        PCSCLITE_CSOCK_NAME=str(pcscd.socket_path),
    )
    terminal.tmux("pipe-pane", "-t", "t", f"cat > {record}")
    terminal.shows(PROMPT, READY)
    yield terminal, record


def next_tap_works(terminal: Terminal, lay: Lay, card: CardFile) -> None:
    with lay(card):
        terminal.shows("L-NONE")
    terminal.press("Escape")
    terminal.shows(PROMPT)


def test_the_screen_lives_through_restarts_pulled_and_hung_cards(
    screen: tuple[Terminal, Path], pcscd: PrivatePcscd, lay: Lay, card: CardFile
) -> None:
    terminal, record = screen
    next_tap_works(terminal, lay, card)
    for kill in (True, False):
        pcscd.stop(kill=kill)
        terminal.shows(GONE)
        pcscd.start()
        terminal.shows(PROMPT, READY)
        next_tap_works(terminal, lay, card)
    with lay(replace(card, fault=Fault(FaultName.REMOVED_DURING_READ, at=4))):
        terminal.shows("C-REMOVED")
    next_tap_works(terminal, lay, card)
    with lay(replace(card, fault=Fault(FaultName.HANG, at=4, seconds=60))):
        terminal.shows("読み取っています")
        terminal.press("F1")  # The keys work while the card hangs.
        terminal.shows("ヘルプ")
        terminal.press("Escape")
        terminal.shows("C-SLOW")
    next_tap_works(terminal, lay, card)
    written = record.read_text(errors="replace")
    assert [word for word in NOISE if word in written] == []
    terminal.press("F10", "Enter")
    assert terminal.ended() == 0


def test_the_program_ends_while_a_card_hangs_in_the_reader(
    screen: tuple[Terminal, Path], lay: Lay, card: CardFile
) -> None:
    terminal, record = screen
    with lay(replace(card, fault=Fault(FaultName.HANG, at=4, seconds=60))):
        terminal.shows("C-SLOW")
        terminal.shows("読取機 応答なし")
        terminal.press("F10", "Enter")
        assert terminal.ended(seconds=10.0) == 0
    assert [word for word in NOISE if word in record.read_text(errors="replace")] == []
