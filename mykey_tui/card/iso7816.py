"""The interindustry commands that we need, over any connection (ISO/IEC 7816-4, 11).

Every loop is bounded: a card may send anything, and may go on for ever.
"""

from __future__ import annotations

from mykey_tui.card import status_word
from mykey_tui.card.apdu import CommandApdu, ResponseApdu
from mykey_tui.card.connection import CardConnection
from mykey_tui.domain.errors import MalformedResponseError, StatusError, TransmissionError

FILE_LENGTH_MAX = 0x7FFF
"""READ BINARY carries a 15-bit offset."""
CHUNK_LENGTHS = (256, 0xE0, 0x80)
"""What is asked for at once. Cheap readers fail at 256 bytes; the smaller ones are for them."""
COMMAND_COUNT_MAX = 300
"""Commands in one session: what the smallest chunk needs for the largest file, and some more. A card
that spreads single bytes over three commands each would keep a resident waiting for minutes."""
GET_RESPONSE_COUNT_MAX = 8
"""GET RESPONSEs after one command; 256 bytes never need more than a few."""


class CardSession:
    """Commands to the card on one connection. Not thread-safe, as the connection is not.

    Every call may raise `MalformedResponseError` after `COMMAND_COUNT_MAX` commands in all.
    """

    def __init__(self, connection: CardConnection) -> None:
        self._connection = connection
        self._chunk_lengths = list(CHUNK_LENGTHS)
        self._commands_left = COMMAND_COUNT_MAX

    @property
    def atr(self) -> bytes:
        """The connection's answer to reset."""
        return self._connection.atr

    def send(self, command: CommandApdu) -> ResponseApdu:
        """Send one command; follow 61xx and, where it only asks for data, 6Cxx once.

        A command that carries data, or wants none, is never sent twice: no PIN, and no signature.

        Raises:
            TransmissionError, MalformedResponseError, ForbiddenApduError.
        """
        response = self._exchange(command)
        right_length = response.sw.right_length
        if right_length is not None and command.le is not None and not command.data:
            response = self._exchange(
                CommandApdu(
                    cla=command.cla,
                    ins=command.ins,
                    p1=command.p1,
                    p2=command.p2,
                    le=right_length,
                )
            )
        return self._collect(response)

    def select_application(self, aid: bytes) -> ResponseApdu:
        """SELECT by name, first and only occurrence, no answer data wanted. Any status returns."""
        return self.send(CommandApdu(ins=0xA4, p1=0x04, p2=0x0C, data=aid))

    def select_file(self, file_id: int) -> None:
        """SELECT an elementary file under the current application. Raises `StatusError`."""
        command = CommandApdu(ins=0xA4, p1=0x02, p2=0x0C, data=file_id.to_bytes(2, "big"))
        response = self.send(command)
        if not response.sw.is_ok:
            raise StatusError(f"SELECT EF {file_id:04X}", response.sw.value)

    def read_binary(self, *, offset: int, length: int) -> bytes:
        """Read `length` bytes of the selected file; fewer where the file ends before.

        Raises:
            ValueError: the range does not fit a 15-bit offset.
            StatusError: the card refused.
            MalformedResponseError: it sent more than asked, or went on in tiny pieces for ever.
            TransmissionError: no answer, at the smallest chunk too.
        """
        if not (offset >= 0 <= length and offset + length <= FILE_LENGTH_MAX):
            raise ValueError("outside of what READ BINARY can address")
        content = bytearray()
        while (wanted := length - len(content)) > 0:
            response = self._read_chunk(offset + len(content), wanted)
            if response.sw == status_word.OFFSET_OUTSIDE:
                return bytes(content)
            if not response.sw.is_ok and response.sw != status_word.END_OF_FILE:
                raise StatusError("READ BINARY", response.sw.value)
            if len(response.data) > wanted:
                raise MalformedResponseError("READ BINARY answered more than was asked for")
            # The card may return fewer bytes than asked and still say 9000 (7816-4, 11.2.3), so
            # count what came. One that says 9000 with nothing must not spin us.
            content += response.data
            if not response.data or response.sw == status_word.END_OF_FILE:
                break
        return bytes(content)

    def _read_chunk(self, offset: int, wanted: int) -> ResponseApdu:
        """One READ BINARY, with smaller chunks once a bigger one failed; remembered for the rest."""
        while True:
            asked = min(wanted, self._chunk_lengths[0])
            command = CommandApdu(ins=0xB0, p1=offset >> 8, p2=offset & 0xFF, le=asked)
            # Only a chunk too big for the next size can be helped by the next size.
            may_shrink = len(self._chunk_lengths) > 1 and asked > self._chunk_lengths[1]
            try:
                response = self.send(command)
            except TransmissionError as error:
                if error.removed or not may_shrink:
                    raise
            else:
                if response.sw != status_word.WRONG_LENGTH or not may_shrink:
                    return response
            self._chunk_lengths.pop(0)

    def _exchange(self, command: CommandApdu) -> ResponseApdu:
        if self._commands_left == 0:
            raise MalformedResponseError(f"no end after {COMMAND_COUNT_MAX} commands")
        self._commands_left -= 1
        return ResponseApdu.decode(self._connection.transmit(command.encode()))

    def _collect(self, response: ResponseApdu) -> ResponseApdu:
        """Fetch what 61xx announces and put it behind what came."""
        data = response.data
        for _ in range(GET_RESPONSE_COUNT_MAX):
            waiting = response.sw.bytes_waiting
            if waiting is None:
                return ResponseApdu(data, response.sw)
            response = self._exchange(CommandApdu(ins=0xC0, le=waiting))
            if response.sw.right_length is not None:
                response = self._exchange(CommandApdu(ins=0xC0, le=response.sw.right_length))
            data += response.data
            if len(data) > status_word.SHORT_DATA_MAX:
                raise MalformedResponseError("more came with GET RESPONSE than one answer holds")
        raise MalformedResponseError("GET RESPONSE never ends")
