"""Where the provider's own point cards carry their number, from the settings."""

from __future__ import annotations

from mykey_tui.card.blocks import NumberPlace, ReaderFamily
from mykey_tui.settings import BlockSettings, unusable


def number_place(settings: BlockSettings | None) -> NumberPlace | None:
    """The place to read; None where nothing is set up. Raises `StoreError` (STORE_SETTINGS)."""
    if settings is None:
        return None
    try:
        return NumberPlace(
            ReaderFamily(settings.reader),
            settings.service,
            settings.block,
            settings.first,
            settings.length,
        )
    except ValueError as error:
        raise unusable(f"point_card_block: {error}") from error
