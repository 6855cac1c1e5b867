from collections.abc import Callable

import pytest


class FileCard:
    """A card with one file, and knobs. Answers READ BINARY only; everything else gets 9000."""

    def __init__(
        self,
        content: bytes,
        *,
        at_once: int = 256,
        too_long: int = 257,
        too_long_says: int = 0x6700,
        style: str = "plain",
    ) -> None:
        self.atr = b"\x3b\x88\x80\x01"
        self.content = content
        self.at_once = at_once
        self.too_long = too_long
        self.too_long_says = too_long_says
        self.style = style
        self.log: list[bytes] = []
        self._waiting = b""

    def transmit(self, command: bytes) -> bytes:
        self.log.append(command)
        if command[:2] == b"\x00\xc0":
            return self._hand_out(command[4] or 256)
        if command[:2] != b"\x00\xb0":
            return b"\x90\x00"
        return self._read(command)

    def _read(self, command: bytes) -> bytes:
        offset = int.from_bytes(command[2:4], "big")
        wanted = command[4] or 256
        if wanted >= self.too_long:
            return self.too_long_says.to_bytes(2, "big")
        part = self.content[offset : offset + min(wanted, self.at_once)]
        if not part:
            return b"\x6b\x00"
        if self.style == "6Cxx" and len(part) != wanted:
            return bytes([0x6C, len(part) & 0xFF])
        if self.style == "61xx":
            self._waiting = part
            return bytes([0x61, len(part) & 0xFF])
        if self.style == "6282" and len(part) < wanted:
            return part + b"\x62\x82"
        return part + b"\x90\x00"

    def _hand_out(self, wanted: int) -> bytes:
        part, self._waiting = self._waiting[: max(wanted // 2, 1)], b""
        return part + b"\x90\x00"

    @property
    def reads(self) -> list[bytes]:
        return [command for command in self.log if command[1] == 0xB0]


@pytest.fixture
def file_card() -> Callable[..., FileCard]:
    return FileCard


class AnsweringCard:
    """Answers with what a function says; the function sees the command."""

    def __init__(self, answer: Callable[[bytes], bytes], atr: bytes = b"\x3b\x88\x80\x01") -> None:
        self.atr = atr
        self.log: list[bytes] = []
        self._answer = answer

    def transmit(self, command: bytes) -> bytes:
        self.log.append(command)
        return self._answer(command)


@pytest.fixture
def answering_card() -> Callable[..., AnsweringCard]:
    return AnsweringCard
