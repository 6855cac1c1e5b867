"""The doctor over a real pcscd, real libpcsclite and real pyscard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_tui.card.connection import CardArrived
from mykey_tui.composition.doctor import make_sources
from mykey_tui.diagnostics.examine import report
from mykey_tui.diagnostics.finding import Finding, Report, State
from mykey_tui.diagnostics.layer import MACHINE_LAYERS, Layer
from mykey_tui.domain.codes import Code
from mykey_tui.reader.card_file import CardFile, CardPin, Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.settings import ReaderChoice, ReaderKind, Settings
from mykey_tui.simulated.cards import make_card, phone
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card
from tests.pcscd.looking import next_event
from tests.pcscd.private_pcscd import SLOTS, PrivatePcscd
from tests.unit.diagnostics.box import Box

pytestmark = pytest.mark.pcscd
Lay = Callable[..., Any]
Examine = Callable[[], Report]

CN = "1C2410DF79DGEL07202002B"
NOW = datetime.now(UTC)


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """The whole doctor on a machine whose files say that all is well; pcscd itself is real."""
    box = Box(tmp_path / "root")
    box.usb("054c:0dc8", "RC-S300/S")
    box.libccid()
    box.pcscd()
    sources = make_sources(Settings(home=tmp_path / "home"), root=box.root)
    return lambda: report(replace(sources, journal=lambda: None))


def by_layer(found: Report) -> dict[Layer, Finding]:
    return {finding.layer: finding for finding in found.findings}


def settled(lay: Lay, card: CardFile) -> Any:
    """The card lies there, and pcscd has seen it: vpcd is looked at every 0.4 s."""

    @contextmanager
    def laid() -> Iterator[None]:
        with lay(card):
            watcher = PcscReader()
            try:
                next_event(watcher, CardArrived)
            finally:
                watcher.close()
            yield

    return laid()


def test_a_well_service_with_a_good_card_has_no_finding(
    examine: Examine, lay: Lay, card: CardFile
) -> None:
    with settled(lay, card):
        found = examine()
    states = {f.layer: f.state for f in found.findings if f.state is not State.OK}
    # Nothing else is set up here: no counter, and so no line.
    assert states == {
        Layer.STORE: State.NOTE,
        Layer.LINE: State.SKIPPED,
        Layer.SERVER: State.SKIPPED,
    }
    assert by_layer(found)[Layer.READER].facts == {"reader": "Virtual PCD"}
    assert found.exit_code == 0
    assert found.seconds < 3.0


def test_no_card_is_a_note_and_not_a_fault(examine: Examine, pcscd: PrivatePcscd) -> None:
    found = examine()
    assert by_layer(found)[Layer.CARD].code is Code.CARD_NONE
    assert found.exit_code == 0


def test_a_stopped_service_is_named_and_found_again_when_it_runs(
    examine: Examine, pcscd: PrivatePcscd
) -> None:
    pcscd.stop()
    found = examine()
    assert found.worst is not None
    assert (found.worst.layer, found.worst.code) == (Layer.DAEMON, Code.READER_NO_SERVICE)
    assert found.exit_code == 31
    pcscd.start()
    assert examine().exit_code == 0


def test_a_killed_service_leaves_a_socket_that_nobody_listens_at(
    examine: Examine, pcscd: PrivatePcscd
) -> None:
    pcscd.stop(kill=True)
    found = by_layer(examine())
    assert found[Layer.DAEMON].code is Code.READER_NO_SERVICE
    assert found[Layer.READER].state is State.SKIPPED


def test_a_service_without_readers(examine: Examine, pcscd: PrivatePcscd) -> None:
    pcscd.stop()
    pcscd.start(readers=False)
    found = by_layer(examine())
    pcscd.stop()
    assert found[Layer.DAEMON].state is State.OK
    assert found[Layer.READER].code is Code.READER_UNSEEN
    assert found[Layer.CARD].because is Code.READER_UNSEEN


def test_a_reader_of_another_name_than_in_the_settings(
    examine: Examine, pcscd: PrivatePcscd, tmp_path: Path
) -> None:
    chosen = Settings(home=tmp_path / "home", reader=ReaderChoice(ReaderKind.PCSC, name="RC-S300"))
    sources = replace(make_sources(chosen, root=tmp_path / "root"), journal=lambda: None)
    found = by_layer(report(sources))
    assert found[Layer.READER].code is Code.READER_NAME
    assert found[Layer.READER].facts == {"wanted": "RC-S300", "reader": "Virtual PCD"}
    assert found[Layer.CARD].because is Code.READER_NAME
    below = [found[layer].state for layer in MACHINE_LAYERS]
    assert set(below) == {State.OK}


def locked() -> CardFile:
    card = make_card(CN, at=NOW)
    return replace(card, pins={**card.pins, 0x0018: CardPin("1234", 0)})


CARDS = {
    "licence": (driving_licence(), Layer.APPLICATION, Code.CARD_NOT_JPKI),
    "point card": (felica_card(), Layer.CARD, Code.CARD_TYPE_B),
    "phone": (phone(CN, at=NOW), Layer.APPLICATION, Code.CARD_IS_PHONE),
    "blocked": (locked(), Layer.APPLICATION, Code.PIN_BLOCKED),
    "expired": (
        make_card(CN, at=NOW, variant=Variant.EXPIRED),
        Layer.CERTIFICATE,
        Code.CERTIFICATE_EXPIRED,
    ),
    "forged": (make_card(CN, at=NOW, variant=Variant.FORGED), Layer.TRUST, Code.CERTIFICATE_FORGED),
    "mute": (make_card(CN, at=NOW, fault=Fault(FaultName.MUTE)), Layer.CARD, Code.CARD_MUTE),
    "pulled": (
        make_card(CN, at=NOW, fault=Fault(FaultName.REMOVED_DURING_READ, at=4)),
        Layer.CARD,
        Code.CARD_REMOVED,
    ),
    "slow": (
        make_card(CN, at=NOW, fault=Fault(FaultName.HANG, at=6, seconds=0.9)),
        Layer.READER,
        Code.READER_SLOW,
    ),
    "hanging": (
        make_card(CN, at=NOW, fault=Fault(FaultName.HANG, at=2, seconds=6.0)),
        Layer.CARD,
        Code.CARD_SLOW,
    ),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_named(name: str, examine: Examine, lay: Lay) -> None:
    card, layer, code = CARDS[name]
    with settled(lay, card):
        found = examine()
    assert found.worst is not None
    assert (found.worst.layer, found.worst.code) == (layer, code)
    assert found.seconds < 5.0


_HOLD = """
import sys
from smartcard import scard
_, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
result, handle, _ = scard.SCardConnect(context, {name!r}, scard.SCARD_SHARE_EXCLUSIVE, 3)
print(result, flush=True)
sys.stdin.read()
"""


def test_a_reader_held_by_another_program_is_busy(
    examine: Examine, lay: Lay, card: CardFile
) -> None:
    with settled(lay, card):
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD.format(name=SLOTS[0][1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == "0"
            found = by_layer(examine())
        finally:
            holder.communicate("")
    assert found[Layer.READER].code is Code.READER_BUSY
    assert found[Layer.CARD].because is Code.READER_BUSY
    assert found[Layer.DAEMON].state is State.OK


def test_a_service_that_does_not_answer_holds_nobody_up(
    examine: Examine, pcscd: PrivatePcscd
) -> None:
    """Its socket takes the call and no word comes back."""
    pids = pcscd_pids(pcscd)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        found = by_layer(examine())
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - begun < 5.0
    assert (found[Layer.DAEMON].state, found[Layer.DAEMON].code) == (
        State.UNKNOWN,
        Code.PCSC_HANGS,
    )


def test_the_command_ends_though_the_service_hangs(pcscd: PrivatePcscd, tmp_path: Path) -> None:
    """A thread that hangs inside libpcsclite does not keep the process."""
    pids = pcscd_pids(pcscd)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mykey_tui.cli", "doctor", "--home", str(tmp_path), "--json"],
            capture_output=True,
            check=False,
            timeout=30,
            env={**os.environ, "LANG": "C.UTF-8"},
        )
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - begun < 8.0
    found = {finding["layer"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["daemon"]["code"] == "D-PCSC-HANGS"
    assert done.stderr == b""


def pcscd_pids(pcscd: PrivatePcscd) -> list[int]:
    """Of this very service: the one whose command line names the test's own folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"pcscd") and str(pcscd.directory).encode() in b" ".join(words):
            found.append(int(folder.name))
    assert found, "the service of these tests runs"
    return found
