#!/usr/bin/env python3
"""Compile the message catalogues (.po) into the files that the counter reads (.mo).

Both are committed: a counter box needs no babel. A test says when the compiled file is stale.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

I18N = Path(__file__).resolve().parent.parent / "mykey_tui" / "i18n"


def compiled(source: Path) -> bytes:
    """The bytes of the .mo file that belongs to the .po file `source`."""
    with source.open("rb") as file:
        catalog = read_po(file)
    # babel would stamp the present time; a compiled file must depend on its source alone.
    catalog.creation_date = catalog.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    output = BytesIO()
    write_mo(output, catalog)
    return output.getvalue()


def main() -> None:
    """Compile every catalogue in place."""
    for source in sorted(I18N.glob("*/LC_MESSAGES/mykey.po")):
        source.with_suffix(".mo").write_bytes(compiled(source))


if __name__ == "__main__":
    main()
