"""Which cards count at a provider: those of the shipped test CA, or real ones."""

from __future__ import annotations

SIMULATED = "simulated"
JPKI = "jpki"
PROFILES = (SIMULATED, JPKI)
