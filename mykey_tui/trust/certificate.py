"""The fields of a user-authentication certificate, read once from X.509. No judgement here."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from mykey_tui.domain.errors import MalformedCertificateError
from mykey_tui.domain.ids import SUBJECT_CN_LENGTH, CertificateRef
from mykey_tui.domain.text import safe
from mykey_tui.trust.common import common_parts
from mykey_tui.trust.der import parts_of

CERTIFICATE_BYTES_MAX = 2048
"""A real one has 1.3 to 1.6 kB; what is longer would not fit the sealed part of a mutation either."""

RSA_BITS = range(2048, 4096 + 1)
"""Below it is weak; above it a hostile key only costs time."""
RSA_EXPONENT_MIN = 65537
EC_CURVES = ("secp256r1", "secp384r1")

_SUBJECT_HEADS = tuple(
    bytes.fromhex(f"302f310b3009060355040613024a503120301e0603550403{kind}17")
    for kind in ("0c", "13")
)
"""C=JP and a CN of 23 characters, UTF8String or PrintableString, up to these characters."""
_EXTENSIONS_TAG = 0xA3
_SUBJECT_LENGTH = len(_SUBJECT_HEADS[0]) + SUBJECT_CN_LENGTH

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
    where the extension is absent or not critical. `tbs_der` is the signed part as it came, and
    `algorithms_agree` says that the signature's algorithm is the one that the signed part names.
    """

    cn_text: str
    issuer_der: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    tbs_der: bytes
    algorithms_agree: bool
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
    def tbs_digest(self) -> bytes:
        """SHA-256 of the signed part: with issuer and serial it tells one certificate from another.

        A hash of the whole DER does not: the outer signature's encoding is malleable.
        """
        return hashlib.sha256(self.tbs_der).digest()

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
            return _read(der)
    except UNREADABLE:
        # The cause quotes bytes of the certificate, so it is not chained.
        raise MalformedCertificateError("not a readable certificate") from None


def _read(der: bytes) -> AuthCertificate:
    decoded = x509.load_der_x509_certificate(der)
    if decoded.version is not x509.Version.v3:
        raise MalformedCertificateError("not X.509 version 3")
    if decoded.serial_number <= 0:  # RFC 5280, 4.1.2.2; the library only warns of it.
        raise MalformedCertificateError("the serial number is not positive")
    # The library has accepted the whole: now its parts can be taken as they came.
    tbs, outer_algorithm, _ = parts_of(der)
    _, _, inner_algorithm, issuer, _, subject, *rest = parts_of(tbs)
    extensions = parts_of(parts_of(rest[-1])[0]) if rest[-1][0] == _EXTENSIONS_TAG else []
    common = common_parts(decoded, issuer, extensions)
    key_description, key_is_accepted = _key(decoded)
    return AuthCertificate(
        cn_text=_common_name(decoded, subject),
        issuer_der=common.issuer_der,
        serial=decoded.serial_number,
        not_before=decoded.not_valid_before_utc,
        not_after=decoded.not_valid_after_utc,
        tbs_der=tbs,
        algorithms_agree=inner_algorithm == outer_algorithm,
        key_description=key_description,
        key_is_accepted=key_is_accepted,
        key_usage=common.key_usage,
        is_ca=common.is_ca,
        policies=common.policies,
        authority_key_id=common.authority_key_id,
        unknown_critical=common.unknown_critical,
        decoded=decoded,
    )


def _common_name(decoded: x509.Certificate, subject: bytes) -> str:
    if len(subject) == _SUBJECT_LENGTH and subject.startswith(_SUBJECT_HEADS):
        cn = subject[-SUBJECT_CN_LENGTH:]
        if cn.isalnum():  # ASCII alone, which is the same in both kinds of text.
            return cn.decode("ascii")
    return _read_common_name(decoded.subject)


def _read_common_name(subject: x509.Name) -> str:
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
