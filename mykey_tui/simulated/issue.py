"""Certificates for sample cards, in the profile of the real ones as far as that is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from mykey_tui.simulated.ca import TEST_POLICY, Issuer

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey
"""RSA on the cards of today; P-384 is announced for the next generation."""

# The names end in .invalid (RFC 2606), so that nobody is ever asked.
_PRACTICE_STATEMENT = "http://simulated.invalid/cps.html"
_STATUS_SERVICE = "http://simulated.invalid/ocsp"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """All that differs between sample certificates. `names_issuer` is whose key it claims to be from."""

    cn: str
    issuer: Issuer
    names_issuer: Issuer
    not_before: datetime
    not_after: datetime
    content_commitment: bool = False
    """Set in the signature certificate of a card, and wrong in the one that we read."""
    policy: str = TEST_POLICY


def issue(plan: CertificatePlan, public_key: PublicKey) -> bytes:
    """Sign the certificate; DER. The same plan and key give the same bytes."""
    issuer_name = plan.issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(plan.cn))
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(_serial(plan))
        .not_valid_before(plan.not_before)
        .not_valid_after(plan.not_after)
    )
    for extension, critical in _extensions(plan, public_key):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(plan.issuer.key, SHA256()).public_bytes(Encoding.DER)


def _subject(cn: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.COMMON_NAME, cn),
        ]
    )


def _serial(plan: CertificatePlan) -> int:
    """A positive number of at most 31 bits, like the real 発行番号; another for each plan."""
    plain = f"{plan.cn} {plan.not_before:%Y%m%d} {plan.not_after:%Y%m%d} {plan.policy}"
    return int.from_bytes(hashlib.sha256(plain.encode()).digest()[:4], "big") >> 1 | 1


def _extensions(
    plan: CertificatePlan, public_key: PublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    issuer_directory = x509.DirectoryName(plan.issuer.certificate.subject)
    return [
        (_key_usage(content_commitment=plan.content_commitment), True),
        (
            x509.CertificatePolicies(
                [x509.PolicyInformation(x509.ObjectIdentifier(plan.policy), [_PRACTICE_STATEMENT])]
            ),
            True,
        ),
        (
            x509.IssuerAlternativeName(
                [x509.DirectoryName(_organisation("公的個人認証サービス（模擬） SIMULATED"))]
            ),
            False,
        ),
        (
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([issuer_directory], None, None, None)]
            ),
            False,
        ),
        (
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(
                        AuthorityInformationAccessOID.OCSP,
                        x509.UniformResourceIdentifier(_STATUS_SERVICE),
                    )
                ]
            ),
            False,
        ),
        (
            x509.AuthorityKeyIdentifier.from_issuer_public_key(plan.names_issuer.key.public_key()),
            False,
        ),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
    ]


def _organisation(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
        ]
    )


def _key_usage(*, content_commitment: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
