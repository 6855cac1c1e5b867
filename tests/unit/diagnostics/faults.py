"""Every row of the two fault tables as something that can be built, and what must be said of it.

`card N` is a row of the reader reference's doctor table, `B "sign"` one of the mission's Annex B.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mykey_tui.card.connection import CardReader, ReaderState
from mykey_tui.diagnostics import box_rules, card_rules, counter_rules, service_rules
from mykey_tui.diagnostics.facts import LineFacts
from mykey_tui.diagnostics.finding import State
from mykey_tui.diagnostics.known import Rule
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ReaderError, TransmissionError
from mykey_tui.reader.card_file import CardFile, CardPin, Fault, FaultName
from mykey_tui.simulated.cards import make_card, phone
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card
from tests.unit.diagnostics.box import LISTED_1_4_30, Box, debian_12, ubuntu_with_polkit
from tests.unit.diagnostics.readers import (
    RC_S300,
    OverWire,
    Scripted,
    in_state,
    only_short_answers,
    with_card_that,
)

WELL_CONNECTED = LineFacts(milliseconds=20, skew_seconds=0.2)
CN = "1C2410DF79DGEL07202002B"
NOW = datetime.now(UTC)
DENIED = (
    "00000000 ../src/auth.c:145:IsClientAuthorized() Process 2605 (user: 1000)"
    " is NOT authorized for action: access_pcsc\n"
    "00000096 ../src/winscard_svc.c:357:ContextThread() Rejected unauthorized PC/SC client\n"
)
HIDDEN = "auth.c:127:IsClientAuthorized() Error in authorization: GDBus.Error: Failed to open\n"
USB_ERRORS = "ccid_usb.c:901:WriteUSB() write failed (1/5): -4 LIBUSB_ERROR_NO_DEVICE\n"
MISMATCH = "../src/winscard_svc.c:404:ContextThread() Communication protocol mismatch!\n"
ENDS = "pcscd.service: Deactivated successfully.\nStarted PC/SC Smart Card Daemon.\n" * 3


def good_card() -> CardFile:
    return make_card(CN, at=NOW)


def no_reader() -> CardReader:
    return in_state(ReaderState.NO_READER)


def no_service() -> CardReader:
    return in_state(ReaderState.NO_SERVICE)


@dataclass(frozen=True)
class Injected:
    """One fault. `box` builds the machine, `reader` is what its driver shows, `journal` its log."""

    row: str
    sign: str
    layer: Layer
    code: Code
    box: Callable[[Box], None] = debian_12
    reader: Callable[[], CardReader] = no_reader
    journal: str | None = None
    state: State = State.FAULT
    command: str = ""
    """A piece of the command that has to be printed."""
    skipped: tuple[Layer, ...] = ()
    line: LineFacts = WELL_CONNECTED
    silent_seconds: float | None = None


READING = (Layer.READER, Layer.CARD, Layer.APPLICATION, Layer.CERTIFICATE)
ABOVE_CARD = (Layer.APPLICATION, Layer.CERTIFICATE)


def machine(*signs: Callable[[Box], None]) -> Callable[[Box], None]:
    def build(box: Box) -> None:
        for sign in signs:
            sign(box)

    return build


def _service(box: Box) -> None:
    box.distribution("debian")
    box.pcscd()
    box.listen()


def _rc_s300(box: Box) -> None:
    box.usb("054c:0dc8", "RC-S300/S")


def _stopped(box: Box) -> None:
    _rc_s300(box)
    box.libccid()
    box.distribution("debian")
    box.pcscd()


def _locked_card() -> CardFile:
    card = good_card()
    return replace(card, pins={**card.pins, 0x0018: CardPin("1234", 0)})


def _empty_card() -> CardFile:
    card = good_card()
    return replace(card, files={k: v for k, v in card.files.items() if k != 0x000A})


INJECTED = (
    Injected(
        "card 1",
        "pcscd installed, no socket (8010001D)",
        Layer.DAEMON,
        Code.READER_NO_SERVICE,
        _stopped,
        no_service,
        command="systemctl enable --now pcscd.socket",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "card 1",
        "no pcscd at all",
        Layer.DAEMON,
        Code.PCSC_MISSING,
        machine(_rc_s300, lambda box: box.distribution("ubuntu", "debian")),
        no_service,
        command="sudo apt install pcscd libccid &&",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "card 2",
        "8010001D for this user; the journal says NOT authorized",
        Layer.PERMISSION,
        Code.READER_DENIED,
        machine(debian_12, lambda box: box.polkit()),
        no_service,
        DENIED,
        command="/etc/polkit-1/rules.d/",
        skipped=READING,
    ),
    Injected(
        "card 2",
        "8010001D, pcscd asks polkit, no rule, journal not ours to read",
        Layer.PERMISSION,
        Code.READER_DENIED,
        machine(debian_12, lambda box: box.polkit()),
        no_service,
        command='"$USER"',
        skipped=READING,
    ),
    Injected(
        "card 2",
        "hidepid on /proc",
        Layer.PERMISSION,
        Code.PCSC_HIDDEN,
        machine(ubuntu_with_polkit, lambda box: box.hidepid()),
        no_service,
        HIDDEN,
        command="hidepid=0",
        skipped=READING,
    ),
    Injected(
        "card 3",
        "RC-S380 (054c:06c1), kernel port100",
        Layer.USB,
        Code.READER_NOT_CCID,
        machine(
            _service,
            lambda box: box.libccid(),
            lambda box: box.usb("054c:06c1", "RC-S380/S", ccid=False, driver="port100"),
            lambda box: box.modules("port100", "nfc_digital", "nfc"),
        ),
        skipped=(Layer.KERNEL, *READING),
    ),
    Injected(
        "card 4",
        "RC-S300 (054c:0dc8), libccid 1.4.30",
        Layer.KERNEL,
        Code.CCID_OLD,
        machine(_service, _rc_s300, lambda box: box.libccid("1.4.30", LISTED_1_4_30)),
        command="sudo apt install libccid",
        skipped=READING,
    ),
    Injected(
        "card 5",
        "ACR122U (072f:2200), module pn533_usb loaded",
        Layer.KERNEL,
        Code.KERNEL_NFC,
        machine(
            _service,
            lambda box: box.libccid(),
            lambda box: box.usb("072f:2200", "ACR122U"),
            lambda box: box.modules("nfc", "pn533", "pn533_usb"),
        ),
        command="blacklist pn533_usb",
        skipped=READING,
    ),
    Injected(
        "card 6",
        "ACR1252 (072f:223b) not in libccid's list, no libacsccid",
        Layer.KERNEL,
        Code.CCID_ACS,
        machine(
            _service,
            lambda box: box.libccid("1.4.30", LISTED_1_4_30),
            lambda box: box.usb("072f:223b", "ACR1252 Dual Reader"),
        ),
        command="apt install libacsccid1",
        skipped=READING,
    ),
    Injected(
        "card 7",
        "power/control auto, LIBUSB_ERROR_NO_DEVICE in the journal, not listed any more",
        Layer.USB,
        Code.USB_POWER,
        journal=USB_ERRORS,
        command='ATTR{power/control}="on"',
        skipped=(Layer.KERNEL, *READING),
    ),
    Injected(
        "card 8",
        "pcscd ends again and again (--auto-exit)",
        Layer.DAEMON,
        Code.PCSC_ON_DEMAND,
        reader=lambda: OverWire(good_card()),
        journal=ENDS,
        state=State.NOTE,
    ),
    Injected(
        "card 9",
        "FeliCa is read, no My Number Card",
        Layer.CARD,
        Code.CARD_TYPE_B,
        reader=lambda: OverWire(felica_card()),
        skipped=ABOVE_CARD,
    ),
    Injected(
        "card 10",
        "first reads well, long ones 6700",
        Layer.READER,
        Code.READER_SHORT,
        reader=lambda: OverWire(good_card(), only_short_answers),
        skipped=(Layer.CERTIFICATE,),
    ),
    Injected(
        "card 11",
        "mute, protocol mismatch (8010000F)",
        Layer.CARD,
        Code.CARD_MUTE,
        reader=lambda: OverWire(replace(good_card(), fault=Fault(FaultName.MUTE))),
        skipped=ABOVE_CARD,
    ),
    Injected(
        "card 12",
        "8010000B, scdaemon runs",
        Layer.READER,
        Code.READER_BUSY,
        machine(debian_12, lambda box: box.process(812, "scdaemon")),
        lambda: with_card_that(ReaderError(Code.READER_BUSY, "PC/SC 8010000B")),
        command="gpgconf --kill scdaemon",
        skipped=(Layer.CARD, *ABOVE_CARD),
    ),
    Injected(
        "card 13",
        "container without /run/pcscd",
        Layer.DAEMON,
        Code.PCSC_CONTAINER,
        lambda box: box.container(),
        no_service,
        command="/run/pcscd:/run/pcscd",
        skipped=(Layer.USB, Layer.KERNEL, Layer.PERMISSION, *READING),
    ),
    Injected(
        "card 14",
        "6A82 on SELECT: a driving licence",
        Layer.APPLICATION,
        Code.CARD_NOT_JPKI,
        reader=lambda: OverWire(driving_licence()),
        skipped=(Layer.CERTIFICATE,),
    ),
    Injected(
        "card 15",
        "6982 on 000A: a phone",
        Layer.APPLICATION,
        Code.CARD_IS_PHONE,
        reader=lambda: OverWire(phone(CN, at=NOW)),
        skipped=(Layer.CERTIFICATE,),
    ),
    Injected(
        "B no USB device",
        "no CCID in sysfs",
        Layer.USB,
        Code.USB_NONE,
        machine(_service, lambda box: box.libccid()),
        skipped=(Layer.KERNEL, *READING),
    ),
    Injected(
        "B device but no driver",
        "libccid is not installed (8010002E)",
        Layer.KERNEL,
        Code.CCID_MISSING,
        machine(_service, _rc_s300, lambda box: box.distribution("arch")),
        command="sudo pacman -S ccid",
        skipped=READING,
    ),
    Injected(
        "B device but no driver",
        "a CCID reader that libccid does not list",
        Layer.KERNEL,
        Code.CCID_UNLISTED,
        machine(
            _service, lambda box: box.libccid(), lambda box: box.usb("1234:abcd", "Card-O-Mat")
        ),
        command="sudo apt install libccid",
        skipped=READING,
    ),
    Injected(
        "B device but no driver",
        "driver and reader are there, the list is empty",
        Layer.READER,
        Code.READER_UNSEEN,
        command="systemctl restart",
        skipped=(Layer.CARD, *ABOVE_CARD),
    ),
    Injected(
        "B kernel NFC driver owns it",
        "the reader's interface is bound to pn533_usb",
        Layer.KERNEL,
        Code.KERNEL_NFC,
        machine(
            _service,
            lambda box: box.libccid(),
            lambda box: box.usb("072f:2200", "ACR122U", driver="pn533_usb"),
        ),
        command="modprobe -r pn533_usb",
        skipped=READING,
    ),
    Injected(
        "B service absent/stopped",
        "a socket file that nobody listens at (8010001E)",
        Layer.DAEMON,
        Code.READER_NO_SERVICE,
        machine(_stopped, lambda box: box.stale_socket()),
        no_service,
        command="systemctl enable --now pcscd.socket",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "B service absent/stopped",
        "the socket takes calls, no answer comes",
        Layer.DAEMON,
        Code.PCSC_HANGS,
        reader=Scripted,
        state=State.UNKNOWN,
        command="systemctl restart",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "B not allowed",
        "8010006A",
        Layer.PERMISSION,
        Code.READER_DENIED,
        machine(debian_12, lambda box: box.polkit()),
        lambda: in_state(ReaderState.DENIED),
        command="/etc/polkit-1/rules.d/",
        skipped=READING,
    ),
    Injected(
        "B second pcscd / snap",
        "two sockets",
        Layer.DAEMON,
        Code.PCSC_TWO,
        machine(debian_12, lambda box: box.listen("var/snap/ykman/common/run/pcscd/pcscd.comm")),
        command="systemctl list-units",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "B second pcscd / snap",
        "the journal says Communication protocol mismatch",
        Layer.DAEMON,
        Code.PCSC_VERSION,
        reader=no_service,
        journal=MISMATCH,
        command="systemctl restart",
        skipped=(Layer.PERMISSION, *READING),
    ),
    Injected(
        "B busy",
        "8010000B, a browser runs",
        Layer.READER,
        Code.READER_BUSY,
        machine(debian_12, lambda box: box.process(4711, "firefox-esr")),
        lambda: with_card_that(ReaderError(Code.READER_BUSY, "PC/SC 8010000B")),
        skipped=(Layer.CARD, *ABOVE_CARD),
    ),
    Injected(
        "B monitor dead",
        "no sign of life of our own watcher for 45 s",
        Layer.READER,
        Code.READER_WATCH,
        reader=lambda: OverWire(good_card()),
        silent_seconds=45.0,
        skipped=(Layer.CARD, *ABOVE_CARD),
    ),
    Injected(
        "B no/weak card",
        "no card on the reader",
        Layer.CARD,
        Code.CARD_NONE,
        reader=lambda: in_state(ReaderState.READY, RC_S300),
        state=State.NOTE,
        skipped=ABOVE_CARD,
    ),
    Injected(
        "B no/weak card",
        "8010000F UNRESPONSIVE",
        Layer.CARD,
        Code.CARD_MUTE,
        reader=lambda: with_card_that(TransmissionError("8010000F", code=Code.CARD_MUTE)),
        skipped=ABOVE_CARD,
    ),
    Injected(
        "B no/weak card",
        "80100069 REMOVED_CARD",
        Layer.CARD,
        Code.CARD_REMOVED,
        reader=lambda: OverWire(
            replace(good_card(), fault=Fault(FaultName.REMOVED_DURING_READ, at=2))
        ),
        skipped=ABOVE_CARD,
    ),
    Injected(
        "B wrong card",
        "the application's name is not known (6D00)",
        Layer.APPLICATION,
        Code.CARD_NOT_JPKI,
        reader=lambda: OverWire(
            good_card(), lambda command, answer: b"\x6d\x00" if command[1] == 0xA4 else answer
        ),
        skipped=(Layer.CERTIFICATE,),
    ),
    Injected(
        "B locked/blocked",
        "63C0 / 6984 to the empty VERIFY",
        Layer.APPLICATION,
        Code.PIN_BLOCKED,
        reader=lambda: OverWire(_locked_card()),
    ),
    Injected(
        "B certificate missing",
        "no file 000A",
        Layer.CERTIFICATE,
        Code.CERTIFICATE_NONE,
        reader=lambda: OverWire(_empty_card()),
    ),
    Injected(
        "B certificate expired",
        "notAfter is over",
        Layer.CERTIFICATE,
        Code.CERTIFICATE_EXPIRED,
        reader=lambda: OverWire(make_card(CN, at=NOW, variant=Variant.EXPIRED)),
    ),
    Injected(
        "B slow",
        "an answer takes 0.9 s",
        Layer.READER,
        Code.READER_SLOW,
        reader=lambda: OverWire(
            replace(good_card(), fault=Fault(FaultName.HANG, at=6, seconds=0.9))
        ),
    ),
    Injected(
        "B clock",
        "the server's clock is 20 minutes ahead",
        Layer.CLOCK,
        Code.SERVER_CLOCK,
        reader=lambda: OverWire(good_card()),
        line=LineFacts(milliseconds=20, skew_seconds=1200.0),
        command="timedatectl",
    ),
)

RULE_OF: Mapping[Code, Rule] = {
    Code.USB_NONE: box_rules.no_reader_on_usb,
    Code.READER_NOT_CCID: box_rules.reader_without_any_driver,
    Code.USB_POWER: box_rules.reader_falls_asleep,
    Code.KERNEL_NFC: box_rules.kernel_holds_the_reader,
    Code.CCID_MISSING: box_rules.driver_missing,
    Code.CCID_OLD: box_rules.driver_too_old,
    Code.CCID_ACS: box_rules.own_driver_missing,
    Code.CCID_UNLISTED: box_rules.driver_does_not_list,
    Code.PCSC_TWO: service_rules.two_services,
    Code.PCSC_CONTAINER: service_rules.socket_not_in_the_container,
    Code.PCSC_MISSING: service_rules.service_not_installed,
    Code.PCSC_VERSION: service_rules.versions_differ,
    Code.READER_NO_SERVICE: service_rules.service_stopped,
    Code.PCSC_HANGS: service_rules.service_hangs,
    Code.PCSC_ON_DEMAND: service_rules.service_comes_and_goes,
    Code.PCSC_HIDDEN: service_rules.process_hidden,
    Code.READER_DENIED: service_rules.turned_away,
    Code.READER_WATCH: card_rules.watcher_silent,
    Code.READER_UNSEEN: card_rules.reader_not_listed,
    Code.READER_BUSY: card_rules.reader_held,
    Code.READER_SHORT: card_rules.reader_in_trouble,
    Code.READER_SLOW: card_rules.reader_slow,
    Code.CARD_TYPE_B: card_rules.card_in_trouble,
    Code.CARD_MUTE: card_rules.card_in_trouble,
    Code.CARD_REMOVED: card_rules.card_in_trouble,
    Code.CARD_NONE: card_rules.no_card,
    Code.CARD_NOT_JPKI: card_rules.application_in_trouble,
    Code.CARD_IS_PHONE: card_rules.application_in_trouble,
    Code.PIN_BLOCKED: card_rules.pin_blocked,
    Code.CERTIFICATE_NONE: card_rules.certificate_in_trouble,
    Code.CERTIFICATE_EXPIRED: card_rules.certificate_in_trouble,
    Code.SERVER_CLOCK: counter_rules.clock_differs,
}
"""Which rule names it: taken away, the fault goes unnamed."""
