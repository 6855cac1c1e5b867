"""What a counter is told from outside: arguments, environment and `counter.json`, read once.

An argument wins over the environment, the environment over the file. Standard library only: this
is read before the first paint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from types import MappingProxyType

from mykey_tui.domain.assurance import PinPolicy
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, StoreError
from mykey_tui.domain.known_names import unknown_name
from mykey_tui.scanner_settings import ScannerSettings

COUNTER_FILE = "counter.json"
COUNTER_FILE_BYTES_MAX = 64 * 1024
"""A page of settings; more is not ours."""
HOME_VARIABLE = "MYKEY_HOME"
PROFILES = ("simulated", "jpki")
LANGUAGES = ("ja", "en")
_READ = frozenset(
    {"language", "profile", "reader", "handover", "pin", "point_card_block", "scanner"}
)
_SHOWN = frozenset({"counter", "provider", "server"})
"""What `mykey enrol` writes for a set-up person to find; what counts stands in the store."""
_PIN = frozenset({"policy", "keypad", "keyboard"})
_BLOCK = ("reader", "service", "block", "first", "length")


class SettingsError(MyKeyError):
    """An argument cannot be used. The message names it; it goes to whoever gave the command.

    What stands in the home's own file is a `StoreError` instead: nobody typed that now.
    """


@unique
class ReaderKind(Enum):
    """Which driver watches for cards."""

    PCSC = "pcsc"
    EMULATOR = "emulator"


@dataclass(frozen=True, slots=True)
class ReaderChoice:
    """`pcsc`, `pcsc:NAME` (a reader whose name contains NAME) or `emulator:PATH` (a card file)."""

    kind: ReaderKind
    name: str = ""
    path: Path = Path()

    @classmethod
    def parse(cls, text: str) -> ReaderChoice:
        """Read the written form. Raises `SettingsError`."""
        kind, _, rest = text.partition(":")
        if kind == ReaderKind.PCSC.value:
            return cls(ReaderKind.PCSC, name=rest)
        if kind == ReaderKind.EMULATOR.value and rest:
            path = Path(rest).absolute()
            if not path.parent.is_dir():
                # The file may come later; a folder that is not there was mistyped.
                raise SettingsError(f"reader: no folder {path.parent}")
            return cls(ReaderKind.EMULATOR, path=path)
        raise SettingsError("reader: write pcsc, pcsc:NAME or emulator:PATH")


ANY_PCSC_READER = ReaderChoice(ReaderKind.PCSC)


@dataclass(frozen=True, slots=True)
class PinSettings:
    """When a resident is asked for the PIN, and what it is typed on.

    A reader with keys of its own comes first, then `keypad` (an input device that staff do not
    see), then the staff's keyboard, which the provider must allow.
    """

    policy: PinPolicy = PinPolicy.NEVER
    keypad: Path | None = None
    keyboard: bool = False

    @classmethod
    def parse(cls, written: object) -> PinSettings:
        """Read the section of `counter.json`. Raises `StoreError` (STORE_SETTINGS)."""
        if not isinstance(written, dict):
            raise unusable("pin: is not an object")
        _refuse_unknown(written, _PIN, "pin")
        keypad, keyboard = written.get("keypad"), written.get("keyboard", False)
        try:
            policy = PinPolicy(written.get("policy", PinPolicy.NEVER.value))
        except ValueError as error:
            raise unusable("pin.policy: write never, on-link or always") from error
        if keypad is not None and not (isinstance(keypad, str) and keypad.startswith("/dev/")):
            raise unusable("pin.keypad: a device under /dev/")
        if not isinstance(keyboard, bool):
            raise unusable("pin.keyboard: is not true or false")
        return cls(policy, Path(keypad) if keypad else None, keyboard)


@dataclass(frozen=True, slots=True)
class BlockSettings:
    """Where the provider's own FeliCa cards carry their number; checked where it is used."""

    reader: str
    service: int
    block: int
    first: int
    length: int

    @classmethod
    def parse(cls, written: object) -> BlockSettings | None:
        """Read the section `point_card_block`; None where there is none. Raises `StoreError`."""
        if written is None:
            return None
        if not isinstance(written, dict) or not written.keys() >= set(_BLOCK):
            raise unusable(f"point_card_block: an object with {', '.join(_BLOCK)}")
        _refuse_unknown(written, _BLOCK, "point_card_block")
        reader, service = written["reader"], written["service"]
        numbers = [written[name] for name in ("block", "first", "length")]
        if not isinstance(reader, str) or not isinstance(service, str):
            raise unusable("point_card_block: reader and service are texts")
        if any(type(number) is not int for number in numbers):
            raise unusable("point_card_block: block, first and length are numbers")
        try:
            return cls(reader, int(service, 16), *numbers)
        except ValueError as error:
            raise unusable("point_card_block.service: four hexadecimal digits") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """One counter's settings.

    `language` is None where nobody chose; `handover` is the section as written, checked where the
    adapters are made. `profile` says whose certificates a card view believes; what an enrolled
    counter believes stands in its store.
    """

    home: Path
    profile: str = "simulated"
    reader: ReaderChoice = ANY_PCSC_READER
    language: str | None = None
    handover: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    pin: PinSettings = field(default_factory=PinSettings)
    point_card_block: BlockSettings | None = None
    scanner: ScannerSettings = field(default_factory=ScannerSettings)


