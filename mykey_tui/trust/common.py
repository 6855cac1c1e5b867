"""What a certificate has in common with the other cards of its CA: the issuer and the extensions.

Of the 100 µs that the library takes to read a certificate 60 are for these, and they are the same
bytes on card after card, but for the identifier of the card's own key. So each form is read once
and remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

REMEMBERED_MAX = 512
"""Remembered at once, about 1 kB each. A CA has one for each municipality: the place of its list of
revoked certificates."""

_UNDERSTOOD_EXTENSIONS = frozenset(
    {ExtensionOID.KEY_USAGE, ExtensionOID.CERTIFICATE_POLICIES, ExtensionOID.BASIC_CONSTRAINTS}
)
"""A critical extension outside this set means that we do not know what we read (RFC 5280, 4.2)."""

_SUBJECT_KEY_ID = bytes.fromhex("301d0603551d0e04160414")
"""Head of a subjectKeyIdentifier that is not critical. Its lengths leave 20 bytes to come, which are
content and nothing else, and we do not use them."""


@dataclass(frozen=True, slots=True)
class CommonParts:
    """Outside data, not believed. `key_usage` is None where the extension is absent or not critical."""

    issuer_der: bytes
    key_usage: x509.KeyUsage | None
    is_ca: bool
    policies: frozenset[str]
    authority_key_id: bytes | None
    unknown_critical: bool


_remembered: dict[tuple[bytes, ...], CommonParts] = {}


def common_parts(decoded: x509.Certificate, issuer: bytes, extensions: list[bytes]) -> CommonParts:
    """Read them by the library, or find what it read from the same bytes before.

    `issuer` and `extensions` are these parts of `decoded` as they came. Equal bytes have one
    meaning, so it is no matter whose certificate was the first, nor whether it was believed.

    Raises:
        What `cryptography` raises for parts that it cannot read; they are not remembered.
    """
    key = (issuer, *(_without_key_id(extension) for extension in extensions))
    parts = _remembered.get(key)
    if parts is None:
        parts = _read(decoded)
        if len(_remembered) >= REMEMBERED_MAX:  # All at once: simple, and as rare as it is cheap.
            _remembered.clear()
        _remembered[key] = parts
    return parts


def _without_key_id(extension: bytes) -> bytes:
    return _SUBJECT_KEY_ID if extension.startswith(_SUBJECT_KEY_ID) else extension


def _read(decoded: x509.Certificate) -> CommonParts:
    extensions = {extension.oid: extension for extension in decoded.extensions}
    return CommonParts(
        issuer_der=decoded.issuer.public_bytes(),
        key_usage=_key_usage(extensions),
        is_ca=_is_ca(extensions),
        policies=_policies(extensions),
        authority_key_id=_authority_key_id(extensions),
        unknown_critical=any(
            extension.critical and oid not in _UNDERSTOOD_EXTENSIONS
            for oid, extension in extensions.items()
        ),
    )


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
