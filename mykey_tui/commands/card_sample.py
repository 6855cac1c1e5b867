"""`mykey card make`, `place`, `remove`: sample cards (SIMULATED) and the virtual reader."""

from __future__ import annotations

import argparse
import signal
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from mykey_tui.commands.context import Context, outside_path
from mykey_tui.commands.output import Exit
from mykey_tui.commands.outside import write_outside
from mykey_tui.domain.errors import MalformedIdError
from mykey_tui.reader.card_file import CardFile, CardFileError
from mykey_tui.reader.emulated_card import EmulatedCard
from mykey_tui.reader.vpcd import CONNECT_TIMEOUT_SECONDS, DEFAULT_PORT, hold_card
from mykey_tui.settings import SettingsError
from mykey_tui.simulated.cards import make_card
from mykey_tui.simulated.faults import SAMPLE_FAULTS, SampleFaultError, make_faulty_card
from mykey_tui.store.home import Home

FAULT_LIST = "list"


def run(arguments: argparse.Namespace) -> int:
    """Do the action that the arguments name. Wrong arguments are usage errors."""
    context = Context.of(arguments)
    try:
        match arguments.action:
            case "make":
                return _make(context, arguments)
            case "place":
                return _place(context, arguments)
            case _:
                return _remove(context)
    except CardFileError as error:
        raise SettingsError(f"card file: {error}") from error


def _make(context: Context, arguments: argparse.Namespace) -> Exit:
    """A card signed by the test CA, good from today but for its fault."""
    if arguments.fault == FAULT_LIST:
        return _list_faults(context)
    if not arguments.cn or not arguments.out:
        raise SettingsError("--cn and --out: say whose card, and where to write it")
    at, pin = datetime.now(UTC), arguments.pin
    try:
        card = (
            make_faulty_card(arguments.fault, arguments.cn, at=at, pin=pin)
            if arguments.fault
            else make_card(arguments.cn, at=at, pin=pin)
        )
    except (SampleFaultError, CardFileError) as error:
        raise SettingsError(f"--fault: {error}") from error
    except MalformedIdError as error:
        raise SettingsError(f"--cn: wrong at character {error.position}") from error
    except ValueError as error:
        raise SettingsError(f"--pin: {error}") from error
    path = outside_path(arguments.out)
    write_outside(path, card.encode(), option="--out")
    text = context.output.catalog.text("cli.card.made", path=path.name)
    context.output.answer({"result": "made", "file": str(path), "simulated": True}, [text])
    return Exit.DONE


def _list_faults(context: Context) -> Exit:
    """What `--fault` can be, and what a counter says of each."""
    text, lines, rows = context.output.catalog.text, [], []
    for fault in SAMPLE_FAULTS:
        codes = [code.value for code in (fault.lookup, fault.with_pin) if code is not None]
        options = ":" + ",".join(f"{option}=N" for option in fault.options)
        words = text(f"cli.card.fault.{fault.name}")
        lines.append(f"{(fault.name + options).rstrip(':'):<25} {' '.join(codes):<17} {words}")
        rows.append({"name": fault.name, "options": fault.options, "codes": codes, "text": words})
    context.output.answer({"result": "faults", "faults": rows}, lines)
    return Exit.DONE


def _place(context: Context, arguments: argparse.Namespace) -> Exit:
    card = CardFile.load(outside_path(arguments.file))
    EmulatedCard(card)  # A file whose key is none would lie there and never answer.
    if arguments.vpcd:
        return _hold(context, card, arguments.vpcd)
    slot = _slot(context)
    slot.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    card.save(slot)
    text = context.output.catalog.text("cli.card.placed", reader=f"emulator:{slot}")
    context.output.answer({"result": "placed", "reader": f"emulator:{slot}"}, [text])
    return Exit.DONE


def _hold(context: Context, card: CardFile, address: str) -> Exit:
    """Hold the card on a vpcd slot, in the foreground, until the person interrupts."""
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise SettingsError(f"--vpcd: write HOST:PORT, for example 127.0.0.1:{DEFAULT_PORT}")
    stop = threading.Event()

    def let_go(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, let_go)

    def connect() -> socket.socket:
        link = socket.create_connection((host, int(port)), CONNECT_TIMEOUT_SECONDS)
        context.output.tell("cli.card.held", address=address)
        return link

    context.output.tell("cli.card.waiting", address=address)
    hold_card(card, host, int(port), stop, connect=connect)
    text = context.output.catalog.text("cli.card.removed")
    context.output.answer({"result": "removed", "reader": f"vpcd {address}"}, [text])
    return Exit.DONE


def _remove(context: Context) -> Exit:
    """Taking away a card that does not lie there is done already."""
    _slot(context).unlink(missing_ok=True)
    text = context.output.catalog.text("cli.card.removed")
    context.output.answer({"result": "removed"}, [text])
    return Exit.DONE


def _slot(context: Context) -> Path:
    return Home(context.settings.home).card_slot
