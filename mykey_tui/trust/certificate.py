"""The fields of a user-authentication certificate, read once from X.509. No judgement here."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from mykey_tui.domain.errors import MalformedCertificateError
from mykey_tui.domain.ids import CertificateRef
from mykey_tui.domain.text import safe

CERTIFICATE_BYTES_MAX = 2048
"""A real one has 1.3 to 1.6 kB; what is longer would not fit the sealed part of a mutation either."""

RSA_BITS = range(2048, 4096 + 1)
"""Below it is weak; above it a hostile key only costs time."""
RSA_EXPONENT_MIN = 65537
EC_CURVES = ("secp256r1", "secp384r1")

_UNDERSTOOD_EXTENSIONS = frozenset(
    {ExtensionOID.KEY_USAGE, ExtensionOID.CERTIFICATE_POLICIES, ExtensionOID.BASIC_CONSTRAINTS}
)
"""A critical extension outside this set means that we do not know what we read (RFC 5280, 4.2)."""

UNREADABLE = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for bytes that are no certificate. TypeError: a name's part of type BIT
STRING, found with mutants; the library meant it for callers who build one."""
_warning_filters = threading.Lock()


@dataclass(frozen=True, slots=True, repr=False)
class AuthCertificate:
    """What the product looks at. Every field is outside data; nothing here has been believed.

    `cn_text` is empty where the subject is anything but one C=JP and one CN. `key_usage` is None
    where the extension is absent or not critical. `tbs_digest` is SHA-256 of the signed part:
    with issuer and serial it tells one certificate from another, which a hash of the whole DER
    does not (the outer signature's encoding is malleable).
    """

    cn_text: str
    issuer_der: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    tbs_digest: bytes
    key_description: str
    key_is_accepted: bool
    key_usage: x509.KeyUsage | None
    is_ca: bool
    policies: frozenset[str]
    authority_key_id: bytes | None
    unknown_critical: bool
    decoded: x509.Certificate

    def __repr__(self) -> str:
        return "<AuthCertificate>"

    @property
    def issuer_text(self) -> str:
        """The issuer's name for a screen. Made when it is asked for: a server never asks."""
        with quietly():
            return safe(self.decoded.issuer.rfc4514_string())

    @property
    def ref(self) -> CertificateRef:
        """Issuer and serial: what identifies the certificate."""
        return CertificateRef(self.issuer_der, self.serial)


@contextmanager
def quietly() -> Iterator[None]:
    """Decode X.509 without warnings on standard error, which is the clerk's screen.

    `cryptography` warns of odd bytes (a serial that is not positive, a country of three letters)
    and goes on; our own checks refuse what matters. The lock keeps two threads from restoring
    each other's filters, which belong to the whole process.
    """
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse_certificate(der: bytes) -> AuthCertificate:
    """Decode one certificate of at most `CERTIFICATE_BYTES_MAX` bytes, with nothing behind it.

    Raises:
        MalformedCertificateError: not DER, not X.509 version 3, a serial that is not positive, an
            extension that cannot be read.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise MalformedCertificateError("the certificate is too long")
    try:
        with quietly():
            return _read(x509.load_der_x509_certificate(der))
    except UNREADABLE:
        # The cause quotes bytes of the certificate, so it is not chained.
        raise MalformedCertificateError("not a readable certificate") from None


def _read(decoded: x509.Certificate) -> AuthCertificate:
    if decoded.version is not x509.Version.v3:
        raise MalformedCertificateError("not X.509 version 3")
    if decoded.serial_number <= 0:  # RFC 5280, 4.1.2.2; the library only warns of it.
        raise MalformedCertificateError("the serial number is not positive")
    # One look at each extension: a server reads thousands of certificates a second.
    extensions = {extension.oid: extension for extension in decoded.extensions}
    key_description, key_is_accepted = _key(decoded)
    return AuthCertificate(
        cn_text=_common_name(decoded.subject),
        issuer_der=decoded.issuer.public_bytes(),
        serial=decoded.serial_number,
        not_before=decoded.not_valid_before_utc,
        not_after=decoded.not_valid_after_utc,
        tbs_digest=hashlib.sha256(decoded.tbs_certificate_bytes).digest(),
        key_description=key_description,
        key_is_accepted=key_is_accepted,
        key_usage=_key_usage(extensions),
        is_ca=_is_ca(extensions),
        policies=_policies(extensions),
        authority_key_id=_authority_key_id(extensions),
        unknown_critical=any(
            extension.critical and oid not in _UNDERSTOOD_EXTENSIONS
            for oid, extension in extensions.items()
        ),
        decoded=decoded,
    )


def _common_name(subject: x509.Name) -> str:
    attributes = list(subject)
    values = {attribute.oid: attribute.value for attribute in attributes}
    country, cn = values.get(NameOID.COUNTRY_NAME), values.get(NameOID.COMMON_NAME)
    if len(attributes) != 2 or country != "JP" or not isinstance(cn, str):
        return ""
    return cn


def _key(decoded: x509.Certificate) -> tuple[str, bool]:
    try:
        key = decoded.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown", False
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e
        good = key.key_size in RSA_BITS and exponent >= RSA_EXPONENT_MIN
        return f"RSA {key.key_size}", good
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.curve.name in EC_CURVES
    return "unknown", False


_Extensions: TypeAlias = Mapping[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]]


def _key_usage(extensions: _Extensions) -> x509.KeyUsage | None:
    extension = extensions.get(ExtensionOID.KEY_USAGE)
    if extension is None or not extension.critical:
        return None
    return extension.value if isinstance(extension.value, x509.KeyUsage) else None


def _is_ca(extensions: _Extensions) -> bool:
    extension = extensions.get(ExtensionOID.BASIC_CONSTRAINTS)
    if extension is None or not isinstance(extension.value, x509.BasicConstraints):
        return False
    return extension.value.ca


def _policies(extensions: _Extensions) -> frozenset[str]:
    extension = extensions.get(ExtensionOID.CERTIFICATE_POLICIES)
    if extension is None or not isinstance(extension.value, x509.CertificatePolicies):
        return frozenset()
    return frozenset(policy.policy_identifier.dotted_string for policy in extension.value)


def _authority_key_id(extensions: _Extensions) -> bytes | None:
    extension = extensions.get(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    if extension is None or not isinstance(extension.value, x509.AuthorityKeyIdentifier):
        return None
    return extension.value.key_identifier
