"""Lookup tokens and binding tags: HMAC-SHA256 with the provider's key.

The only form of a MyKey ID that rests at a counter, and the key of a row on the wire. The server
computes the same values; two providers' tokens of one person never match.

A default MyKey ID is unique as 14 + 9 characters, a chosen one as 14 alone, and a card does not
say which it carries. So a counter asks for the default token first, then for the chosen one, and
takes a chosen row only when the certificate at hand is the one that it is bound to. A later
default string may equal somebody's chosen one: without the binding that would be another person.
"""

from __future__ import annotations

import hashlib
import hmac

from mykey_tui.domain.ids import Binding, CertificateRef, LookupToken, MyKeyId, SubjectCn

PROVIDER_KEY_LENGTH = 32
TOKEN_LENGTH = 16
BINDING_LENGTH = 8


def default_token(provider_key: bytes, cn: SubjectCn) -> LookupToken:
    """Token of a default MyKey ID: over 14 + 9 characters, 16 bytes."""
    return LookupToken(_mac(provider_key, b"d", cn.text.encode("ascii"))[:TOKEN_LENGTH])


def chosen_token(provider_key: bytes, my_key_id: MyKeyId) -> LookupToken:
    """Token of a chosen MyKey ID: over its 14 characters, 16 bytes."""
    return LookupToken(_mac(provider_key, b"c", my_key_id.text.encode("ascii"))[:TOKEN_LENGTH])


def binding(provider_key: bytes, certificate: CertificateRef) -> Binding:
    """Tag of a certificate, 8 bytes; in the row of a chosen MyKey ID."""
    serial = certificate.serial.to_bytes((certificate.serial.bit_length() + 8) // 8, signed=True)
    # The issuer's own DER length separates the two parts.
    return Binding(_mac(provider_key, b"b", certificate.issuer_der + serial)[:BINDING_LENGTH])


def same_secret(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def _mac(provider_key: bytes, domain: bytes, data: bytes) -> bytes:
    if len(provider_key) != PROVIDER_KEY_LENGTH:
        raise ValueError(f"a provider's key has {PROVIDER_KEY_LENGTH} bytes")
    return hmac.digest(provider_key, domain + data, hashlib.sha256)
