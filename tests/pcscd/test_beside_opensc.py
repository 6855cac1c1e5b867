"""OpenSC at the same card as the counter: no wrong byte for us, no signature for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from mykey_tui.card.connection import CardArrived
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.domain.errors import CardError, ReaderError
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader, Pyscard
from mykey_tui.reader.winscard import LEAVE_CARD, OK, WinScard
from tests.pcscd.looking import next_event, read
from tests.pcscd.private_pcscd import SLOTS
from tests.proofs.length import Figures, length

pytestmark = [pytest.mark.pcscd, pytest.mark.opensc]
Lay = Callable[..., Any]
READER = SLOTS[0][1]
APDU_SECONDS = 0.002
"""A card that takes its time, so that the two programs really meet in the middle."""
PAUSE_SECONDS = 0.01
BETWEEN_READS_SECONDS = 0.02
"""Without a pause the other program would hardly ever get its turn."""
TEETH_SECONDS_MAX = 20.0
SELECT_JPKI = "00A4040C0AD392F000260100000001"
SELECT_KEY = "00A4020C020017"
SIGN = f"802A008033{sha256_digest_info(bytes(32)).hex()}00"


class Dawdling(Pyscard):
    """Our driver on a box that takes its time between two commands: where another gets its turn."""

    def transmit(self, handle: int, protocol: int, command: bytes) -> tuple[int, bytes]:
        sleep(PAUSE_SECONDS)
        return super().transmit(handle, protocol, command)


class WithoutTransaction(Dawdling):
    """What our driver would be if it shared the card without holding it."""

    def begin(self, handle: int) -> int:
        return OK


class WithoutReset(Pyscard):
    """What our driver would be if it left the card as it is after a PIN."""

    def end(self, handle: int, disposition: int) -> None:
        super().end(handle, LEAVE_CARD)


@pytest.fixture(autouse=True)
def opensc() -> None:
    for program in ("pkcs15-tool", "opensc-tool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (package opensc)")


@contextmanager
def our_reader(service: WinScard) -> Iterator[PcscReader]:
    with closing(PcscReader(READER, service=service)) as reader:
        next_event(reader, CardArrived)
        yield reader


@dataclass
class Reads:
    """What came of reading in a loop beside `pkcs15-tool` in a loop."""

    good: int = 0
    wrong_bytes: int = 0
    failed: int = 0
    other_runs: int = 0

    @property
    def spoilt(self) -> int:
        return self.wrong_bytes + self.failed


@contextmanager
def opensc_in_a_loop(reads: Reads) -> Iterator[None]:
    """Reads the certificate of the CA, so that another file is selected when it is done."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            command = ["pkcs15-tool", "--reader", READER, "--read-certificate", "3"]
            subprocess.run(command, capture_output=True, timeout=20, check=False)
            reads.other_runs += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def read_beside_opensc(
    service: WinScard, card: CardFile, seconds: float, *, until_wrong: bool
) -> Reads:
    reads, deadline = Reads(), monotonic() + seconds
    with our_reader(service) as reader, opensc_in_a_loop(reads):
        while monotonic() < deadline and not (until_wrong and reads.wrong_bytes):
            read_once(reader, card, reads)
            sleep(BETWEEN_READS_SECONDS)
    return reads


def read_once(reader: PcscReader, card: CardFile, reads: Reads) -> None:
    try:
        der = read(reader)
    except (CardError, ReaderError):
        reads.failed += 1
        return
    if der == card.files[0x000A]:
        reads.good += 1
    else:
        reads.wrong_bytes += 1


@pytest.fixture
def slow_card(card: CardFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CardFile:
    # Its own home, so that no file of an earlier card comes out of OpenSC's cache.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return replace(card, fault=Fault(FaultName.SLOW, seconds=APDU_SECONDS))


def test_beside_opensc_we_never_read_a_wrong_byte(
    lay: Lay, slow_card: CardFile, capfd: pytest.CaptureFixture[str]
) -> None:
    figures = Figures("read beside OpenSC")
    with lay(slow_card):
        seconds = float(length(short=3, long=120))
        reads = read_beside_opensc(Dawdling(), slow_card, seconds, until_wrong=False)
    with capfd.disabled():
        figures.say(good=reads.good, spoilt=reads.spoilt, opensc_runs=reads.other_runs)
    assert reads.spoilt == 0
    assert reads.good > 1
    assert reads.other_runs > 1


def test_without_the_transaction_opensc_spoils_our_reads(
    lay: Lay, slow_card: CardFile, capfd: pytest.CaptureFixture[str]
) -> None:
    figures = Figures("read beside OpenSC, without a transaction")
    with lay(slow_card):
        reads = read_beside_opensc(
            WithoutTransaction(), slow_card, TEETH_SECONDS_MAX, until_wrong=True
        )
    with capfd.disabled():
        figures.say(good=reads.good, wrong_bytes=reads.wrong_bytes, failed=reads.failed)
    assert reads.wrong_bytes > 0


def opensc_signs(reader_name: str) -> str:
    """What the card answers OpenSC's process that asks for a signature and knows no PIN."""
    done = subprocess.run(
        [
            "opensc-tool", "--reader", reader_name,
            "-s", SELECT_JPKI, "-s", SELECT_KEY, "-s", SIGN,
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )  # fmt: skip
    answers = re.findall(r"SW1=0x([0-9A-F]{2}), SW2=0x([0-9A-F]{2})", done.stdout)
    assert len(answers) == 3, done.stdout
    return "".join(answers[-1])


def sign_with_pin(reader: PcscReader) -> None:
    with reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        applet.verify_pin("1234")
        assert len(applet.sign(sha256_digest_info(bytes(32)))) == 256


def test_after_our_pin_opensc_cannot_sign(lay: Lay, card: CardFile) -> None:
    with lay(card), our_reader(Pyscard()) as reader:
        assert opensc_signs(READER) == "6982"
        sign_with_pin(reader)
        assert opensc_signs(READER) == "6982"


def test_left_as_it_is_the_card_would_sign_for_opensc(lay: Lay, card: CardFile) -> None:
    with lay(card), our_reader(WithoutReset()) as reader:
        sign_with_pin(reader)
        assert opensc_signs(READER) == "9000"
