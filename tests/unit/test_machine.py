"""Versions of a machine, read from files below a root; nothing that names the machine."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from mykey_tui.composition.machine import versions

DPKG = """Package: libccid
Status: install ok installed
Version: 1.5.2-1

Package: pcscd
Status: install ok installed
Version: 1:1.9.9-2

Package: libpcsclite1
Status: install ok installed
Version: 1.9.9-2

Package: libacsccid1
Status: deinstall ok config-files
Version: 1.1.8-1

Package: other
Status: install ok installed
Version: 9
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(
        'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
    )
    (tmp_path / "etc/hostname").write_text("till-of-tanaka\n")
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    return tmp_path


def test_debian_packages_are_found_with_their_versions(root: Path) -> None:
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(DPKG)
    told = versions(root, "SQLCipher 4.6")
    assert told["pcscd"] == "1.9.9-2"
    assert told["libpcsclite"] == "1.9.9-2"
    assert told["libccid"] == "1.5.2-1"
    assert told["libacsccid"] == "", "removed, and only its settings are left"
    assert told["system"] == "Debian GNU/Linux 12 (bookworm)"
    assert told["engine"] == "SQLCipher 4.6"
    assert told["python"] == platform.python_version()
    assert told["mykey-tui"]


def test_arch_packages_are_found_by_their_folders(root: Path) -> None:
    for name in ("pcsclite-2.3.1-1", "ccid-1.6.2-1", "accid-1-1", "pcsclite-extra-1-1"):
        (root / "var/lib/pacman/local" / name).mkdir(parents=True)
    told = versions(root, "")
    assert (told["pcscd"], told["libpcsclite"], told["libccid"]) == (
        "2.3.1-1",
        "2.3.1-1",
        "1.6.2-1",
    )


def test_what_is_not_known_is_empty_and_nothing_raises(tmp_path: Path) -> None:
    told = versions(tmp_path, "")
    assert told["pcscd"] == told["libccid"] == told["system"] == ""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_bytes(b"\xff\x00Package: pcscd\n\n" * 1000)
    assert versions(tmp_path, "")["pcscd"] == ""


def test_nothing_names_the_machine(root: Path) -> None:
    told = " ".join(versions(root, "").values())
    for name in ("tanaka", "0123456789abcdef", platform.node()):
        assert name not in told
