"""The test CA: three generations under one name, like the real one, and two CAs that are not ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from mykey_tui.simulated import DATA, anchors_dir

GENERATIONS = (1, 2, 3)
CARD_KEYS = 12
"""Private keys for sample cards: making one takes longer than a test should."""
TEST_POLICY = "2.999.3.30"
"""In the arc that is set aside for examples (ITU-T X.660, 2.999), so that no real policy is meant."""

TEST_CA_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "JPKI-TEST SIMULATED"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "SIMULATED user authentication"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "mykey-tui test CA"),
    ]
)
OTHER_CA_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "OTHER CA SIMULATED"),
    ]
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA certificate and the key that goes with it."""

    certificate: x509.Certificate
    key: RSAPrivateKey


@cache
def generation(number: int) -> Issuer:
    """One of the test CA's `GENERATIONS`."""
    return _issuer(anchors_dir() / f"test-ca-{number}.pem", f"test-ca-{number}")


def generation_in_office(at: datetime) -> Issuer:
    """The newest generation that is valid at `at`. Raises `ValueError` when there is none."""
    for number in reversed(GENERATIONS):
        issuer = generation(number)
        certificate = issuer.certificate
        if certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return issuer
    raise ValueError(f"the test CA has no generation for {at:%Y-%m-%d}")


@cache
def other_ca() -> Issuer:
    """A CA of another name, which no anchors folder holds."""
    return _issuer(DATA / "foreign" / "other-ca.pem", "other-ca")


@cache
def forger() -> Issuer:
    """A CA that took the test CA's name and has a key of its own."""
    return _issuer(DATA / "foreign" / "forger.pem", "forger")


@cache
def card_key(number: int) -> str:
    """One of `CARD_KEYS` private keys for cards, PKCS #8 PEM."""
    return (DATA / "keys" / f"card-{number:02d}.pem").read_text("ascii")


def load_private_key(pem: bytes) -> RSAPrivateKey:
    """Read one of our own keys; its primes are not tested again, which would take longer."""
    key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the simulated keys are RSA keys")
    return key


def _issuer(certificate: Path, key_name: str) -> Issuer:
    return Issuer(
        x509.load_pem_x509_certificate(certificate.read_bytes()),
        load_private_key((DATA / "keys" / f"{key_name}.pem").read_bytes()),
    )
