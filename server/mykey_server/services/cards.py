"""Which certificates the server believes, for each profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct, msgpack

from mykey_server.profiles import JPKI
from mykey_tui.domain.codes import Code
from mykey_tui.domain.verdict import Accepted, Refused, Undecided, Verdict
from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import Anchor, Anchors, load_anchors
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


class _PlainAnchor(Struct, frozen=True, array_like=True):
    """An anchor on its way to another process of this server: its key as bytes."""

    subject_der: bytes
    key_id: bytes | None
    key_der: bytes
    not_before: datetime
    not_after: datetime
    may_sign_certificates: bool


class _PlainAnchors(Struct, frozen=True, array_like=True):
    certificates: list[_PlainAnchor]
    policies: frozenset[str]


def cards_to_bytes(cards: TrustedCards) -> bytes:
    """What is trusted, as it was loaded: the folder may hold something else by now."""
    return msgpack.encode((_plain(cards.simulated), _plain(cards.jpki)))


def cards_from_bytes(encoded: bytes) -> TrustedCards:
    """The same again. Raises `msgspec.MsgspecError` or `ValueError` for other bytes."""
    simulated, jpki = msgpack.decode(encoded, type=tuple[_PlainAnchors, _PlainAnchors])
    return TrustedCards(simulated=_anchors(simulated), jpki=_anchors(jpki))


def _plain(anchors: Anchors) -> _PlainAnchors:
    return _PlainAnchors(
        [
            _PlainAnchor(
                subject_der=anchor.subject_der,
                key_id=anchor.key_id,
                key_der=anchor.key_der,
                not_before=anchor.not_before,
                not_after=anchor.not_after,
                may_sign_certificates=anchor.may_sign_certificates,
            )
            for anchor in anchors.certificates
        ],
        anchors.policies,
    )


def _anchors(plain: _PlainAnchors) -> Anchors:
    return Anchors(
        tuple(
            Anchor(
                subject_der=anchor.subject_der,
                key_id=anchor.key_id,
                key_der=anchor.key_der,
                not_before=anchor.not_before,
                not_after=anchor.not_after,
                may_sign_certificates=anchor.may_sign_certificates,
                # Of a kind that certificates have: it was taken from one.
                key=cast("CertificatePublicKeyTypes", load_der_public_key(anchor.key_der)),
            )
            for anchor in plain.certificates
        ),
        plain.policies,
    )
