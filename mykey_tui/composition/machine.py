"""Which software this counter runs on: names and versions, for the evidence sheet and the taps' row.

Nothing that names this machine or its user: no host name, no machine id, no serial number.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mykey_tui.diagnostics.box import read_box
from mykey_tui.diagnostics.files import names_in, read_head
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.reader_name import bare_reader_name
from mykey_tui.flows.soak import ReaderInTest

ROOT = Path("/")
_OF_A_READER = ("mykey-tui", "pcscd", "libccid")
_DPKG = Path("var/lib/dpkg/status")
_DPKG_BYTES_MAX = 32 * 1024 * 1024
_PACMAN = Path("var/lib/pacman/local")
_PACKAGES_MAX = 16384
_OS_RELEASE = (Path("etc/os-release"), Path("usr/lib/os-release"))
_PRETTY_NAME = re.compile(r'^PRETTY_NAME="?([^"\n]*)', re.MULTILINE)
_PACKAGE = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_VERSION = re.compile(r"^Version: (?:\d+:)?(\S+)$", re.MULTILINE)
_INSTALLED = re.compile(r"^Status: \S+ \S+ installed$", re.MULTILINE)
_PACMAN_NAME = re.compile(r"(pcsclite|ccid)-([0-9][^-]*-[^-]+)")
_OURS = ("textual", "pyscard", "cryptography")
_DEBIAN = {
    "pcscd": "pcscd",
    "libccid": "libccid",
    "libpcsclite1": "libpcsclite",
    "libacsccid1": "libacsccid",
}
_ARCH = {"pcsclite": ("pcscd", "libpcsclite"), "ccid": ("libccid",)}


def versions(root: Path, engine: str) -> Mapping[str, str]:
    """Name to version; empty where it is not known. Reads files below `root`, bounded.

    `engine` is the database engine's own word. A system whose package list is no text file (rpm)
    leaves the reader's software unknown: the doctor still reads libccid's own version.
    """
    packages = {**dict.fromkeys(_DEBIAN.values(), ""), **_packages(root)}
    return {
        "mykey-tui": version("mykey-tui"),
        "engine": engine,
        "python": platform.python_version(),
        **{name: _installed(name) for name in _OURS},
        "kernel": platform.release(),
        "system": _system(root),
        **packages,
    }


def reader_in_test(name: str, *, simulated: bool, root: Path = ROOT) -> ReaderInTest:
    """The reader that PC/SC calls `name`, with its USB number where only one reader is plugged in."""
    usb = () if simulated else read_box(root).usb
    known = versions(root, "")
    return replace(
        named_reader(name, simulated=simulated),
        usb_id=usb[0].usb_id if len(usb) == 1 else "",
        software=tuple(f"{each} {known[each]}" for each in _OF_A_READER if known[each]),
    )


def named_reader(name: str, *, simulated: bool) -> ReaderInTest:
    """What is known of the reader that PC/SC calls `name` without a look at the machine."""
    return ReaderInTest(
        name=bare_reader_name(name) + (" SIMULATED" if simulated else ""),
        month=SystemClock().now().strftime("%Y-%m"),
    )


def _installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _system(root: Path) -> str:
    for path in _OS_RELEASE:
        name = _PRETTY_NAME.search(read_head(root / path))
        if name is not None:
            return name[1]
    return ""


def _packages(root: Path) -> Mapping[str, str]:
    """The reader's software as the package manager knows it."""
    return dict(_debian_packages(root)) or dict(_arch_packages(root))


def _debian_packages(root: Path) -> Iterator[tuple[str, str]]:
    for entry in read_head(root / _DPKG, _DPKG_BYTES_MAX).split("\n\n"):
        name = _PACKAGE.search(entry)
        if name is None or name[1] not in _DEBIAN or _INSTALLED.search(entry) is None:
            continue
        number = _VERSION.search(entry)
        if number is not None:
            yield _DEBIAN[name[1]], number[1]


def _arch_packages(root: Path) -> Iterator[tuple[str, str]]:
    for folder in names_in(root / _PACMAN, _PACKAGES_MAX):
        found = _PACMAN_NAME.fullmatch(folder)
        if found is not None:
            for name in _ARCH[found[1]]:
                yield name, found[2]
