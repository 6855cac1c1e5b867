"""Which certificates the server believes, for each profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.verdict import Accepted, Refused
from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import Anchors, load_anchors
from mykey_tui.trust.chain import judge

SIMULATED = "simulated"
JPKI = "jpki"
PROFILES = (SIMULATED, JPKI)


@dataclass(frozen=True, slots=True)
class TrustedCards:
    """The anchors of each profile. They never mix: a test card is no card at a `jpki` provider."""

    simulated: Anchors
    jpki: Anchors

    @classmethod
    def load(cls, anchors: Path | None) -> TrustedCards:
        """Read the shipped test CA, and the operator's folder if there is one."""
        real = Anchors((), frozenset()) if anchors is None else load_anchors(anchors)
        return cls(simulated=load_anchors(anchors_dir()), jpki=real)

    def believe(self, certificate: bytes, *, profile: str, at: datetime) -> Accepted | None:
        """Judge a certificate that a counter read some time ago; None where it is not believed.

        The counter refused an expired card when it read it. Between that reading and this push lie
        days without a line, there is no clock to trust for the moment between, and what was
        acknowledged to a person must not be lost: so an end that has passed meanwhile does not
        count here. Everything else does, the beginning included.
        """
        anchors = self.jpki if profile == JPKI else self.simulated
        verdict = judge(certificate, anchors, at=at)
        if isinstance(verdict, Refused) and verdict.reason is Code.CERTIFICATE_EXPIRED:
            if verdict.not_after is None:
                return None
            verdict = judge(certificate, anchors, at=verdict.not_after)
        return verdict if isinstance(verdict, Accepted) else None
