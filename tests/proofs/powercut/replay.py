"""Turns the logger's record into what a disk may hold after the power went at any moment.

A disk that honours fsync is modelled: what was synced is there, of the rest anything may be. Each
image is drawn from a seed of its own, so that a failing one can be made again alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import TypeAlias

HEADER = struct.Struct("<cBQI")
SECTOR = 512
STYLES = ("none", "subset", "torn", "prefix")
"""What becomes of the writes that were not synced."""


class BlindLogError(Exception):
    """The program did something that the logger does not follow."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One record of the log."""

    kind: str
    path: str
    offset: int
    data: bytes


Change: TypeAlias = Operation
"""A write or a truncation that is not synced yet."""


@dataclass(slots=True)
class Content:
    """One file's bytes: those that are safe, and what was done to them since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def settle(self) -> None:
        for change in self.pending:
            apply(self.durable, change)
        self.pending.clear()


@dataclass(frozen=True, slots=True)
class Image:
    """One disk after a power cut, and what had been acknowledged by then."""

    name: str
    """Tells how it was drawn."""
    files: dict[str, bytes]
    said: Sequence[str]
    """The program's own words up to the cut."""

    def write(self, folder: Path) -> None:
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(content)


def read_log(path: Path) -> list[Operation]:
    """The operations in order. Raises `BlindLogError` where the logger could not follow."""
    raw = path.read_bytes()
    names: dict[int, str] = {}
    operations: list[Operation] = []
    place = 0
    while place < len(raw):
        letter, number, offset, size = HEADER.unpack_from(raw, place)
        place += HEADER.size
        data = raw[place : place + size]
        place += size
        kind = letter.decode()
        if kind == "E":
            raise BlindLogError(data.decode())
        if kind == "N":
            names[number] = data.decode()
        else:
            operations.append(Operation(kind, names.get(number, ""), offset, data))
    return operations


def apply(content: bytearray, change: Change) -> None:
    """Do one write or truncation."""
    if change.kind == "T":
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


class Disk:
    """What is safe, and what is on its way, after so many operations."""

    def __init__(self) -> None:
        self.files: dict[str, Content] = {}
        self.undone: list[tuple[str, dict[str, Content | None]]] = []
        """Changes of a folder that are not synced: the folder, and what stood there before."""

    def take(self, operation: Operation) -> None:
        path = operation.path
        if operation.kind == "C":
            self._forget(path)
            self.files[path] = Content()
        elif operation.kind in "WT":
            self.files[path].pending.append(operation)
        elif operation.kind == "S" and path in self.files:
            self.files[path].settle()
        elif operation.kind == "S":
            self.undone = [change for change in self.undone if change[0] != path]
        elif operation.kind == "U":
            self.files[path].settle()
            self.undone.append((folder_of(path), {path: self.files.pop(path)}))
        elif operation.kind == "R":
            target = operation.data.decode()
            moved = self.files.pop(path)
            before = {path: moved, target: self.files.get(target)}
            self.undone.append((folder_of(target), before))
            self.files[target] = moved

    def _forget(self, path: str) -> None:
        """A file made anew: the one that had this name cannot come back."""
        self.undone = [change for change in self.undone if path not in change[1]]

    def after_cut(self, dice: Random, style: str) -> dict[str, bytes]:
        """One thing that the next boot may find."""
        found = dict(self.files)
        for _, before in reversed(self.undone):
            if dice.random() < 0.5:
                for path, content in before.items():
                    if content is None:
                        found.pop(path, None)
                    else:
                        found[path] = content
        return {path: survived(content, dice, style) for path, content in found.items()}

    def now(self) -> dict[str, bytes]:
        """What the running program sees: every file with all that was done to it."""
        return {
            path: survived(content, Random(0), "all")  # noqa: S311  # not used
            for path, content in self.files.items()
        }


def folder_of(path: str) -> str:
    """The folder's own path as the logger numbers it."""
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def survived(content: Content, dice: Random, style: str) -> bytes:
    """A file's bytes when only a part of what was not synced reached the disk."""
    result = bytearray(content.durable)
    for change in kept(content.pending, dice, style):
        apply(result, change)
    return bytes(result)


def kept(pending: Sequence[Change], dice: Random, style: str) -> Iterator[Change]:
    """Which of the unsynced operations the disk has, in order."""
    if style == "all":
        yield from pending
    elif style == "prefix":
        yield from pending[: dice.randint(0, len(pending))]
    elif style in ("subset", "torn"):
        for change in pending:
            if dice.random() < 0.5:
                yield torn(change, dice) if style == "torn" else change


def torn(change: Change, dice: Random) -> Change:
    """Only the part before, or only the part after, a boundary of sectors."""
    if len(change.data) <= SECTOR:
        return change
    cut = SECTOR * dice.randint(1, (len(change.data) - 1) // SECTOR)
    if dice.random() < 0.5:
        return Operation(change.kind, change.path, change.offset, change.data[:cut])
    return Operation(change.kind, change.path, change.offset + cut, change.data[cut:])


def images(operations: Sequence[Operation], seed: int, count: int) -> Iterator[Image]:
    """So many disks, each cut at a moment after the first acknowledgement; one walk for all."""
    first = next(n for n, operation in enumerate(operations) if operation.kind == "A")
    drawn = []
    for number in range(count):
        dice = Random(f"{seed}/{number}")  # noqa: S311  # chance, repeatable
        drawn.append((dice.randint(first + 1, len(operations)), number, dice))
    disk = Disk()
    said: list[str] = []
    done = 0
    for cut, number, dice in sorted(drawn, key=lambda image: image[:2]):
        for operation in operations[done:cut]:
            if operation.kind == "A":
                said.append(operation.data.decode())
            else:
                disk.take(operation)
        done = cut
        style = dice.choice(STYLES)
        yield Image(
            f"seed {seed}, image {number}, cut before operation {cut}, {style}",
            disk.after_cut(dice, style),
            tuple(said),
        )
