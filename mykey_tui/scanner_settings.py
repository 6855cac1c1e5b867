"""Which scanner a counter has: the section `scanner` of `counter.json`. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

from mykey_tui.domain.known_names import unknown_name

GAP_MS = range(15, 101)
"""Shorter no scanner is; longer, and a quick typist is one."""
GAP_MS_USUAL = 35
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
"""What scanners can be set to."""
_KEYS = {
    "keyboard": {"kind", "gap_ms"},
    "serial": {"kind", "device", "baud"},
    "input": {"kind", "device"},
}


@unique
class ScannerKind(Enum):
    """How the scanner's characters reach this program."""

    KEYBOARD = "keyboard"
    """As keys, told from a typist by the gaps between them. Also where there is no scanner."""
    SERIAL = "serial"
    """A serial port, or USB-COM."""
    INPUT = "input"
    """A USB keyboard that is read from its own device, and that nothing else sees."""


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """`device` is there for every kind but KEYBOARD."""

    kind: ScannerKind = ScannerKind.KEYBOARD
    gap_ms: int = GAP_MS_USUAL
    device: Path | None = None
    baud: int = 9600

    @property
    def gap_seconds(self) -> float:
        """Keys that follow each other within this time may be a scan."""
        return self.gap_ms / 1000

    @classmethod
    def parse(cls, written: object) -> ScannerSettings:
        """Read the section. Raises `ValueError`, whose text names the setting."""
        if not isinstance(written, dict):
            raise ValueError("scanner: is not an object")  # noqa: TRY004  # what a file says
        try:
            kind = ScannerKind(written.get("kind", ScannerKind.KEYBOARD.value))
        except ValueError as error:
            raise ValueError("scanner.kind: write keyboard, serial or input") from error
        allowed = _KEYS[kind.value]
        problem = unknown_name(written, allowed, "scanner")
        if problem is not None:
            raise ValueError(problem)
        if kind is ScannerKind.KEYBOARD:
            return cls(gap_ms=_one_of(written.get("gap_ms", GAP_MS_USUAL), GAP_MS, "gap_ms"))
        device = written.get("device")
        if not isinstance(device, str) or not device.startswith("/dev/"):
            raise ValueError("scanner.device: a device under /dev/")
        baud = _one_of(written.get("baud", 9600), BAUDS, "baud")
        return cls(kind, device=Path(device), baud=baud)


def _one_of(value: object, allowed: range | tuple[int, ...], name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        words = f"{allowed[0]} to {allowed[-1]}"
        if isinstance(allowed, tuple):
            words = ", ".join(map(str, allowed))
        raise ValueError(f"scanner.{name}: {words}")
    return value
