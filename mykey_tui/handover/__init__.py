"""Handing a service ID to the system that the counter already uses, which stays as it is."""

from mykey_tui.handover.port import HandOverAdapter
from mykey_tui.handover.settings import HandOverSettings, from_settings

__all__ = ["HandOverAdapter", "HandOverSettings", "from_settings"]
