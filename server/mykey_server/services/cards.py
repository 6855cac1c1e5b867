"""Which certificates the server believes, for each profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mykey_server.services.site import JPKI
from mykey_tui.domain.codes import Code
from mykey_tui.domain.verdict import Accepted, Refused, Undecided, Verdict
from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import Anchors, load_anchors
from mykey_tui.trust.certificate import AuthCertificate
from mykey_tui.trust.chain import judge_certificate

_PERHAPS_OUR_FAULT = frozenset({Code.CERTIFICATE_NOT_YET_VALID, Code.CERTIFICATE_UNKNOWN_ISSUER})
"""The counter found this certificate good. Our clock may stand wrong, or our folder lack a CA."""


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

    def can_judge(self, profile: str) -> bool:
        """Whether the profile has a CA certificate that may vouch for a card at all."""
        return any(anchor.may_sign_certificates for anchor in self._of(profile).certificates)

    def _of(self, profile: str) -> Anchors:
        return self.jpki if profile == JPKI else self.simulated

    def believe(self, certificate: AuthCertificate, *, profile: str, at: datetime) -> Verdict:
        """Judge a certificate that a counter read some time ago, and that is well formed.

        The counter refused an expired card when it read it. Between that reading and this push lie
        days without a line, there is no clock to trust for the moment between, and what was
        acknowledged to a person must not be lost: so an end that has passed meanwhile does not
        count here. Everything else does, the beginning included.

        `Undecided` where what is wrong may be ours and may be mended: the clock, the anchors.
        """
        anchors = self._of(profile)
        verdict = judge_certificate(certificate, anchors, at=at)
        if not isinstance(verdict, Refused):
            return verdict
        if verdict.reason in _PERHAPS_OUR_FAULT:
            return Undecided(verdict.reason)
        if verdict.reason is Code.CERTIFICATE_EXPIRED and verdict.not_after is not None:
            before = judge_certificate(certificate, anchors, at=verdict.not_after)
            return before if isinstance(before, Accepted) else verdict
        return verdict