def load_settings(
    *,
    home: str | None,
    reader: str | None,
    language: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Put the three sources together. `language` is one of `LANGUAGES`: the parser saw to it.

    Raises:
        SettingsError: an argument or the environment says something that cannot be used.
        StoreError: STORE_SETTINGS for what the file says, STORE_ACCESS where it cannot be read.
    """
    directory = home_directory(home, environment)
    values = _read(directory / COUNTER_FILE)
    _refuse_unknown(values, _READ | _SHOWN)
    set_up = values.get("language")
    if set_up not in (None, *LANGUAGES):
        raise unusable("language: write ja or en")
    profile = values.get("profile", PROFILES[0])
    if profile not in PROFILES:
        raise unusable("profile: write simulated or jpki")
    handover = _section(values, "handover")
    if not isinstance(handover, dict):
        raise unusable("handover: is not an object")
    return Settings(
        home=directory,
        profile=str(profile),
        reader=_reader_of(values) if reader is None else ReaderChoice.parse(reader),
        language=language or (None if set_up is None else str(set_up)),
        handover=MappingProxyType(handover),
        pin=PinSettings.parse(_section(values, "pin")),
        point_card_block=BlockSettings.parse(values.get("point_card_block")),
        scanner=_scanner_of(values),
    )


def home_directory(home: str | None, environment: Mapping[str, str]) -> Path:
    """Where the counter's data lie: the argument, MYKEY_HOME, or the user's data directory.

    Raises:
        SettingsError: the user that it names, or the working directory, does not exist.
    """
    written = home or environment.get(HOME_VARIABLE)
    try:
        if written:
            return Path(written).expanduser().absolute()
        data = environment.get("XDG_DATA_HOME")
        return (Path(data) if data else Path.home() / ".local" / "share") / "mykey"
    except (RuntimeError, OSError) as error:
        raise SettingsError("home: no such user or working directory") from error


def unusable(message: str) -> StoreError:
    """What stands in `counter.json` cannot be used; `message` names the setting."""
    return StoreError(Code.STORE_SETTINGS, message)


def _refuse_unknown(written: Mapping[str, object], known: Collection[str], where: str = "") -> None:
    problem = unknown_name(written, known, where)
    if problem is not None:
        raise unusable(problem)


def _section(values: Mapping[str, object], name: str) -> object:
    """What was written under `name`; an empty section where nothing was."""
    written = values.get(name)
    return {} if written is None else written


def _reader_of(values: Mapping[str, object]) -> ReaderChoice:
    written = values.get("reader", ReaderKind.PCSC.value)
    if not isinstance(written, str):
        raise unusable("reader: is not text")
    try:
        return ReaderChoice.parse(written)
    except SettingsError as error:
        raise unusable(str(error)) from error


def _scanner_of(values: Mapping[str, object]) -> ScannerSettings:
    try:
        return ScannerSettings.parse(_section(values, "scanner"))
    except ValueError as error:
        raise unusable(str(error)) from error


def _read(path: Path) -> dict[str, object]:
    """The file's object; empty where there is no file yet."""
    try:
        with path.open("rb") as file:
            content = file.read(COUNTER_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(Code.STORE_ACCESS, f"{path}: {error.strerror}") from error
    if len(content) > COUNTER_FILE_BYTES_MAX:
        raise unusable(f"{COUNTER_FILE}: longer than {COUNTER_FILE_BYTES_MAX} bytes")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise unusable(f"{COUNTER_FILE}: is not JSON") from error
    if not isinstance(values, dict):
        raise unusable(f"{COUNTER_FILE}: is not an object")
    return values
