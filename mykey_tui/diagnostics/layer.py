"""The layers of a counter, from the cable up to the till. A lower one may explain a higher one."""

from __future__ import annotations

from enum import Enum, unique


@unique
class Layer(Enum):
    """In the order of examination. The value is a stable name, for JSON and the catalogue."""

    USB = "usb"
    KERNEL = "kernel"
    """Whose driver has the reader: a kernel module, or libccid as it should be."""
    DAEMON = "daemon"
    PERMISSION = "permission"
    READER = "reader"
    CARD = "card"
    APPLICATION = "application"
    CERTIFICATE = "certificate"
    TRUST = "trust"
    CLOCK = "clock"
    STORE = "store"
    LINE = "line"
    SERVER = "server"
    HANDOVER = "handover"


WAY_TO_THE_CARD = (
    Layer.USB,
    Layer.KERNEL,
    Layer.DAEMON,
    Layer.PERMISSION,
    Layer.READER,
    Layer.CARD,
    Layer.APPLICATION,
    Layer.CERTIFICATE,
)
"""A card is read through all of these."""
MACHINE_LAYERS = frozenset(WAY_TO_THE_CARD[:4])
"""What a card file needs nothing of."""
