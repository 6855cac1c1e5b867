"""What pcscd's journal of the last hour says, where this user may read it.

Only signs are taken out of it, never a line: a journal names users and processes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from mykey_tui.diagnostics.facts import JournalFacts

SECONDS = 1.0
BYTES_MAX = 256 * 1024
_COMMAND = (
    "journalctl", "--unit=pcscd.service", "--since=-1h", "--lines=50", "--no-pager", "--quiet",
    "--output=cat",
)  # fmt: skip
_DENIED = ("is NOT authorized for action", "Rejected unauthorized PC/SC client")
_HIDDEN = ("Error in authorization",)
_USB_ERRORS = (
    "LIBUSB_ERROR_IO",
    "LIBUSB_ERROR_NO_DEVICE",
    "LIBUSB_ERROR_TIMEOUT",
    "LIBUSB_ERROR_PIPE",
)
_VERSIONS = ("Communication protocol mismatch",)
_ENDS = ("Deactivated successfully",)


def journal_facts(text: str) -> JournalFacts:
    """The signs in a journal's text. Pure."""
    return JournalFacts(
        denied=_has(text, _DENIED),
        process_hidden=_has(text, _HIDDEN),
        usb_errors=_has(text, _USB_ERRORS),
        versions_differ=_has(text, _VERSIONS),
        ends=sum(text.count(sign) for sign in _ENDS),
    )


def read_journal(command: Sequence[str] = _COMMAND) -> JournalFacts | None:
    """Ask the journal, for a second at most; None where there is none, or none for this user."""
    try:
        done = subprocess.run(  # noqa: S603  # a fixed list of words, no shell
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0 or not done.stdout:
        # A user without the right gets an empty answer too, so an empty one proves nothing.
        return None
    return journal_facts(done.stdout[:BYTES_MAX].decode("utf-8", "replace"))


def _has(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)
