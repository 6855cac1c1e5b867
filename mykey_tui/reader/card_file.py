"""A card as a file: what the emulator is made of. JSON, UTF-8, at most 64 KiB.

    {"format": 1, "kind": "jpki" | "iso" | "storage", "name": "…", "simulated": true,
     "atr": "hex", "files": {"000A": "hex", …}, "auth_key": "PKCS8 PEM" | null,
     "pins": {"0018": {"value": "1234", "tries": 3}, …}, "closed": ["000A"], "uid": "hex" | null,
     "fault": null | {"name": "slow", "seconds": 0.02}}

`kind`: jpki has the JPKI application; iso is a card with a processor and without it (a driving
licence); storage has a number only (a point card). `closed` names files that answer after the
authentication PIN alone, as a phone's certificate does; it may be missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from typing import Any

from mykey_tui.domain.errors import MyKeyError

FORMAT = 1
FILE_SIZE_MAX = 64 * 1024
"""A real card's files make about 12 KiB of hex; more is not a card."""
ATR_LENGTH_MAX = 33
"""ISO/IEC 7816-3, 8.1."""
CONTENT_LENGTH_MAX = 0x7FFF
"""What READ BINARY's 15-bit offset can reach."""
FILE_COUNT_MAX = 32
NAME_LENGTH_MAX = 128
PIN_LENGTH_MAX = 16
TRIES_MAX = 15
"""63Cx carries four bits."""
SECONDS_MAX = 600.0
"""No fault holds a test longer than ten minutes."""


class CardFileError(MyKeyError):
    """Not a card file. The message says where it breaks the form, and shows none of its content."""


@unique
class CardKind(Enum):
    """What kind of card the file stands for."""

    JPKI = "jpki"
    ISO = "iso"
    STORAGE = "storage"


@unique
class FaultName(Enum):
    """How a card can misbehave on purpose."""

    REMOVED_DURING_READ = "removed-during-read"
    """Pulled while command number `at` (from 1) is under way."""
    SLOW = "slow"
    """`seconds` for every command."""
    MUTE = "mute"
    """It lies there and does not answer."""
    SHORT_READS = "short-reads"
    """READ BINARY gives at most `count` bytes at once."""
    LYING_LENGTH = "lying-length"
    """The certificate says that it is longer than its file."""
    ENDLESS_TLV = "endless-tlv"
    """The certificate has a length of four bytes, and its file never ends."""
    GARBAGE_CERTIFICATE = "garbage-certificate"
    """A SEQUENCE of the right length that holds no certificate."""
    HANG = "hang"
    """Command number `at` is answered after `seconds` only."""
    READER_LOST = "reader-lost"
    """The reader is unplugged while command number `at` is under way, and plugged in with the next
    card, or when this one is taken away."""
    READER_BUSY = "reader-busy"
    """Another program holds the reader for itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its measures; each name uses those that its description mentions."""

    name: FaultName
    at: int = 5
    """After SELECT AP, SELECT EF, the header and one chunk: in the middle of the certificate."""
    seconds: float = 0.5
    count: int = 100


