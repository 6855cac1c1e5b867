"""What an item's seal can turn out to prove. Plain values: no table, no library."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TypeAlias

from mykey_tui.domain.ids import Binding, CertificateRef, SubjectCn


@dataclass(frozen=True, slots=True)
class Proven:
    """What an opened seal proved: a believed certificate, and that the item's token is its."""

    cn: SubjectCn
    certificate_tag: bytes
    binding: Binding | None
    """Set where the token is of a chosen MyKey ID; None where it is of the default one."""


@dataclass(frozen=True, slots=True)
class Flawed:
    """Why an item will never succeed: the field that is wrong."""

    field: str


@dataclass(frozen=True, slots=True)
class Undecidable:
    """Nothing is proved and nothing refuted: what is missing is ours, or an earlier item waits."""


Proof: TypeAlias = Proven | Flawed | Undecidable
UNDECIDABLE = Undecidable()


def certificate_tag(tag_key: bytes, certificate: CertificateRef) -> bytes:
    """Keyed hash of issuer and serial, 32 bytes: all that is kept of a certificate."""
    serial = certificate.serial.to_bytes((certificate.serial.bit_length() + 8) // 8)
    return tag(tag_key, b"certificate" + certificate.issuer_der + serial)


def tag(tag_key: bytes, data: bytes) -> bytes:
    """Keyed hash for comparing what is not kept; 32 bytes."""
    return hmac.digest(tag_key, data, hashlib.sha256)
