"""Does the card hold the key of the certificate that it shows? A challenge, and a signature over it."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from mykey_tui.trust.certificate import parse_certificate

CHALLENGE_BYTES = 32
_DOMAIN = b"mykey card possession 1\0"


def new_challenge(purpose: bytes) -> bytes:
    """A message that nobody signed before: ours by its first bytes, fresh, and for `purpose` alone.

    The card signs its SHA-256. The words in front keep a signature made here from being worth
    anything in another protocol that lets cards sign a bare random number.
    """
    return _DOMAIN + secrets.token_bytes(CHALLENGE_BYTES) + hashlib.sha256(purpose).digest()


def signed_by(der: bytes, challenge: bytes, signature: bytes) -> bool:
    """Whether the key of this certificate made `signature` over `challenge`.

    RSASSA-PKCS1-v1_5 with SHA-256; False for a certificate with a key of another kind.

    Raises:
        MalformedCertificateError: `der` is no certificate.
    """
    key = parse_certificate(der).decoded.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, challenge, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
