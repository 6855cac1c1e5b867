"""The command that mends a fault, where there is one: pure text, the same in every language.

It is shown to a person who types it, or copies it. So nothing from outside goes into it but words
that were checked: a module of our own table, a USB number, a family of distributions. The user's
name is left to the shell (`$USER`), and stays out of every report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mykey_tui.diagnostics.finding import Finding
from mykey_tui.diagnostics.known_readers import NFC_MODULES
from mykey_tui.domain.codes import Code

_RESTART = "sudo systemctl restart pcscd.socket pcscd.service"
_START = "sudo systemctl enable --now pcscd.socket"
_SET_CLOCK = "sudo timedatectl set-ntp true"
_POLKIT_RULE = (
    "printf 'polkit.addRule(function(action, subject) {\\n"
    '  if (action.id.indexOf("org.debian.pcsc-lite.") == 0 && subject.user == "%s")\\n'
    '    return polkit.Result.YES;\\n});\\n\' "$USER"'
    " | sudo tee /etc/polkit-1/rules.d/50-mykey.rules"
)
_INSTALL = {
    "debian": "sudo apt install {}",
    "ubuntu": "sudo apt install {}",
    "fedora": "sudo dnf install {}",
    "rhel": "sudo dnf install {}",
    "arch": "sudo pacman -S {}",
    "suse": "sudo zypper install {}",
}
_PACKAGES = {
    "debian": ("pcscd", "libccid"),
    "ubuntu": ("pcscd", "libccid"),
    "fedora": ("pcsc-lite", "pcsc-lite-ccid"),
    "rhel": ("pcsc-lite", "pcsc-lite-ccid"),
    "arch": ("pcsclite", "ccid"),
    "suse": ("pcsc-lite", "pcsc-ccid"),
}
"""The service and libccid, as each family calls them."""
_ACS_FAMILIES = ("debian", "ubuntu")
"""Where the package libacsccid1 is known to be."""
_USB_ID = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")

_FIXED = {
    Code.READER_NO_SERVICE: _START,
    Code.PCSC_CONTAINER: "podman run --volume /run/pcscd:/run/pcscd IMAGE",
    Code.PCSC_TWO: "systemctl list-units 'pcscd*' 'snap.*pcsc*'",
    Code.PCSC_VERSION: _RESTART,
    Code.PCSC_HANGS: _RESTART,
    Code.READER_DENIED: _POLKIT_RULE,
    Code.PCSC_SOCKET: "sudo systemctl restart pcscd.socket",
    Code.PCSC_HIDDEN: "sudo mount -o remount,hidepid=0 /proc",
    Code.READER_UNSEEN: _RESTART,
    Code.SERVER_CLOCK: _SET_CLOCK,
    Code.TRUST_CLOCK: _SET_CLOCK,
    Code.STORE_NONE: "mykey enrol --server URL --code CODE",
}


def command_for(finding: Finding) -> str | None:
    """One line for a shell, or None where hands and eyes are what is needed."""
    if finding.code is None:
        return None
    build = _BUILT.get(finding.code)
    return _FIXED.get(finding.code) if build is None else build(finding.facts)


def _keep_away(facts: Mapping[str, str]) -> str | None:
    module = facts.get("module", "")
    if module not in NFC_MODULES:
        return None
    return (
        f"echo 'blacklist {module}' | sudo tee /etc/modprobe.d/mykey-nfc.conf"
        f" && sudo modprobe -r {module} && {_RESTART}"
    )


def _keep_awake(facts: Mapping[str, str]) -> str | None:
    number = _USB_ID.fullmatch(facts.get("usb_id", ""))
    if number is None:
        return None
    rule = (
        f'ACTION=="add", SUBSYSTEM=="usb", ATTR{{idVendor}}=="{number[1]}", '
        f'ATTR{{idProduct}}=="{number[2]}", ATTR{{power/control}}="on"'
    )
    return (
        f"echo '{rule}' | sudo tee /etc/udev/rules.d/99-mykey-reader.rules"
        " && sudo udevadm control --reload"
    )


def _install_driver(facts: Mapping[str, str]) -> str | None:
    return _install(facts, with_service=False)


def _install_service(facts: Mapping[str, str]) -> str | None:
    install = _install(facts, with_service=True)
    return None if install is None else f"{install} && {_START}"


def _install_acs(facts: Mapping[str, str]) -> str | None:
    known = facts.get("distribution") in _ACS_FAMILIES
    return "sudo apt install libacsccid1" if known else None


def _close(facts: Mapping[str, str]) -> str | None:
    held_by_gnupg = "scdaemon" in facts.get("programs", "").split(", ")
    return "gpgconf --kill scdaemon" if held_by_gnupg else None


def _install(facts: Mapping[str, str], *, with_service: bool) -> str | None:
    family = facts.get("distribution", "")
    packages = _PACKAGES.get(family)
    if packages is None:
        return None
    return _INSTALL[family].format(" ".join(packages if with_service else packages[1:]))


_BUILT: Mapping[Code, Callable[[Mapping[str, str]], str | None]] = {
    Code.KERNEL_NFC: _keep_away,
    Code.USB_POWER: _keep_awake,
    Code.CCID_MISSING: _install_driver,
    Code.CCID_OLD: _install_driver,
    Code.CCID_UNLISTED: _install_driver,
    Code.CCID_ACS: _install_acs,
    Code.PCSC_MISSING: _install_service,
    Code.READER_BUSY: _close,
}
