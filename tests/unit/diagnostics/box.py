"""A machine under a folder: files where the kernel, udev, pcscd and polkit have theirs."""

from __future__ import annotations

import plistlib
import socket
from collections.abc import Iterable
from pathlib import Path

LISTED_1_5_2 = ("054c:0dc8", "054c:0dc9", "054c:0d8f", "072f:2200", "072f:223b")
"""Some of the readers that Debian 12's libccid lists."""
LISTED_1_4_30 = ("072f:2200", "04e6:5790")
"""Before Sony's readers were added."""


class Box:
    """Writes one sign of a machine at a time; `close` closes its sockets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sockets: list[socket.socket] = []
        self._devices = 0
        for folder in ("sys/bus/usb/devices", "proc", "etc", "run"):
            (root / folder).mkdir(parents=True)
        self.write("proc/modules", "usbcore 311296 2 xhci_hcd, Live 0x0\n")
        self.write("proc/mounts", "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n")

    @property
    def socket_path(self) -> Path:
        return self.root / "run/pcscd/pcscd.comm"

    def write(self, place: str, text: str) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def usb(
        self,
        usb_id: str,
        product: str = "",
        *,
        ccid: bool = True,
        power: str = "auto",
        driver: str = "",
    ) -> None:
        """A device with one interface, as sysfs shows it: its serial number lies beside."""
        self._devices += 1
        vendor, _, number = usb_id.partition(":")
        device = f"sys/bus/usb/devices/1-{self._devices}"
        interface = f"{device}/1-{self._devices}:1.0"
        self.write(f"{device}/idVendor", vendor + "\n")
        self.write(f"{device}/idProduct", number + "\n")
        self.write(f"{device}/product", product + "\n")
        self.write(f"{device}/serial", "SERIAL0451\n")
        self.write(f"{device}/power/control", power + "\n")
        self.write(f"{interface}/bInterfaceClass", ("0b" if ccid else "ff") + "\n")
        if driver:
            target = self.root / "sys/bus/usb/drivers" / driver
            target.mkdir(parents=True)
            (self.root / interface / "driver").symlink_to(target)

    def modules(self, *names: str) -> None:
        lines = (f"{name} 20480 0 - Live 0x0000000000000000\n" for name in names)
        self.write("proc/modules", "".join(lines))

    def libccid(self, version: str = "1.5.2", usb_ids: Iterable[str] = LISTED_1_5_2) -> None:
        self._plist("etc/libccid_Info.plist", version, usb_ids)

    def libacsccid(self, usb_ids: Iterable[str] = ("072f:223b",)) -> None:
        place = "usr/lib/pcsc/drivers/ifd-acsccid.bundle/Contents/Info.plist"
        self._plist(place, "1.1.8", usb_ids)

    def pcscd(self) -> None:
        self.write("usr/sbin/pcscd", "#!program\n")

    def listen(self, place: str = "run/pcscd/pcscd.comm") -> None:
        """A real socket with somebody who takes calls."""
        listener = self._bound(place)
        listener.listen(8)
        self._sockets.append(listener)

    def stale_socket(self, place: str = "run/pcscd/pcscd.comm") -> None:
        """The file that a service left behind when it was killed."""
        self._bound(place).close()

    def polkit(self, *, rule: bool = False) -> None:
        self.write("usr/share/polkit-1/actions/org.debian.pcsc-lite.policy", "<policyconfig/>")
        if rule:
            text = 'polkit.addRule(f(a, s) { a.id == "org.debian.pcsc-lite.access_pcsc" });'
            self.write("etc/polkit-1/rules.d/50-till.rules", text)

    def distribution(self, family: str, like: str = "") -> None:
        self.write("etc/os-release", f'PRETTY_NAME="x"\nID={family}\nID_LIKE="{like}"\n')

    def hidepid(self) -> None:
        self.write("proc/mounts", "proc /proc proc rw,nosuid,hidepid=invisible 0 0\n")

    def container(self) -> None:
        self.write("run/.containerenv", "")

    def process(self, pid: int, name: str) -> None:
        self.write(f"proc/{pid}/comm", name + "\n")

    def close(self) -> None:
        for listener in self._sockets:
            listener.close()

    def _plist(self, place: str, version: str, usb_ids: Iterable[str]) -> None:
        split = [usb_id.partition(":")[::2] for usb_id in usb_ids]
        values = {
            "CFBundleShortVersionString": version,
            "ifdVendorID": [f"0x{vendor.upper()}" for vendor, _ in split],
            "ifdProductID": [f"0x{number.upper()}" for _, number in split],
        }
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plistlib.dumps(values))

    def _bound(self, place: str) -> socket.socket:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound.bind(str(path))
        return bound


def debian_12(box: Box) -> None:
    """A counter as it should be: RC-S300 on Debian 12, whose libccid lists it."""
    box.distribution("debian")
    box.usb("054c:0dc8", "RC-S300/S")
    box.libccid()
    box.pcscd()
    box.listen()


def ubuntu_with_polkit(box: Box) -> None:
    """Ubuntu 24.04: pcscd asks polkit, and a rule lets the counter's user in."""
    debian_12(box)
    box.distribution("ubuntu", "debian")
    box.polkit(rule=True)
