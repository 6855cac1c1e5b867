"""`counter.json` as the program writes it: what a set-up person wrote there before stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mykey_tui.store.home import Home


def update_settings(home: Home, values: Mapping[str, object]) -> None:
    """Set some of the settings, which were read without a fault at the start.

    Raises:
        StoreError: STORE_FULL when the file could not be written; it is as before then.
    """
    written: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        written = json.loads(home.settings.read_text("utf-8"))
    written.update(values)
    content = json.dumps(written, ensure_ascii=False, indent=1) + "\n"
    home.write_private(home.settings, content.encode())
