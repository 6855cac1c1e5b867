import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mykey_tui.card.connection import CardArrived
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.pcsc import PcscReader
from tests.pcscd.looking import next_event, read, settle
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd

pytestmark = pytest.mark.pcscd
PROGRAM = Path(__file__).with_name("foreign_card.py")


@pytest.fixture
def foreign_card(pcscd: PrivatePcscd, card: CardFile, tmp_path: Path) -> Iterator[None]:
    port, name = SLOTS[1]
    certificate = tmp_path / "certificate.der"
    certificate.write_bytes(card.files[0x000A])
    with pcscd.connect(port) as link:
        arguments = [sys.executable, str(PROGRAM), str(link.fileno()), str(certificate)]
        process = subprocess.Popen(arguments, pass_fds=[link.fileno()])
    yield
    process.terminate()
    process.wait(5)
    settle(name)


@pytest.mark.usefixtures("foreign_card")
def test_a_card_emulator_that_is_not_ours_is_read_as_well(
    reader: PcscReader, card: CardFile
) -> None:
    arrived = next_event(reader, CardArrived)
    assert arrived.atr.hex().upper() == "3BDA13FF8131FB468012392F31C173C601C03B"
    assert read(reader) == card.files[0x000A]
    with reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        assert applet.token_label() == "JPKIAPICCTOKEN2"
