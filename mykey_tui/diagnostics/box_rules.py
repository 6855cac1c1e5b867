"""Rules of USB and of the drivers.

A reader that the service lists is proof against most of what files may look like, so these rules
speak only where there is none: no false alarm about an RC-S380 in the drawer of a working counter.
"""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.diagnostics.facts import BoxFacts, Driver, JournalFacts, Reach, UsbDevice
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.diagnostics.known_readers import known_reader
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

_NO_JOURNAL = JournalFacts()


def usable_devices(box: BoxFacts) -> tuple[UsbDevice, ...]:
    """The devices on USB for which a PC/SC driver exists somewhere."""
    return tuple(device for device in box.usb if _is_usable(device))


def name_of(device: UsbDevice) -> str:
    """What people call it: our name of it or its own, and its number."""
    row = known_reader(device.usb_id)
    name = row.name if row is not None else device.product
    return f"{name} ({device.usb_id})" if name else device.usb_id


def has_service(box: BoxFacts) -> bool:
    """Whether pcscd is installed here, or its socket given to us."""
    return box.has_pcscd or box.socket is not Reach.MISSING


def reader_in_a_container(known: Known) -> Finding | None:
    """A container without the service's socket often has no USB either; that explains nothing."""
    box = known.box
    if box is None or box.usb or not (box.is_container and box.socket is Reach.MISSING):
        return None
    return Finding(Layer.USB, State.SKIPPED, because=Code.PCSC_CONTAINER)


def no_reader_on_usb(known: Known) -> Finding | None:
    """Annex B "no USB device"."""
    if known.box is None or known.has_reader or known.box.usb:
        return None
    return Finding(Layer.USB, State.FAULT, Code.USB_NONE)


def reader_without_any_driver(known: Known) -> Finding | None:
    """Row 3: RC-S380 and its like, and nothing else."""
    box = known.box
    if box is None or known.has_reader or not box.usb or usable_devices(box):
        return None
    facts = {"reader": name_of(box.usb[0])}
    return Finding(Layer.USB, State.FAULT, Code.READER_NOT_CCID, facts)


def reader_falls_asleep(known: Known) -> Finding | None:
    """Row 7: may be put to sleep, the service has lost it on USB within the hour, and has none now.

    A reader that works is no evidence: whoever pulls a cable leaves the same words in the journal.
    """
    if not (known.journal or _NO_JOURNAL).usb_errors:
        return None
    for device in _waiting_devices(known):
        if device.power_control == "auto":
            facts = {"reader": name_of(device), "usb_id": device.usb_id}
            return Finding(Layer.USB, State.FAULT, Code.USB_POWER, facts)
    return None


def kernel_holds_the_reader(known: Known) -> Finding | None:
    """Row 5 and Annex B "kernel NFC driver owns it"."""
    for device in _waiting_devices(known):
        row = known_reader(device.usb_id)
        if row is None or known.box is None:
            continue
        if row.kernel_driver in known.box.modules | set(device.kernel_drivers):
            facts = {"reader": name_of(device), "module": row.kernel_driver}
            return Finding(Layer.KERNEL, State.FAULT, Code.KERNEL_NFC, facts)
    return None


def driver_missing(known: Known) -> Finding | None:
    """Annex B "device but no driver"; for the readers of ACS their own driver will do."""
    box = known.box
    if box is None or box.libccid is not None or not has_service(box):
        return None  # A service that is missing brings its driver with it.
    for device in _unlisted_devices(known):
        return _driver_finding(Code.CCID_MISSING, device, box)
    return None


def driver_too_old(known: Known) -> Finding | None:
    """Row 4: a reader that only newer versions of libccid list."""
    for device in _unlisted_devices(known):
        row = known_reader(device.usb_id)
        if row is None or not row.libccid_min or known.box is None or known.box.libccid is None:
            continue
        if _numbers(known.box.libccid.version) < _numbers(row.libccid_min):
            return _driver_finding(Code.CCID_OLD, device, known.box, needed=row.libccid_min)
    return None


def own_driver_missing(known: Known) -> Finding | None:
    """Row 6: readers of ACS that this libccid does not list."""
    for device in _unlisted_devices(known):
        row = known_reader(device.usb_id)
        if row is not None and row.has_own_driver and known.box is not None:
            return _driver_finding(Code.CCID_ACS, device, known.box)
    return None


def driver_does_not_list(known: Known) -> Finding | None:
    """Annex B "device but no driver", for a reader that nobody taught this libccid."""
    for device in _unlisted_devices(known):
        if known.box is not None and known.box.libccid is not None:
            return _driver_finding(Code.CCID_UNLISTED, device, known.box)
    return None


RULES: Mapping[Layer, tuple[Rule, ...]] = {
    Layer.USB: (
        reader_in_a_container,
        no_reader_on_usb,
        reader_without_any_driver,
        reader_falls_asleep,
    ),
    Layer.KERNEL: (
        kernel_holds_the_reader,
        driver_missing,
        driver_too_old,
        own_driver_missing,
        driver_does_not_list,
    ),
}
"""The first that finds something speaks for its layer."""


def _is_usable(device: UsbDevice) -> bool:
    row = known_reader(device.usb_id)
    return device.is_ccid if row is None else row.is_ccid


def _waiting_devices(known: Known) -> tuple[UsbDevice, ...]:
    """Readers that should be in the service's list and are not."""
    if known.box is None or known.has_reader:
        return ()
    return usable_devices(known.box)


def _unlisted_devices(known: Known) -> tuple[UsbDevice, ...]:
    """Of those, the ones that no installed driver lists; none where one of them is listed."""
    waiting = _waiting_devices(known)
    if known.box is None or not waiting:
        return ()
    drivers = [driver for driver in (known.box.libccid, known.box.libacsccid) if driver is not None]
    listed = [device for device in waiting if _is_listed(device, drivers)]
    return () if listed else waiting


def _is_listed(device: UsbDevice, drivers: list[Driver]) -> bool:
    return any(device.usb_id in driver.usb_ids for driver in drivers)


def _numbers(version: str) -> tuple[int, ...]:
    """`1.5.2` as numbers to compare; what is none counts as older than everything."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(map(_is_number, parts)) else ()


def _is_number(part: str) -> bool:
    """Short enough, too: a number from outside may have thousands of digits."""
    return part.isascii() and part.isdigit() and len(part) < 10


def _driver_finding(code: Code, device: UsbDevice, box: BoxFacts, *, needed: str = "") -> Finding:
    facts = {"reader": name_of(device), "distribution": box.distribution}
    if box.libccid is not None:
        facts["version"] = box.libccid.version
    if needed:
        facts["needed"] = needed
    return Finding(Layer.KERNEL, State.FAULT, code, facts)
