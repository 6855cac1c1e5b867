"""The CA certificates that a counter or a server believes: a folder of files, not code.

A new CA generation appears about every four years, under the same name as the ones before. So the
folder may hold several certificates with one DN, and old ones stay in it: they let an old card be
told that it has expired, and vouch for nothing beyond their own end (see `chain`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import SignatureAlgorithmOID

from mykey_tui.domain.errors import AnchorsError
from mykey_tui.trust.certificate import UNREADABLE, AuthCertificate, quietly

ANCHORS_MAX = 32
"""JPKI has had three generations in ten years; each one under a name costs a signature check."""
ANCHOR_FILES_MAX = 256
"""Entries looked at, so that a wrong folder (a home, a disk) is noticed and not read."""
ANCHOR_FILE_BYTES_MAX = 16 * 1024
POLICIES_FILE = "policies.txt"
POLICIES_MAX = 32
JPKI_AUTHENTICATION_POLICY = "1.2.392.200149.8.5.1.3.30"
"""利用者証明用: accepted where the folder has no `policies.txt` of its own."""

_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der"})
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d{0,17})){1,19}")
_RSA_HASHES: dict[x509.ObjectIdentifier, hashes.HashAlgorithm] = {
    SignatureAlgorithmOID.RSA_WITH_SHA256: hashes.SHA256(),
    SignatureAlgorithmOID.RSA_WITH_SHA384: hashes.SHA384(),
    SignatureAlgorithmOID.RSA_WITH_SHA512: hashes.SHA512(),
}
_EC_SCHEMES = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: ec.ECDSA(hashes.SHA256()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: ec.ECDSA(hashes.SHA384()),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: ec.ECDSA(hashes.SHA512()),
}
"""What JPKI uses now (RSA, SHA-256) and has announced (ECDSA, SHA-384); no SHA-1, and no PSS."""
_RSA_PADDING = padding.PKCS1v15()


@dataclass(frozen=True, slots=True)
class Anchor:
    """One CA certificate of the folder. That it lies there does not yet make it a CA."""

    subject_der: bytes
    key_id: bytes | None
    key_der: bytes
    """The public key itself: several certificates of one CA may carry the same."""
    not_before: datetime
    not_after: datetime
    may_sign_certificates: bool
    """basicConstraints says CA and keyUsage says keyCertSign."""
    key: CertificatePublicKeyTypes

    def signed(self, certificate: AuthCertificate) -> bool:
        """Whether `certificate` carries a signature by this anchor's key, SHA-256 or better.

        The same as the library's `verify_directly_issued_by` with a key that is loaded once; names
        are compared elsewhere.
        """
        # RFC 5280, 4.1.1.2: both algorithms are the same, parameters included.
        if not certificate.algorithms_agree:
            return False
        algorithm = certificate.decoded.signature_algorithm_oid
        signature, tbs = certificate.decoded.signature, certificate.tbs_der
        try:
            if isinstance(self.key, rsa.RSAPublicKey) and algorithm in _RSA_HASHES:
                self.key.verify(signature, tbs, _RSA_PADDING, _RSA_HASHES[algorithm])
            elif isinstance(self.key, ec.EllipticCurvePublicKey) and algorithm in _EC_SCHEMES:
                self.key.verify(signature, tbs, _EC_SCHEMES[algorithm])
            else:
                return False
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is trusted: the CA certificates, and the policies that their certificates must carry."""

    certificates: tuple[Anchor, ...]
    policies: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.certificates)


def load_anchors(directory: Path) -> Anchors:
    """Read the folder: `*.pem`, `*.crt`, `*.cer`, `*.der`, and the OIDs in `policies.txt`.

    A folder that is absent or empty gives no anchors, and every judgement is then `Undecided`.

    Raises:
        AnchorsError: a file that is no certificate, too many, too large, or not readable. Nothing
            is trusted in part.
    """
    certificates: dict[bytes, Anchor] = {}
    for path in _entries(directory):
        for decoded in _certificates_in(path):
            certificates.setdefault(decoded.tbs_certificate_bytes, _anchor(path, decoded))
            if len(certificates) > ANCHORS_MAX:
                raise AnchorsError(path.name, f"more than {ANCHORS_MAX} CA certificates")
    return Anchors(tuple(certificates.values()), _policies(directory))


def _entries(directory: Path) -> list[Path]:
    entries: list[Path] = []
    try:
        for count, path in enumerate(directory.iterdir(), start=1):
            if count > ANCHOR_FILES_MAX:
                raise AnchorsError(directory.name, f"more than {ANCHOR_FILES_MAX} files")
            if path.suffix.lower() in _SUFFIXES:
                entries.append(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AnchorsError(directory.name, error.strerror or "not readable") from error
    return sorted(entries)


def _read_bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(ANCHOR_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise AnchorsError(path.name, error.strerror or "not readable") from error
    if len(content) > ANCHOR_FILE_BYTES_MAX:
        raise AnchorsError(path.name, f"longer than {ANCHOR_FILE_BYTES_MAX} bytes")
    return content


def _certificates_in(path: Path) -> list[x509.Certificate]:
    content = _read_bounded(path)
    try:
        with quietly():
            if b"-----BEGIN" in content:
                return x509.load_pem_x509_certificates(content)
            return [x509.load_der_x509_certificate(content)]
    except UNREADABLE as error:
        raise AnchorsError(path.name, "not a certificate") from error


def _anchor(path: Path, decoded: x509.Certificate) -> Anchor:
    try:
        with quietly():
            # A key that cannot be used is found here, not at the counter.
            key = decoded.public_key()
            extensions = decoded.extensions
            return Anchor(
                subject_der=decoded.subject.public_bytes(),
                key_id=_key_id(extensions),
                key_der=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
                not_before=decoded.not_valid_before_utc,
                not_after=decoded.not_valid_after_utc,
                may_sign_certificates=_may_sign_certificates(extensions),
                key=key,
            )
    except (*UNREADABLE, UnsupportedAlgorithm) as error:
        raise AnchorsError(path.name, "not a usable CA certificate") from error


def _key_id(extensions: x509.Extensions) -> bytes | None:
    try:
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _may_sign_certificates(extensions: x509.Extensions) -> bool:
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


def _policies(directory: Path) -> frozenset[str]:
    path = directory / POLICIES_FILE
    if not path.exists():
        return frozenset({JPKI_AUTHENTICATION_POLICY})
    text = _read_bounded(path).decode("utf-8", errors="replace")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    policies = frozenset(line for line in lines if line)
    if not policies or len(policies) > POLICIES_MAX:
        raise AnchorsError(path.name, f"1 to {POLICIES_MAX} policies, one OID on a line")
    if not all(_OID.fullmatch(policy) for policy in policies):
        raise AnchorsError(path.name, "a line is no OID")
    return policies
