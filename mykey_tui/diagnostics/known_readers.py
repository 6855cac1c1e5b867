"""Readers by USB number: what each needs of the host. One row, one source.

Only readers with a need of their own stand here. Every other reader of the class CCID is served by
libccid when libccid lists it, and needs no row.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownReader:
    """What a reader needs. `usb_id` is `vid:pid`, four small hexadecimal digits each."""

    usb_id: str
    name: str
    source: str
    """Where the row is from; the short references are those of the projects' trackers."""
    is_ccid: bool = True
    """False: its maker's own protocol, and no PC/SC driver anywhere."""
    kernel_driver: str = ""
    """The module of Linux that takes it away from PC/SC. Keeping that one away is enough."""
    libccid_min: str = ""
    """The first libccid that lists it."""
    has_own_driver: bool = False
    """libacsccid serves it where libccid does not."""


_PN533 = "pn533_usb"
_PORT100 = "port100"
_RC_S380 = "PCSC#86, libnfc#302, nfcpy#240; drivers/nfc/port100.c of Linux"
_RC_S300 = "CCID readers/supported_readers.txt: since libccid 1.4.35 (2021-07)"
_ACS = "acsccid#23, pyscard#94; libccid's list for the versions that have it"

KNOWN_READERS = (
    KnownReader("054c:06c1", "Sony RC-S380/S", _RC_S380, False, _PORT100),
    KnownReader("054c:06c3", "Sony RC-S380/P", _RC_S380, False, _PORT100),
    KnownReader("054c:02e1", "Sony RC-S330/360/370", "libnfc udev rules; nfcpy", False, _PN533),
    KnownReader("054c:01bb", "Sony RC-S320", "libpafe; vendor protocol", False),
    KnownReader("04e6:5591", "SCM SCL3711", "drivers/nfc/pn533/usb.c of Linux", False, _PN533),
    KnownReader("054c:0dc8", "Sony RC-S300/S", _RC_S300, libccid_min="1.4.35"),
    KnownReader("054c:0dc9", "Sony RC-S300/P", _RC_S300, libccid_min="1.4.35"),
    KnownReader("054c:0d8f", "Sony RC-S660/U", _RC_S300, libccid_min="1.4.35"),
    KnownReader("072f:2200", "ACS ACR122U", "pcsc-tools#97, libnfc#402, libnfc#426", True, _PN533),
    KnownReader("072f:221a", "ACS ACR1251", _ACS, has_own_driver=True),
    KnownReader("072f:223b", "ACS ACR1252", _ACS, has_own_driver=True),
    KnownReader("072f:223e", "ACS ACR1252", _ACS, has_own_driver=True),
    KnownReader("072f:2224", "ACS ACR1281U", _ACS, has_own_driver=True),
)

NFC_MODULES = frozenset(row.kernel_driver for row in KNOWN_READERS if row.kernel_driver)
"""The only modules that are looked for in the kernel's list."""

_BY_USB_ID = {row.usb_id: row for row in KNOWN_READERS}


def known_reader(usb_id: str) -> KnownReader | None:
    """The row of a device, if it has one."""
    return _BY_USB_ID.get(usb_id)
