"""How a counter is set to hand over: a few values in `counter.json`, checked when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

from mykey_tui.domain.known_names import unknown_name
from mykey_tui.handover.command import TIMEOUT_SECONDS_MAX, RunCommand
from mykey_tui.handover.file_drop import DropMode, Encoding, FileDrop, LineEnd
from mykey_tui.handover.port import HandOverAdapter

ARGUMENTS_MAX = 32
TEXT_LENGTH_MAX = 4096
"""Longest path or argument: PATH_MAX of Linux."""


@unique
class HandOverKind(Enum):
    """Which adapter; `off` shows the service ID on the screen and gives it to nobody."""

    OFF = "off"
    FILE = "file"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class HandOverSettings:
    """All adapters' settings in one flat value; those of another kind are ignored.

    `path` is a folder in mode one-per-tap and a file in mode append. `argv` is a program and its
    arguments, never a shell line.
    """

    kind: HandOverKind = HandOverKind.OFF
    path: Path | None = None
    mode: DropMode = DropMode.ONE_PER_TAP
    encoding: Encoding = Encoding.UTF_8
    line_end: LineEnd = LineEnd.LF
    argv: tuple[str, ...] = ()
    timeout_seconds: float = 5.0

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> HandOverSettings:
        """Read the JSON form: the fields' names, each optional.

        Raises:
            ValueError: an unknown name, a wrong type or value, or a value that the kind needs is
                missing. The message names the field.
        """
        problem = unknown_name(data, cls.__slots__)
        if problem is not None:
            raise ValueError(problem)
        kind = HandOverKind(data.get("kind", HandOverKind.OFF.value))
        settings = cls(
            kind=kind,
            path=_path(data.get("path")),
            mode=DropMode(data.get("mode", DropMode.ONE_PER_TAP.value)),
            encoding=Encoding(data.get("encoding", Encoding.UTF_8.value)),
            line_end=LineEnd(data.get("line_end", LineEnd.LF.value)),
            argv=_argv(data.get("argv", ())),
            timeout_seconds=_timeout(data.get("timeout_seconds", 5.0)),
        )
        if kind is HandOverKind.FILE and settings.path is None:
            raise ValueError("hand-over: kind file needs a path")
        if kind is HandOverKind.COMMAND and not settings.argv:
            raise ValueError("hand-over: kind command needs argv")
        return settings

    def to_json(self) -> dict[str, object]:
        """The form that `from_json` reads."""
        return {
            "kind": self.kind.value,
            "path": None if self.path is None else str(self.path),
            "mode": self.mode.value,
            "encoding": self.encoding.value,
            "line_end": self.line_end.value,
            "argv": list(self.argv),
            "timeout_seconds": self.timeout_seconds,
        }


def from_settings(settings: HandOverSettings) -> HandOverAdapter | None:
    """The adapter that the settings ask for; None where hand-over is off. Touches no file yet."""
    if settings.kind is HandOverKind.FILE and settings.path is not None:
        return FileDrop(
            settings.path,
            mode=settings.mode,
            encoding=settings.encoding,
            line_end=settings.line_end,
        )
    if settings.kind is HandOverKind.COMMAND:
        return RunCommand(settings.argv, timeout_seconds=settings.timeout_seconds)
    return None


def _path(value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LENGTH_MAX or "\0" in value:
        raise ValueError("hand-over: path is no path")
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("hand-over: path must be absolute")
    return path


def _argv(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > ARGUMENTS_MAX:
        raise ValueError(f"hand-over: argv is a list of at most {ARGUMENTS_MAX} texts")
    for item in value:
        if not isinstance(item, str) or len(item) > TEXT_LENGTH_MAX or "\0" in item:
            raise ValueError(f"hand-over: argv is a list of at most {ARGUMENTS_MAX} texts")
    return tuple(value)


def _timeout(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("hand-over: timeout_seconds is a number")  # noqa: TRY004  # one error for a wrong file
    if not 0 < value <= TIMEOUT_SECONDS_MAX:
        raise ValueError(f"hand-over: timeout_seconds is above 0, at most {TIMEOUT_SECONDS_MAX}")
    return float(value)
