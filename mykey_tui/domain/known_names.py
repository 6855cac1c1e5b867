"""Names that a person wrote in a file of settings, held against those that mean something.

A setting that is passed over silently is one that somebody believes to be in force: `pim` for `pin`
would be a counter that never asks.
"""

from __future__ import annotations

from collections.abc import Collection

from mykey_tui.domain.text import safe

NOTE_MARK = "_"
"""A name that begins with it is a note of whoever set the counter up."""
NAME_LENGTH_MAX = 40
_NEAR = 0.65
"""One wrong letter of three is near; a name that only begins alike is not."""


def unknown_name(written: Collection[str], known: Collection[str], where: str = "") -> str | None:
    """What to say of the first name, in order, that is neither known nor a note; None without one.

    `where` is the section it stands in.
    """
    strange = sorted(name for name in set(written) - set(known) if not name.startswith(NOTE_MARK))
    if not strange:
        return None
    import difflib  # noqa: PLC0415  # only for a person who has to be told, never before the screen

    name = f"{where}.{strange[0]}" if where else strange[0]
    near = difflib.get_close_matches(strange[0][:NAME_LENGTH_MAX], list(known), n=1, cutoff=_NEAR)
    words = near[0] if near else ", ".join(sorted(known))
    return f"{safe(name, NAME_LENGTH_MAX)}: no such setting; write {words}"
