"""Sample My Number Cards: fresh certificates over keys from the pool."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mykey_tui.card.allow_list import (
    FILE_AUTH_CA_CERTIFICATE,
    FILE_AUTH_CERTIFICATE,
    FILE_AUTH_PIN,
    FILE_AVAILABILITY,
    FILE_TOKEN_INFO,
)
from mykey_tui.card.profile import ANDROID_PHONE, PLASTIC_CARD
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.reader.card_file import CardFile, CardKind, CardPin, Fault
from mykey_tui.simulated.ca import CARD_KEYS, card_key, load_private_key
from mykey_tui.simulated.foreign import DAYS_LEFT, Variant, plan_certificate
from mykey_tui.simulated.issue import issue

MY_NUMBER_CARD_ATR = bytes.fromhex("3B888001000005E0B381A1007F")
"""One of those seen on a reader without contacts."""
PIN_TRIES = 3
SIGNATURE_PIN_TRIES = 5

_FILE_SIGNATURE_PIN = 0x001B
_UNKNOWN_LABEL = "SIMULATEDTOKEN9"
"""A label that no table has: a card that is newer than the program."""


def make_card(
    cn: str,
    *,
    at: datetime,
    pin: str = "1234",
    fault: Fault | None = None,
    variant: Variant = Variant.GOOD,
    days_left: int = DAYS_LEFT,
    ca_generation: int | None = None,
    name: str = "SIMULATED My Number Card",
) -> CardFile:
    """A card that on the day of `at` is what `variant` says. The same arguments give the same card.

    Args:
        cn: the 23 characters of the certificate's subject.
        at: now, aware.
        pin: four digits.
        fault: how it misbehaves, if it does.
        variant: what is wrong with its certificate.
        days_left: days until the end of a certificate with good dates.
        ca_generation: which generation of the test CA signed it; the newest where None.
        name: for people; never the CN.

    Raises:
        MalformedIdError: `cn` is no subject CN.
        ValueError: `pin` is not four digits, or no CA generation covers the dates.
    """
    if len(pin) != 4 or not (pin.isascii() and pin.isdigit()):
        raise ValueError("the PIN of a card has four digits")
    checked = SubjectCn.parse(cn).text
    key_pem = card_key(hashlib.sha256(checked.encode()).digest()[0] % CARD_KEYS)
    plan = plan_certificate(
        checked, variant, at=at, days_left=days_left, ca_generation=ca_generation
    )
    return CardFile(
        kind=CardKind.JPKI,
        name=name,
        atr=MY_NUMBER_CARD_ATR,
        files={
            FILE_AUTH_CERTIFICATE: issue(plan, load_private_key(key_pem.encode()).public_key()),
            FILE_AUTH_CA_CERTIFICATE: plan.issuer.certificate.public_bytes(Encoding.DER),
            FILE_TOKEN_INFO: _token_info(PLASTIC_CARD.label),
            FILE_AVAILABILITY: bytes.fromhex("8F8F00"),
        },
        auth_key=key_pem,
        pins={
            FILE_AUTH_PIN: CardPin(pin, PIN_TRIES),
            _FILE_SIGNATURE_PIN: CardPin("ABC123", SIGNATURE_PIN_TRIES),
        },
        fault=fault,
    )


def phone(cn: str, *, at: datetime, label: str = ANDROID_PHONE.label) -> CardFile:
    """The same application on a phone: its certificate is closed until the PIN."""
    card = make_card(cn, at=at, name="SIMULATED phone")
    files = {**card.files, FILE_TOKEN_INFO: _token_info(label)}
    return replace(card, files=files, closed=frozenset({FILE_AUTH_CERTIFICATE}))


def newer_card(cn: str, *, at: datetime) -> CardFile:
    """A card of a generation that nobody has described to us: P-384, and a label of its own."""
    card = make_card(cn, at=at, name="SIMULATED newer card")
    secret = int.from_bytes(hashlib.sha384(cn.encode()).digest()) >> 1
    key = ec.derive_private_key(secret, ec.SECP384R1())
    certificate = issue(plan_certificate(cn, Variant.GOOD, at=at), key.public_key())
    files = {
        **card.files,
        FILE_AUTH_CERTIFICATE: certificate,
        FILE_TOKEN_INFO: _token_info(_UNKNOWN_LABEL),
    }
    return replace(card, files=files, auth_key=None)


def copied_card(cn: str, *, at: datetime) -> CardFile:
    """Somebody's certificate on a card that has another key: it shows, and cannot sign for it."""
    card = make_card(cn, at=at, name="SIMULATED copied card")
    own = next(card_key(n) for n in range(CARD_KEYS) if card_key(n) != card.auth_key)
    return replace(card, auth_key=own)


def _token_info(label: str) -> bytes:
    """A CK_TOKEN_INFO of PKCS #11 with 4-byte numbers: 160 bytes, of which the label is read."""
    texts = ((label, 32), ("SIMULATED", 32), ("SIMULATED", 16), ("", 16))
    head = b"".join(text.encode("ascii").ljust(length) for text, length in texts)
    return head + bytes(160 - len(head))
