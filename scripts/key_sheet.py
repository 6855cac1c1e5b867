#!/usr/bin/env python3
"""Write `docs/keys.md`, the key sheet to print, from the registry of actions."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mykey_tui.screens.key_sheet import key_sheet  # noqa: E402

if __name__ == "__main__":
    (ROOT / "docs" / "keys.md").write_text(key_sheet(), encoding="utf-8")
