"""H-AGAIN in a real terminal: a card stays on the reader while the real pcscd is started anew."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from mykey_tui import cli
from mykey_tui.card.connection import CardArrived
from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.pcsc import PcscReader
from tests.pcscd.counter import make_store
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd
from tests.tmux.conftest import Terminal, Terminals

pytestmark = [pytest.mark.pcscd, pytest.mark.tmux]
Lay = Callable[..., Any]
MYKEY = str(Path(sys.executable).with_name("mykey"))
NUMBER = "2802121234"
CARD_SECONDS = 20.0


@pytest.fixture
def home(tmp_path: Path, card: CardFile) -> Path:
    """A counter that has linked this card, and hands over to a file."""
    home, file = tmp_path / "home", tmp_path / "card.json"
    make_store(home).close()
    till = {"kind": "file", "mode": "append", "path": str(tmp_path / "till.txt")}
    (home / "counter.json").write_text(json.dumps({"handover": till}))
    card.save(file)
    link = ("link", "--service-id", NUMBER, "--home", str(home), "--reader", f"emulator:{file}")
    assert cli.main(link) == 0
    return home


@contextmanager
def standing_still(terminal: Terminal) -> Iterator[None]:
    """The program sees nothing of what happens meanwhile: how quick it is decides nothing."""
    shell = terminal.tmux("display", "-p", "-t", "t", "#{pane_pid}").strip()
    (program,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    os.kill(int(program), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(int(program), signal.SIGCONT)


def wait_for_the_card(slot: str) -> None:
    """Until the service that was started anew has the card on its reader."""
    reader, end = PcscReader(slot), monotonic() + CARD_SECONDS
    try:
        while not isinstance(reader.wait(0.2), CardArrived):
            assert monotonic() < end, "the card never came back to the service"
            sleep(0.05)
    finally:
        reader.close()


@pytest.mark.parametrize("term", ["xterm-256color", "linux"])
def test_a_card_that_stays_while_pcscd_restarts_is_told_and_not_sent_twice(
    terminals: Terminals, pcscd: PrivatePcscd, lay: Lay, card: CardFile, home: Path, term: str
) -> None:
    first = Language.ENGLISH if term == "linux" else Language.JAPANESE
    terminal = terminals.start(
        [MYKEY, "--home", str(home), "--reader", f"pcsc:{SLOTS[0][1]}"],
        term=term,
        PCSCLITE_CSOCK_NAME=str(pcscd.socket_path),
    )
    number = " ".join(NUMBER) if term == "linux" else NUMBER
    ready = Catalog(first).text("status.reader.ready")
    terminal.shows(Catalog(first).text("reception.waiting"), ready)
    with lay(card):
        terminal.shows(number)
        with standing_still(terminal):
            pcscd.stop(kill=True)
            pcscd.start()
            wait_for_the_card(SLOTS[0][1])
        languages = [first] if term == "linux" else [first, first.other]
        for language in languages:
            text = Catalog(language).code(Code.HANDOVER_AGAIN)
            said = terminal.shows(f"{text.title}   H-AGAIN", text.next, number, "SIMULATED")
            print(said)  # noqa: T201  # shown when the test fails
            terminal.press("F9")
    assert (home.parent / "till.txt").read_text().split() == [NUMBER]
