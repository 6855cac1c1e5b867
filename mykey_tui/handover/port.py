"""What every way of handing over promises, and the last check of what leaves."""

from __future__ import annotations

import re
from typing import Protocol

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import HandOverError
from mykey_tui.domain.ids import ServiceId

TEST_VALUE = ServiceId("TEST-0000")
"""What the test key sends: no member has it, and whoever sees it in the existing system knows it."""

_MAY_LEAVE = re.compile(r"[0-9A-Z][0-9A-Z-]{0,31}")


class HandOverAdapter(Protocol):
    """One way to give a service ID to the system that the counter already uses.

    Nothing is given on a refusal: the flow calls `send` for a found, active link only. An adapter
    keeps nothing, logs nothing, and gives no text back from the other side.
    """

    @property
    def name(self) -> str:
        """Short name for people: `file` or `command`."""
        ...

    def send(self, service_id: ServiceId) -> None:
        """Hand one service ID over; returns when the other side has it. May take seconds.

        Raises:
            HandOverError: it does not have it; the error's code says why.
        """
        ...

    def send_test(self) -> None:
        """Hand the marked `TEST_VALUE` over, in the very same way. Raises `HandOverError`."""
        ...


def outgoing(service_id: ServiceId, code: Code) -> str:
    """The text that may leave: 1 to 32 of 0-9 A-Z and the hyphen, and no hyphen first.

    Checked again here although it was checked at the door, because a row comes from a server and
    the other side is a program of somebody else: a leading `=`, `+`, `-` or `@` is a formula to a
    spreadsheet and an option to a command, a control byte a second line.

    Raises:
        HandOverError: with `code`; the text is in no message.
    """
    if not _MAY_LEAVE.fullmatch(service_id.text):
        raise HandOverError(code, "the service ID has characters that may not leave")
    return service_id.text
