"""Which code a reader has that takes no cards. Light: imported before the first paint."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code

READER_TROUBLE: Mapping[ReaderState, Code] = MappingProxyType(
    {
        ReaderState.NO_READER: Code.READER_NONE,
        ReaderState.NO_SERVICE: Code.READER_NO_SERVICE,
        ReaderState.DENIED: Code.READER_DENIED,
        ReaderState.HUNG: Code.READER_HUNG,
    }
)
"""A state that is not in here takes cards, or nobody knows yet."""
