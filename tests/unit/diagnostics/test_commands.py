"""The printed commands: whole, harmless to copy, and with nothing hostile in them."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from mykey_tui.diagnostics.commands import command_for
from mykey_tui.diagnostics.finding import Finding, State
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

HOSTILE = ("", "x; rm -rf ~", "$(id)", "pn533_usb'", "054c:0dc8'; id #", "deb`id`ian", "\n")


def command(code: Code, **facts: str) -> str | None:
    return command_for(Finding(Layer.USB, State.FAULT, code, facts))


@pytest.mark.parametrize("value", HOSTILE)
def test_no_fact_from_outside_gets_into_a_command(value: str) -> None:
    names = ("module", "usb_id", "distribution", "reader", "programs", "version", "mode", "places")
    hostile = dict.fromkeys(names, value)
    for code in Code:
        assert command(code, **hostile) == command(code)


def test_known_facts_get_into_their_command() -> None:
    assert "blacklist port100" in (command(Code.KERNEL_NFC, module="port100") or "")
    rule = command(Code.USB_POWER, usb_id="054c:0dc8") or ""
    assert 'ATTR{idVendor}=="054c", ATTR{idProduct}=="0dc8"' in rule
    assert command(Code.CCID_OLD, distribution="fedora") == "sudo dnf install pcsc-lite-ccid"
    assert command(Code.CCID_ACS, distribution="fedora") is None, "no package is known there"
    assert command(Code.READER_BUSY, programs="firefox, scdaemon") == "gpgconf --kill scdaemon"


def test_a_shell_understands_every_command() -> None:
    facts = {
        "module": "pn533_usb",
        "usb_id": "072f:2200",
        "distribution": "debian",
        "programs": "scdaemon",
    }
    lines = [line for code in Code if (line := command(code, **facts)) is not None]
    assert len(lines) > 15, "the canary"
    for line in lines:
        assert "\n" not in line
        subprocess.run(["/bin/sh", "-n", "-c", line], check=True)
        assert shlex.split(line)


def test_the_polkit_rule_names_this_user_and_nobody_else() -> None:
    line = command(Code.READER_DENIED) or ""
    written = subprocess.run(
        ["/bin/sh", "-c", line.partition(" | sudo")[0]],
        check=True,
        capture_output=True,
        text=True,
        env={"USER": "till"},
    ).stdout
    assert 'subject.user == "till"' in written
    assert written.count("org.debian.pcsc-lite.") == 1
    assert written.startswith("polkit.addRule(function(action, subject) {\n")
    assert written.endswith("});\n")
