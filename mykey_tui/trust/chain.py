"""Is this certificate one to believe? Nine numbered checks, in this order, and a verdict.

1. Size and form: at most 2048 bytes, X.509 version 3, positive serial, every extension readable and
   no critical one that we do not understand.
2. The subject is C=JP and one CN of 14 + 9 characters A-Z 0-9.
3. An anchor has the issuer's name. Nothing on the card itself is ever an anchor.
4. One of the anchors under that name signed it. CA generations share one name, so each is tried;
   the signature chooses.
5. That anchor is a CA that may sign certificates, and the certificate begins within its validity.
6. It is valid now, and so is the anchor: it ends at the latest with the CA that vouches for it.
7. keyUsage is critical and says digitalSignature alone, and it is no CA itself.
8. It was issued under a policy that this counter accepts.
9. Its key is RSA 2048 to 4096 or EC P-256 / P-384.

What is NOT checked: revocation. J-LIS answers notified verifiers only, so a stopped card is known
here by the provider's own rows, never by its certificate. Nor is it checked that the card holds the
key: without PIN and a signed challenge a certificate is identified, not authenticated.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedCertificateError, MalformedIdError
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.domain.verdict import Accepted, Refused, Undecided, Verdict
from mykey_tui.trust.anchors import Anchor, Anchors
from mykey_tui.trust.certificate import AuthCertificate, parse_certificate

CLOCK_FLOOR = datetime(2026, 1, 1, tzinfo=UTC)
"""This program did not exist before: a clock that says so is wrong (a dead battery says 1970)."""

_DIGITAL_SIGNATURE_ALONE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def judge(der: bytes, anchors: Anchors, *, at: datetime) -> Verdict:
    """Run the nine checks on what a card sent, at the aware time `at`. Never raises for any bytes.

    The first check that fails decides; `Undecided` where there is no anchor at all, or no clock to
    compare dates with.
    """
    certificate = read_certificate(der)
    if isinstance(certificate, Refused):
        return certificate
    return judge_certificate(certificate, anchors, at=at)


def read_certificate(der: bytes) -> AuthCertificate | Refused:
    """The first check alone. Who judges many reads them all first, which is faster."""
    # 1. Size and form.
    try:
        certificate = parse_certificate(der)
    except MalformedCertificateError:
        return Refused(Code.CERTIFICATE_MALFORMED)
    if certificate.unknown_critical:
        return Refused(Code.CERTIFICATE_MALFORMED)
    return certificate


def judge_certificate(certificate: AuthCertificate, anchors: Anchors, *, at: datetime) -> Verdict:
    """The other eight checks, on a certificate that passed the first."""
    # 2. C=JP and one CN of 14 + 9.
    try:
        cn = SubjectCn.parse(certificate.cn_text)
    except MalformedIdError:
        return Refused(Code.CERTIFICATE_MALFORMED)

    # 3, 4, 5. An anchor of the issuer's name signed it, and was entitled to.
    if not anchors:
        return Undecided(Code.TRUST_NO_ANCHORS)
    vouching = _vouching(certificate, anchors)
    if isinstance(vouching, Refused):
        return vouching

    not_after = min(certificate.not_after, vouching.not_after)
    return (
        _stop_on_dates(certificate.not_before, not_after, at=at)
        or _refuse_profile(certificate, anchors)
        or Accepted(cn, certificate.ref, not_after)
    )


def _vouching(certificate: AuthCertificate, anchors: Anchors) -> Anchor | Refused:
    """Checks 3 to 5: the anchor that vouches for the certificate, the longest-lived if several."""
    # 3. An anchor has the issuer's name.
    named = [a for a in anchors.certificates if a.subject_der == certificate.issuer_der]
    if not named:
        return Refused(Code.CERTIFICATE_UNKNOWN_ISSUER)

    # 4. The signature chooses among the generations of that name.
    signers = _signers(certificate, named)
    if not signers:
        return Refused(_why_nobody_signed(certificate, named))

    # 5. A CA, and in office when it issued.
    entitled = [
        anchor
        for anchor in signers
        if anchor.may_sign_certificates
        and anchor.not_before <= certificate.not_before <= anchor.not_after
    ]
    if not entitled:
        return Refused(Code.CERTIFICATE_UNKNOWN_ISSUER)
    return max(entitled, key=lambda anchor: anchor.not_after)


def _signers(certificate: AuthCertificate, named: list[Anchor]) -> list[Anchor]:
    """The anchors with the key that signed it. One key did, so the first that fits ends the search.

    The key that the certificate names is tried first: that is nearly always the one, and each
    try costs a signature check.
    """
    by_key: dict[bytes, list[Anchor]] = {}
    for anchor in sorted(named, key=lambda anchor: anchor.key_id != certificate.authority_key_id):
        by_key.setdefault(anchor.key_der, []).append(anchor)
    return next((a for a in by_key.values() if a[0].signed(certificate)), [])


def _why_nobody_signed(certificate: AuthCertificate, named: list[Anchor]) -> Code:
    """Forged, or from a CA generation newer than the anchors here: then the resident is not to blame.

    The certificate says which key should verify it. A forger can write there what he likes; both
    answers are refusals, so he gains nothing.
    """
    wanted = certificate.authority_key_id
    if wanted is not None and all(a.key_id is not None and a.key_id != wanted for a in named):
        return Code.CERTIFICATE_UNKNOWN_ISSUER
    return Code.CERTIFICATE_FORGED


def _stop_on_dates(
    not_before: datetime, not_after: datetime, *, at: datetime
) -> Refused | Undecided | None:
    """Check 6: valid now, where there is a now. `not_after` is the sooner end, card's or anchor's."""
    # 6. Valid now, certificate and anchor.
    if at < CLOCK_FLOOR:
        return Undecided(Code.TRUST_CLOCK)
    if at < not_before:
        return Refused(Code.CERTIFICATE_NOT_YET_VALID)
    if at > not_after:
        return Refused(Code.CERTIFICATE_EXPIRED, not_after)
    return None


def _refuse_profile(certificate: AuthCertificate, anchors: Anchors) -> Refused | None:
    """Checks 7 to 9: made for this use, under an accepted policy, with a key of a kind we take."""
    # 7. digitalSignature alone.
    if certificate.key_usage != _DIGITAL_SIGNATURE_ALONE or certificate.is_ca:
        return Refused(Code.CERTIFICATE_WRONG_USAGE)

    # 8. An accepted policy.
    if not certificate.policies & anchors.policies:
        return Refused(Code.CERTIFICATE_WRONG_POLICY)

    # 9. A key of a kind we take.
    if not certificate.key_is_accepted:
        return Refused(Code.CERTIFICATE_WRONG_USAGE)
    return None
