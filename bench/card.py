"""A certificate through the real pcscd and vpcd, with 20 ms added to each APDU; OpenSC beside it."""

from __future__ import annotations

import importlib.util
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from mykey_tui.card.connection import CardArrived
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.reader.pcsc import PcscReader
from mykey_tui.reader.trace import timed_read
from mykey_tui.reader.vpcd import hold_card
from mykey_tui.simulated.cards import make_card

APDU_SECONDS = 0.020
READS = 15
OPENSC_READS = 5
_TESTS = Path(__file__).parents[1] / "tests" / "pcscd"


def _private_pcscd() -> ModuleType:
    """The tests' own way to run pcscd with nothing exposed."""
    spec = importlib.util.spec_from_file_location("private_pcscd", _TESTS / "private_pcscd.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("tests/pcscd/private_pcscd.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["private_pcscd"] = module
    spec.loader.exec_module(module)
    return module


def measure() -> dict[str, Any]:
    """Skips, with the reason in the result, where pcscd cannot run."""
    pcscd = _private_pcscd()
    reason = pcscd.why_not()
    if reason is not None:
        return {"skipped": reason}
    card = make_card(
        "1C2410DF79DGEL07202002B",
        at=datetime.now(UTC),
        fault=Fault(FaultName.SLOW, seconds=APDU_SECONDS),
    )
    stop = threading.Event()
    commands: list[bytes] = []
    with (
        tempfile.TemporaryDirectory(prefix="mk") as folder,
        pcscd.PrivatePcscd(Path(folder)) as daemon,
    ):
        port = pcscd.SLOTS[0][0]
        holder = threading.Thread(
            target=hold_card,
            args=(card, "127.0.0.1", port, stop),
            kwargs={"connect": lambda: daemon.connect(port), "on_command": commands.append},
        )
        holder.start()
        try:
            ours = _our_reads()
            opensc = _opensc_reads(commands)
        finally:
            stop.set()
            holder.join()
    return ours | {"pkcs15_tool_read_certificate": opensc}


def _our_reads() -> dict[str, Any]:
    reader = PcscReader()
    try:
        deadline = time.monotonic() + 10
        while not isinstance(reader.wait(0.5), CardArrived):
            if time.monotonic() > deadline:
                raise TimeoutError("the card was not seen")
        reads = [timed_read(reader) for _ in range(READS)]
    finally:
        reader.close()
    needed = 3 + math.ceil((reads[0].certificate_bytes - 4) / 256)
    spent = statistics.median(read.milliseconds for read in reads)
    return {
        "certificate_bytes": reads[0].certificate_bytes,
        "apdus": reads[0].apdus,
        "apdus_needed": needed,
        "read_ms": round(spent, 1),
        "session_ms": round(statistics.median(read.session_milliseconds for read in reads), 1),
        "ratio_to_apdu_delay": round(spent / (reads[0].apdus * APDU_SECONDS * 1000), 3),
        "targets": {"ratio_to_apdu_delay": 1.1, "apdus": needed},
    }


def _opensc_reads(commands: list[bytes]) -> dict[str, Any]:
    """The same card read by `pkcs15-tool`, a whole process each time, without its cache."""
    spent, counts = [], []
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {"XDG_CACHE_HOME": empty, "HOME": empty}
        for _ in range(OPENSC_READS):
            before, begun = len(commands), time.perf_counter()
            try:
                subprocess.run(
                    ["pkcs15-tool", "--read-certificate", "1"],
                    check=True,
                    capture_output=True,
                    timeout=60,
                    env=environment,
                )
            except FileNotFoundError:
                return {"skipped": "pkcs15-tool is not installed"}
            spent.append(time.perf_counter() - begun)
            counts.append(len(commands) - before)
    return {
        "apdus": int(statistics.median(counts)),
        "process_ms": round(1000 * statistics.median(spent), 1),
    }