@dataclass(frozen=True, slots=True)
class CardPin:
    """A PIN and the tries that it has left."""

    value: str = field(repr=False)
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardFile:
    """One card. `files` and `pins` are keyed by file identifier, for example 0x000A."""

    kind: CardKind
    name: str
    atr: bytes
    files: Mapping[int, bytes] = field(default_factory=dict)
    auth_key: str | None = None
    """PKCS #8 PEM of the authentication key; None: the card cannot sign."""
    pins: Mapping[int, CardPin] = field(default_factory=dict)
    closed: frozenset[int] = frozenset()
    """Files that are read after the authentication PIN alone."""
    uid: bytes | None = None
    fault: Fault | None = None
    simulated: bool = True

    def __repr__(self) -> str:
        return f"<CardFile {self.kind.value}>"

    @classmethod
    def load(cls, path: Path) -> CardFile:
        """Read a file. Raises `CardFileError`, also where it cannot be read."""
        try:
            with path.open("rb") as file:
                content = file.read(FILE_SIZE_MAX + 1)
        except OSError as error:
            raise CardFileError(f"cannot read the card file: {error.strerror}") from error
        return cls.parse(content)

    @classmethod
    def parse(cls, content: bytes) -> CardFile:
        """Read the file's bytes. Raises `CardFileError`."""
        if len(content) > FILE_SIZE_MAX:
            raise CardFileError(f"a card file has at most {FILE_SIZE_MAX} bytes")
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CardFileError("not JSON") from error
        fields = _object(value, "the file")
        if fields.get("format") != FORMAT:
            raise CardFileError(f"format is not {FORMAT}")
        files = _object(fields.get("files", {}), "files")
        pins = _object(fields.get("pins", {}), "pins")
        closed = fields.get("closed", [])
        if not isinstance(closed, list):
            raise CardFileError("closed is not a list")
        if max(len(files), len(pins), len(closed)) > FILE_COUNT_MAX:
            raise CardFileError(f"more than {FILE_COUNT_MAX} files")
        auth_key, uid, fault = (fields.get(key) for key in ("auth_key", "uid", "fault"))
        simulated = fields.get("simulated", True)
        if not isinstance(simulated, bool):
            raise CardFileError("simulated is true or false")
        return cls(
            kind=_kind(fields.get("kind")),
            name=_text(fields.get("name"), "name", NAME_LENGTH_MAX),
            simulated=simulated,
            atr=_hex(fields.get("atr"), "atr", ATR_LENGTH_MAX),
            files={_file_id(k): _hex(v, "files", CONTENT_LENGTH_MAX) for k, v in files.items()},
            auth_key=None if auth_key is None else _text(auth_key, "auth_key", FILE_SIZE_MAX),
            pins={_file_id(k): _pin(v) for k, v in pins.items()},
            closed=frozenset(_file_id(_text(name, "closed", 4)) for name in closed),
            uid=None if uid is None else _hex(uid, "uid", 10),
            fault=None if fault is None else fault_of(fault),
        )

    def encode(self) -> bytes:
        """The file's bytes."""
        fault = self.fault and {
            "name": self.fault.name.value,
            "at": self.fault.at,
            "seconds": self.fault.seconds,
            "count": self.fault.count,
        }
        return json.dumps(
            {
                "format": FORMAT,
                "kind": self.kind.value,
                "name": self.name,
                "simulated": self.simulated,
                "atr": self.atr.hex().upper(),
                "files": {f"{k:04X}": v.hex().upper() for k, v in self.files.items()},
                "auth_key": self.auth_key,
                "pins": {
                    f"{k:04X}": {"value": v.value, "tries": v.tries} for k, v in self.pins.items()
                },
                "closed": sorted(f"{file_id:04X}" for file_id in self.closed),
                "uid": self.uid and self.uid.hex().upper(),
                "fault": fault,
            },
            ensure_ascii=False,
            indent=1,
        ).encode()

    def save(self, path: Path) -> None:
        """Write the file at once, so that a watcher never sees half of it. Raises `OSError`."""
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            # It may hold a private key, if only a sample card's.
            beside.touch(mode=0o600, exist_ok=True)
            beside.write_bytes(self.encode())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def _object(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401  # anything JSON can say
    if not isinstance(value, dict):
        raise CardFileError(f"{what} is not an object")
    return value


def _text(value: object, what: str, length_max: int) -> str:
    if not isinstance(value, str) or len(value) > length_max:
        raise CardFileError(f"{what} is not a text of at most {length_max} characters")
    return value


def _hex(value: object, what: str, length_max: int) -> bytes:
    try:
        decoded = bytes.fromhex(_text(value, what, 2 * length_max))
    except ValueError as error:
        raise CardFileError(f"{what} is not hexadecimal") from error
    return decoded


def _number(value: object, what: str, low: float, high: float) -> float:
    # bool is an int in Python, and no number in JSON.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CardFileError(f"{what} is not a number from {low:g} to {high:g}")
    return value


def _kind(value: object) -> CardKind:
    try:
        return CardKind(value)
    except ValueError as error:
        raise CardFileError("kind is unknown") from error


def _file_id(text: str) -> int:
    try:
        file_id = bytes.fromhex(text)
    except ValueError as error:
        raise CardFileError("a file identifier is not hexadecimal") from error
    if len(file_id) != 2:
        raise CardFileError("a file identifier has two bytes")
    return int.from_bytes(file_id, "big")


def _pin(value: object) -> CardPin:
    fields = _object(value, "a PIN")
    text = _text(fields.get("value"), "a PIN's value", PIN_LENGTH_MAX)
    if not text.isascii():
        raise CardFileError("a PIN's value is not ASCII")
    return CardPin(text, int(_number(fields.get("tries"), "tries", 0, TRIES_MAX)))


def fault_of(value: object) -> Fault:
    """A fault as a card file writes it: its name, and measures where they are not the usual ones.

    Raises `CardFileError`.
    """
    fields = _object(value, "fault")
    try:
        name = FaultName(fields.get("name"))
    except ValueError as error:
        raise CardFileError("the fault's name is unknown") from error
    usual = Fault(name)
    return Fault(
        name,
        at=int(_number(fields.get("at", usual.at), "at", 1, 10_000)),
        seconds=float(_number(fields.get("seconds", usual.seconds), "seconds", 0, SECONDS_MAX)),
        count=int(_number(fields.get("count", usual.count), "count", 1, 256)),
    )
