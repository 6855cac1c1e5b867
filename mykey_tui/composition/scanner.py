"""The scanner that the settings name, watched; nothing where it types as a keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mykey_tui.flows.desk_events import Scanned, ScannerEvent, ScannerIs
from mykey_tui.scanner.device import ScannerDevice
from mykey_tui.scanner.input_device import InputDevice
from mykey_tui.scanner.serial_port import SerialScanner
from mykey_tui.scanner.watch import ScannerWatch
from mykey_tui.scanner_settings import ScannerKind, ScannerSettings


def watch_scanner(
    settings: ScannerSettings, emit: Callable[[ScannerEvent], None]
) -> ScannerWatch | None:
    """Start to watch; `emit` is called from the watch's thread. None for a keyboard."""
    device = settings.device
    if device is None:
        return None
    watch = ScannerWatch(
        lambda: open_scanner(settings, device),
        scanned=lambda text: emit(Scanned(text)),
        present=lambda present: emit(ScannerIs(present)),
    )
    watch.start()
    return watch


def open_scanner(settings: ScannerSettings, device: Path) -> ScannerDevice:
    """The driver for `settings.kind`. Raises `OSError` where the device is not there, or not ours."""
    if settings.kind is ScannerKind.INPUT:
        return InputDevice(device)
    return SerialScanner(device, baud=settings.baud)
