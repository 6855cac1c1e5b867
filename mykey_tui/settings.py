"""What a counter is told from outside: arguments, environment and `counter.json`, read once.

An argument wins over the environment, the environment over the file. Standard library only: this
is read before the first paint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from types import MappingProxyType

from mykey_tui.domain.errors import MyKeyError

COUNTER_FILE = "counter.json"
COUNTER_FILE_BYTES_MAX = 64 * 1024
"""A page of settings; more is not ours."""
HOME_VARIABLE = "MYKEY_HOME"
PROFILES = ("simulated", "jpki")
_LANGUAGES = ("ja", "en")


class SettingsError(MyKeyError):
    """A setting cannot be used. The message names it; it goes to whoever sets the counter up."""


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
            return cls(ReaderKind.EMULATOR, path=Path(rest).absolute())
        raise SettingsError("reader: write pcsc, pcsc:NAME or emulator:PATH")


ANY_PCSC_READER = ReaderChoice(ReaderKind.PCSC)


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


def load_settings(
    *, home: str | None, reader: str | None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Put the three sources together.

    Raises:
        SettingsError: a source says something that cannot be used.
    """
    directory = home_directory(home, environment)
    values = _read(directory / COUNTER_FILE)
    written_reader = reader if reader is not None else values.get("reader", "pcsc")
    if not isinstance(written_reader, str):
        raise SettingsError("reader: is not text")
    language = values.get("language")
    if language not in (None, *_LANGUAGES):
        raise SettingsError("language: write ja or en")
    profile = values.get("profile", PROFILES[0])
    if profile not in PROFILES:
        raise SettingsError("profile: write simulated or jpki")
    handover = values.get("handover") or {}
    if not isinstance(handover, dict):
        raise SettingsError("handover: is not an object")
    return Settings(
        home=directory,
        profile=str(profile),
        reader=ReaderChoice.parse(written_reader),
        language=str(language) if language is not None else None,
        handover=MappingProxyType(handover),
    )


def home_directory(home: str | None, environment: Mapping[str, str]) -> Path:
    """Where the counter's data lie: the argument, MYKEY_HOME, or the user's data directory."""
    written = home or environment.get(HOME_VARIABLE)
    if written:
        return Path(written).expanduser().absolute()
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "mykey"


def _read(path: Path) -> dict[str, object]:
    """The file's object; empty where there is no file yet."""
    try:
        with path.open("rb") as file:
            content = file.read(COUNTER_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{COUNTER_FILE}: {error.strerror}") from error
    if len(content) > COUNTER_FILE_BYTES_MAX:
        raise SettingsError(f"{COUNTER_FILE}: longer than {COUNTER_FILE_BYTES_MAX} bytes")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{COUNTER_FILE}: is not JSON") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{COUNTER_FILE}: is not an object")
    return values
