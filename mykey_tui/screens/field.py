"""The one input field: a member number, typed, scanned or pasted."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from mykey_tui.domain.service_id import SERVICE_ID_LENGTH_MAX
from mykey_tui.domain.text import safe


class NumberField(Input):
    """An input that never blinks and takes nothing in that a terminal could act on."""

    def __init__(self) -> None:
        super().__init__(
            id="field", select_on_focus=False, max_length=SERVICE_ID_LENGTH_MAX, compact=True
        )
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        """Paste the first row, cleaned: pasted text is text, not a scan."""
        event.stop()
        event.prevent_default()
        first = event.text.splitlines()[0] if event.text else ""
        self.insert_text_at_cursor(safe(first, SERVICE_ID_LENGTH_MAX))
