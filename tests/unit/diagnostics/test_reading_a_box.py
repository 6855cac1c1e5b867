"""Reading a machine's files: bounds, hostile content, and what the kernel refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mykey_tui.diagnostics.box import read_box
from mykey_tui.diagnostics.drivers import PLIST_BYTES_MAX, driver_in
from mykey_tui.diagnostics.facts import BoxFacts, Reach
from mykey_tui.diagnostics.files import read_head
from mykey_tui.diagnostics.journal import SECONDS, read_journal
from mykey_tui.diagnostics.service_socket import reach_of
from tests.unit.diagnostics.box import Box, debian_12


def test_a_machine_with_nothing_on_it_reads_as_such(tmp_path: Path) -> None:
    assert read_box(tmp_path) == BoxFacts()


def test_a_whole_machine_is_read(box: Box) -> None:
    debian_12(box)
    box.polkit(rule=True)
    box.hidepid()
    box.container()
    box.libacsccid()
    box.process(12, "scdaemon")
    box.process(13, "bash")
    facts = read_box(box.root)
    (device,) = facts.usb
    assert (device.usb_id, device.product, device.is_ccid) == ("054c:0dc8", "RC-S300/S", True)
    assert device.power_control == "auto"
    assert facts.socket is Reach.OPEN
    assert facts.services == ("/run/pcscd/pcscd.comm",)
    assert facts.libccid is not None and facts.libccid.version == "1.5.2"
    assert "054c:0dc8" in facts.libccid.usb_ids
    assert facts.libacsccid is not None
    assert facts.asks_polkit and facts.has_polkit_rule
    assert facts.hides_processes and facts.is_container and facts.has_pcscd
    assert facts.distribution == "debian"
    assert facts.holders == ("scdaemon",)


def test_the_machine_that_runs_this_test_is_read_soon_and_without_harm() -> None:
    begun = time.monotonic()
    facts = read_box(Path("/"))
    assert time.monotonic() - begun < 1.0
    assert isinstance(facts, BoxFacts)


def test_a_device_that_names_itself_with_escape_sequences_is_cleaned(box: Box) -> None:
    box.usb("1234:abcd", "\x1b[2J\u202eReader" + "x" * 5000)
    (device,) = read_box(box.root).usb
    assert "\x1b" not in device.product
    assert "\u202e" not in device.product
    assert len(device.product) <= 48


def test_ids_that_are_no_numbers_are_no_device(box: Box) -> None:
    box.usb("05;c:0d$8", "reader")
    assert read_box(box.root).usb == ()


def test_a_device_of_no_interest_is_left_out(box: Box) -> None:
    box.usb("046d:c31c", "Keyboard", ccid=False)
    assert read_box(box.root).usb == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a list",
        b"<?xml version='1.0'?><plist><array/></plist>",
        b"bplist00" + b"\xff" * 64,
        b"<plist><dict><key>ifdVendorID</key><integer>1</integer></dict></plist>",
        b"<!DOCTYPE plist [<!ENTITY a 'b'>]><plist><string>&a;</string></plist>",
        b" " * (PLIST_BYTES_MAX + 1),
        b"<plist>" + b"<array>" * 5000,
    ],
)
def test_a_drivers_list_that_is_none_raises_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Info.plist"
    path.write_bytes(content)
    driver = driver_in([path])
    assert driver is None or driver.usb_ids == frozenset()


def test_the_first_readable_list_counts(tmp_path: Path) -> None:
    good = Path("/etc/libccid_Info.plist")
    if not good.exists():
        pytest.skip("libccid is not installed here")
    driver = driver_in([tmp_path / "none", good])
    assert driver is not None
    assert len(driver.usb_ids) > 100
    assert driver.version


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "modules"
    os.mkfifo(pipe)
    begun = time.monotonic()
    assert read_head(pipe) == ""
    assert time.monotonic() - begun < 0.5


def test_a_file_is_read_no_further_than_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "modules"
    path.write_text("x" * 1000)
    assert read_head(path, 100) == "x" * 100


def test_a_file_of_the_kernels_is_read_in_all_its_pages() -> None:
    whole = Path("/proc/self/maps")
    assert len(read_head(whole, 10**6)) > 4096, "the canary: more than one page"


PLACES = (
    "proc/modules",
    "proc/mounts",
    "proc/12/comm",
    "etc/os-release",
    "etc/libccid_Info.plist",
    "etc/polkit-1/rules.d/50-x.rules",
    "usr/lib/pcsc/drivers/ifd-acsccid.bundle/Contents/Info.plist",
    "sys/bus/usb/devices/1-1/idVendor",
    "sys/bus/usb/devices/1-1/idProduct",
    "sys/bus/usb/devices/1-1/product",
    "sys/bus/usb/devices/1-1/1-1:1.0/bInterfaceClass",
    "sys/bus/usb/devices/1-1/power/control",
    "run/pcscd/pcscd.comm",
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_bytes_in_any_file_are_read_without_harm(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory(prefix="mykey-") as folder:
        root = Path(folder)
        for place in PLACES:
            content = data.draw(st.none() | st.binary(max_size=64), label=place)
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                (root / place).mkdir()  # a folder where a file should be
            else:
                (root / place).write_bytes(content)
        facts = read_box(root)
        text = repr(facts)
    assert all(ord(sign) >= 32 for sign in text)
    assert facts.socket in (Reach.REFUSED, Reach.MISSING)


def test_a_folder_that_nobody_may_look_into_holds_nothing(box: Box) -> None:
    debian_12(box)
    box.polkit(rule=True)
    box.root.parent.chmod(0o755)
    closed = [box.root / place for place in ("etc", "sys", "usr", "proc")]
    for folder in closed:
        folder.chmod(0o000)
    with as_an_ordinary_user():
        facts = read_box(box.root)
    for folder in closed:
        folder.chmod(0o755)
    assert facts.usb == ()
    assert facts.libccid is None
    assert not facts.asks_polkit and not facts.has_polkit_rule


# The service's socket ---------------------------------------------------------------------------


def test_the_socket_is_told_missing_refused_and_open(box: Box) -> None:
    assert reach_of(box.socket_path) == (Reach.MISSING, "")
    box.stale_socket()
    assert reach_of(box.socket_path) == (Reach.REFUSED, "")
    box.socket_path.unlink()
    box.listen()
    assert reach_of(box.socket_path) == (Reach.OPEN, "")


NOBODY = 65534


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may open everything; for the time of the question we are nobody then."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.mark.parametrize("place", ["run/pcscd/pcscd.comm", "run/pcscd"])
def test_a_socket_that_its_mode_closes_is_denied(place: str, box: Box) -> None:
    box.listen()
    box.root.parent.chmod(0o755)
    assert reach_of(box.socket_path) == (Reach.OPEN, ""), "the canary"
    (box.root / place).chmod(0o000)
    with as_an_ordinary_user():
        denied = reach_of(box.socket_path)
    (box.root / place).chmod(0o700)
    assert denied == (Reach.DENIED, "0000")


def test_one_service_that_is_reached_in_two_ways_counts_once(box: Box) -> None:
    box.listen()
    alias = box.root / "var/snap/pcsc/common"
    alias.mkdir(parents=True)
    (alias / "pcscd.comm").symlink_to(box.socket_path)
    assert len(read_box(box.root).services) == 1


HAND_MADE = "usr/local/var/run/pcscd/pcscd.comm"


def test_the_file_of_a_killed_service_is_not_a_second_service(box: Box) -> None:
    box.stale_socket(HAND_MADE)
    box.listen()
    assert read_box(box.root).services == ("/run/pcscd/pcscd.comm",)


def test_two_files_of_killed_services_are_no_service(box: Box) -> None:
    box.stale_socket()
    box.stale_socket(HAND_MADE)
    facts = read_box(box.root)
    assert (facts.services, facts.socket) == ((), Reach.REFUSED)


def test_a_second_service_whose_socket_is_closed_to_us_counts(box: Box) -> None:
    box.listen()
    box.listen(HAND_MADE)
    box.root.parent.chmod(0o755)
    (box.root / HAND_MADE).chmod(0o000)
    with as_an_ordinary_user():
        services = read_box(box.root).services
    assert services == ("/run/pcscd/pcscd.comm", f"/{HAND_MADE}")


def test_a_pipe_in_the_place_of_a_drivers_list_holds_nobody_up(box: Box) -> None:
    pipe = box.root / "etc/libccid_Info.plist"
    os.mkfifo(pipe)
    found: list[BoxFacts] = []
    reading = threading.Thread(target=lambda: found.append(read_box(box.root)), daemon=True)
    reading.start()
    reading.join(2)
    hangs = reading.is_alive()
    if hangs:  # lets it go
        os.close(os.open(pipe, os.O_WRONLY))
    assert not hangs
    assert found[0].libccid is None


# The journal -----------------------------------------------------------------------------------


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_a_journal_is_read_for_its_signs_alone() -> None:
    facts = read_journal(
        program("print('Process 2605 (user: 1000) is NOT authorized for action: access_pcsc')")
    )
    assert facts is not None
    assert facts.denied
    assert "1000" not in repr(facts)


@pytest.mark.parametrize(
    "text", ["", "import sys; print('x'); sys.exit(1)", "import time; time.sleep(30)"]
)
def test_a_journal_that_says_nothing_fails_or_hangs_is_no_evidence(text: str) -> None:
    begun = time.monotonic()
    assert read_journal(program(text)) is None
    assert time.monotonic() - begun < SECONDS + 1.0


def test_a_host_without_a_journal_is_no_evidence() -> None:
    assert read_journal(("no-such-program",)) is None


def test_the_real_journal_may_be_asked() -> None:
    try:
        subprocess.run(["journalctl", "--version"], check=True, capture_output=True)
    except OSError:
        pytest.skip("journalctl is not installed here")
    begun = time.monotonic()
    read_journal()
    assert time.monotonic() - begun < SECONDS + 0.5
