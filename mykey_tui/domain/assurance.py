"""How sure we are of a card, and when the provider wants to be surer.

The certificate is public data: whoever read it once can show it again. Only the PIN and a signature
over a fresh challenge prove that the card itself lies there, and that its owner wants this.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Assurance(Enum):
    """What a reading is worth; the value is the word of the JSON contract."""

    IDENTIFIED = "identified"
    """The certificate was read and judged, without PIN."""
    AUTHENTICATED = "authenticated"
    """The owner gave the PIN, and the card signed our challenge with the certificate's key."""


@unique
class PinPolicy(Enum):
    """When the resident is asked for the PIN: the provider's decision, and the law's for some.

    `NEVER` is what the concept paper draws. `ON_LINK` is the shape that libraries took up after the
    law of 2024-05-27: consent and PIN once, a tap from then on.
    """

    NEVER = "never"
    ON_LINK = "on-link"
    ALWAYS = "always"

    @property
    def for_link(self) -> bool:
        """Whether linking, and undoing it, wants the PIN."""
        return self is not PinPolicy.NEVER

    @property
    def for_handover(self) -> bool:
        """Whether nothing is handed to the till without the PIN."""
        return self is PinPolicy.ALWAYS
