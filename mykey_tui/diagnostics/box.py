"""Reading the machine's own files: USB, kernel modules, the service's socket, drivers, polkit.

Everything is read below a root directory, `/` in production. A file that is not there, not ours to
read or not what it should be counts as not there: each read is bounded, and none raises.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from mykey_tui.diagnostics.drivers import driver_in
from mykey_tui.diagnostics.facts import BoxFacts, Reach, UsbDevice
from mykey_tui.diagnostics.files import is_there, listed, names_in, read_head
from mykey_tui.diagnostics.known_readers import NFC_MODULES, known_reader
from mykey_tui.diagnostics.service_socket import reach_of
from mykey_tui.domain.text import safe

SOCKET = Path("run/pcscd/pcscd.comm")
_OTHER_SOCKETS = (
    "var/snap/*/common/run/pcscd/pcscd.comm",
    "var/snap/*/common/pcscd/pcscd.comm",
    "run/snap.*/pcscd/pcscd.comm",
    "usr/local/var/run/pcscd/pcscd.comm",
)
"""Where a snap or a hand-made installation puts its own."""
_PROGRAMS = ("usr/sbin/pcscd", "usr/bin/pcscd", "usr/local/sbin/pcscd", "sbin/pcscd")
_LIBCCID = (
    "etc/libccid_Info.plist",
    "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
    "usr/lib64/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
)
_LIBACSCCID = (
    "usr/lib/pcsc/drivers/ifd-acsccid.bundle/Contents/Info.plist",
    "usr/lib64/pcsc/drivers/ifd-acsccid.bundle/Contents/Info.plist",
)
_POLKIT_ACTIONS = "usr/share/polkit-1/actions/org.debian.pcsc-lite.policy"
_POLKIT_RULES = ("etc/polkit-1/rules.d", "usr/share/polkit-1/rules.d", "run/polkit-1/rules.d")
_POLKIT_NAME = "org.debian.pcsc-lite"
_CONTAINER_SIGNS = (
    ".dockerenv",
    "run/.containerenv",
    "run/systemd/container",
    "run/host/container-manager",
    ".flatpak-info",
)
_FAMILIES = ("debian", "ubuntu", "fedora", "rhel", "arch", "suse")
_HOLDERS = (
    "scdaemon", "firefox", "firefox-bin", "firefox-esr", "chrome", "chromium", "chromium-browse", "msedge", "brave",
    "pcsc_scan", "opensc-tool", "pkcs11-tool", "pkcs15-tool", "ykman",
)  # fmt: skip
"""Programs known to take a reader for themselves: GnuPG, browsers with a card module, tools. The kernel
cuts a name to 15 characters."""

_CCID_CLASS = "0b"
_USB_ID = re.compile(r"[0-9a-f]{4}")
_DEVICES_MAX = 256
_PROCESSES_MAX = 4096
_INTERFACES_MAX = 32
_RULES_MAX = 64


def read_box(root: Path, socket: Path | None = None) -> BoxFacts:
    """Everything at once, some milliseconds. `socket` is where libpcsclite was told to look."""
    used = socket or root / SOCKET
    reach, mode = reach_of(used)
    names = frozenset(_process_names(root))
    return BoxFacts(
        usb=tuple(_usb_readers(root)),
        modules=frozenset(_modules(root)),
        socket=reach,
        socket_mode=mode,
        services=tuple(_services(root, used)),
        has_pcscd=any(is_there(root / place) for place in _PROGRAMS),
        libccid=driver_in(root / place for place in _LIBCCID),
        libacsccid=driver_in(root / place for place in _LIBACSCCID),
        asks_polkit=is_there(root / _POLKIT_ACTIONS),
        has_polkit_rule=_has_polkit_rule(root),
        hides_processes=_hides_processes(root),
        is_container=any(is_there(root / sign) for sign in _CONTAINER_SIGNS),
        distribution=_distribution(root),
        holders=tuple(name for name in _HOLDERS if name in names),
    )


def _usb_readers(root: Path) -> Iterator[UsbDevice]:
    """Devices with an interface of the class 0b, and those that we have a row for."""
    for folder in listed(root / "sys/bus/usb/devices", _DEVICES_MAX):
        vendor, product = _word(folder / "idVendor"), _word(folder / "idProduct")
        if not (_USB_ID.fullmatch(vendor) and _USB_ID.fullmatch(product)):
            continue  # An interface or a hub's port, not a device.
        usb_id = f"{vendor}:{product}"
        interfaces = list(_interfaces(folder))
        is_ccid = any(_word(item / "bInterfaceClass") == _CCID_CLASS for item in interfaces)
        if is_ccid or known_reader(usb_id) is not None:
            yield UsbDevice(
                usb_id=usb_id,
                product=safe(read_head(folder / "product").strip(), 48),
                is_ccid=is_ccid,
                power_control=safe(_word(folder / "power/control"), 8),
                kernel_drivers=tuple(_drivers_of(interfaces)),
            )


def _interfaces(device: Path) -> Iterator[Path]:
    """`1-2:1.0` stands in the folder of `1-2`."""
    names = (
        item for item in listed(device, _DEVICES_MAX) if item.name.startswith(f"{device.name}:")
    )
    yield from islice(names, _INTERFACES_MAX)


def _drivers_of(interfaces: Iterable[Path]) -> Iterator[str]:
    for interface in interfaces:
        with suppress(OSError):
            name = (interface / "driver").readlink().name
            if name in NFC_MODULES:
                yield name


def _modules(root: Path) -> Iterator[str]:
    for line in read_head(root / "proc/modules").splitlines():
        name = line.partition(" ")[0]
        if name in NFC_MODULES:
            yield name


def _services(root: Path, used: Path) -> Iterator[str]:
    """Every service's socket, by its place; one that is reached in two ways counts once.

    The file that a killed service left behind is no service: somebody must listen, or its mode keep
    us from asking.
    """
    seen: set[tuple[int, int]] = set()
    others = (path for pattern in _OTHER_SOCKETS for path in _glob(root, pattern))
    for path in (used, root / SOCKET, *others):
        with suppress(OSError):
            status = path.stat()
            if stat.S_ISSOCK(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                if reach_of(path)[0] in (Reach.OPEN, Reach.DENIED):
                    yield safe(_place(path, root), 48)


def _glob(root: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return list(islice(root.glob(pattern), 8))
    return []


def _place(path: Path, root: Path) -> str:
    return f"/{path.relative_to(root)}" if path.is_relative_to(root) else path.name


def _has_polkit_rule(root: Path) -> bool:
    files = (item for place in _POLKIT_RULES for item in listed(root / place, _RULES_MAX))
    return any(_POLKIT_NAME in read_head(path) for path in files)


def _hides_processes(root: Path) -> bool:
    """`hidepid` of the mount at /proc; 0 and `off` hide nothing."""
    for line in read_head(root / "proc/mounts").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[1] == "/proc":
            options = dict(option.partition("=")[::2] for option in fields[3].split(","))
            return options.get("hidepid", "0") not in ("0", "off", "")
    return False


def _distribution(root: Path) -> str:
    """The family, which decides how packages are called and installed."""
    words: set[str] = set()
    for line in read_head(root / "etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name in ("ID", "ID_LIKE"):
            words.update(value.strip("\"'").lower().split())
    return next((family for family in _FAMILIES if any(family in word for word in words)), "")


def _process_names(root: Path) -> Iterator[str]:
    folders = (name for name in names_in(root / "proc", _PROCESSES_MAX) if name.isdigit())
    for name in folders:
        yield _word(root / "proc" / name / "comm")


def _word(path: Path) -> str:
    return read_head(path, 64).strip()
