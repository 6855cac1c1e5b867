"""What a demo or a test takes into its own hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mykey_tui.card.connection import CardReader
from mykey_tui.flows.services import DemoPort

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Hands:
    """None leaves it as the settings say."""

    reader: CardReader | None = None
    transport: httpx.BaseTransport | None = None
    probe: Callable[[], bool] | None = None
    demo: Callable[[Callable[[], None]], DemoPort] | None = None
    """Makes the demo's hands from the function that asks for a round."""
