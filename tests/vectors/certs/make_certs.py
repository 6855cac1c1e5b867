"""Makes the certificates beside it: `python tests/vectors/certs/make_certs.py`.

One good certificate of each living CA generation, and at least one that fails each numbered check
of `mykey_tui.trust.chain` and no check before it. All keys are the published ones of the simulated
CA, and RSA signatures have no random part, so the same files come out at every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mykey_tui.simulated.ca import (
    TEST_CA_NAME,
    TEST_POLICY,
    Issuer,
    card_key,
    forger,
    generation,
    load_private_key,
    other_ca,
)

HERE = Path(__file__).parent
CN = "1C2410DF79DGEL07202002B"
BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2031, 2, 17, tzinfo=UTC)
CARD_KEY = load_private_key(card_key(0).encode()).public_key()

COUNTRY = x509.NameAttribute(NameOID.COUNTRY_NAME, "JP")
UNKNOWN = x509.ObjectIdentifier("2.999.1")


def usage(*, content_commitment: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def policy(oid: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None)])


def cn(text: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(NameOID.COMMON_NAME, text)


USAGE = (usage(), True)
POLICY = (policy(TEST_POLICY), True)


def make(
    *,
    subject: Sequence[x509.NameAttribute[str]] = (COUNTRY, cn(CN)),
    issuer: Issuer | None = None,
    names: Issuer | None = None,
    key: CertificatePublicKeyTypes = CARD_KEY,
    begin: datetime = BEGIN,
    end: datetime = END,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (USAGE, POLICY),
) -> bytes:
    """One certificate. `names` is the CA whose key it claims to be signed with."""
    issuer = issuer or generation(3)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer.certificate.subject)
        .public_key(key)
        .serial_number(0x06D18006)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    claimed = (names or issuer).key.public_key()
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(claimed)
    for extension, critical in (*extensions, (authority, False)):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


def vectors() -> dict[str, bytes]:
    """File name without `.der` → certificate."""
    good = make()
    return {
        "good-generation-2": make(issuer=generation(2)),
        "good-generation-3": good,
        "1-truncated": good[:-1],
        "1-bytes-behind": good + b"\x00",
        "1-too-long": make(
            extensions=(USAGE, POLICY, (x509.UnrecognizedExtension(UNKNOWN, bytes(1500)), False))
        ),
        "1-unknown-critical-extension": make(
            extensions=(USAGE, POLICY, (x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), True))
        ),
        "1-serial-negative": good.replace(
            bytes.fromhex("020406D18006"), bytes.fromhex("020486D18006")
        ),
        "2-cn-of-22": make(subject=(COUNTRY, cn(CN[:-1]))),
        "2-cn-of-24": make(subject=(COUNTRY, cn(CN + "B"))),
        "2-cn-in-lower-case": make(subject=(COUNTRY, cn(CN.lower()))),
        "2-other-country": make(subject=(x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"), cn(CN))),
        "2-two-cns": make(subject=(cn(CN), cn(CN))),
        "2-locality-too": make(
            subject=(COUNTRY, x509.NameAttribute(NameOID.LOCALITY_NAME, "Kiyose-shi"), cn(CN))
        ),
        "3-other-ca": make(issuer=other_ca()),
        "4-forged": make(issuer=forger(), names=generation(3)),
        "4-generation-not-installed": make(issuer=forger()),
        "5-issued-before-the-ca-began": make(begin=datetime(2023, 7, 1, tzinfo=UTC)),
        "5-issued-after-the-ca-ended": make(issuer=generation(1)),
        "5-issuer-is-no-ca": make(issuer=not_a_ca()),
        "6-expired": make(begin=datetime(2024, 1, 1, tzinfo=UTC), end=BEGIN),
        "6-not-yet-valid": make(begin=datetime(2026, 7, 1, tzinfo=UTC)),
        "6-outlives-its-ca": make(
            issuer=generation(1),
            begin=datetime(2025, 10, 1, tzinfo=UTC),
            end=datetime(2030, 1, 1, tzinfo=UTC),
        ),
        "7-non-repudiation-too": make(extensions=((usage(content_commitment=True), True), POLICY)),
        "7-usage-not-critical": make(extensions=((usage(), False), POLICY)),
        "7-no-usage": make(extensions=(POLICY,)),
        "7-is-a-ca": make(
            extensions=(USAGE, POLICY, (x509.BasicConstraints(ca=True, path_length=0), True))
        ),
        "8-signature-policy": make(extensions=(USAGE, (policy("2.999.1.20"), True))),
        "8-no-policy": make(extensions=(USAGE,)),
        "9-rsa-of-1024-bits": make(key=RSAPublicNumbers(65537, (1 << 1023) + 1155).public_key()),
        "9-ed25519": make(key=Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()),
    }


def not_a_ca() -> Issuer:
    """An issuer in an anchors folder whose certificate does not let it issue."""
    key = load_private_key(card_key(1).encode())
    certificate = make_self_signed_without_ca_flag(key.public_key())
    return Issuer(certificate, key)


def make_self_signed_without_ca_flag(key: CertificatePublicKeyTypes) -> x509.Certificate:
    name = x509.Name([*TEST_CA_NAME, x509.NameAttribute(NameOID.COMMON_NAME, "no CA")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key)
        .serial_number(7)
        .not_valid_before(datetime(2023, 7, 16, tzinfo=UTC))
        .not_valid_after(datetime(2033, 7, 15, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(key_cert_sign=True), critical=True)
        .sign(load_private_key(card_key(1).encode()), SHA256())
    )


if __name__ == "__main__":
    for vector_name, der in vectors().items():
        (HERE / f"{vector_name}.der").write_bytes(der)
    pem = not_a_ca().certificate.public_bytes(Encoding.PEM)
    (HERE / "anchor-that-is-no-ca.pem").write_bytes(pem)
