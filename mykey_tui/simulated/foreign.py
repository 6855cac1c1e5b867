"""Everything that is not a good My Number Card: wrong certificates, and cards of another kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from enum import Enum, unique

from mykey_tui.reader.card_file import CardFile, CardKind
from mykey_tui.simulated.ca import forger, generation, generation_in_office, other_ca
from mykey_tui.simulated.issue import CertificatePlan

JST = timezone(timedelta(hours=9), "JST")
DAYS_LEFT = 1500
"""A good sample certificate has about four years left."""
ISSUED_DAYS_AGO = 30

_LIFE_DAYS = 5 * 365
_WRONG_POLICY = "2.999.1.20"

DRIVING_LICENCE_ATR = bytes.fromhex("3B888001000000009181C100D8")
FELICA_ATR = bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042")
MIFARE_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")


@unique
class Variant(Enum):
    """What is wrong with a sample certificate. Each one fails another check of `trust.chain`."""

    GOOD = "good"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_ISSUER = "wrong-issuer"
    FORGED = "forged"
    """The test CA's name, and a key of the forger's."""
    WRONG_KEY_USAGE = "wrong-key-usage"
    WRONG_POLICY = "wrong-policy"
    CN_OF_WRONG_LENGTH = "cn-of-wrong-length"


def plan_certificate(
    cn: str,
    variant: Variant,
    *,
    at: datetime,
    days_left: int = DAYS_LEFT,
    ca_generation: int | None = None,
) -> CertificatePlan:
    """What the certificate of `variant` says when it is looked at on the day of `at`.

    Whole days in Japan, like the real ones, so that the same day gives the same certificate.
    `ca_generation` is the newest in office where it is None; `days_left` is for good dates only.
    """
    today = at.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
    begin, days = today - timedelta(days=ISSUED_DAYS_AGO), ISSUED_DAYS_AGO + days_left
    if variant is Variant.EXPIRED:
        begin, days = today - timedelta(days=_LIFE_DAYS), _LIFE_DAYS - 2
    elif variant is Variant.NOT_YET_VALID:
        begin, days = today + timedelta(days=30), _LIFE_DAYS
    issuer = generation_in_office(begin) if ca_generation is None else generation(ca_generation)
    plan = CertificatePlan(
        cn=cn,
        issuer=issuer,
        names_issuer=issuer,
        not_before=begin,
        not_after=begin + timedelta(days=days + 1, seconds=-1),
    )
    match variant:
        case Variant.WRONG_ISSUER:
            return replace(plan, issuer=other_ca(), names_issuer=other_ca())
        case Variant.FORGED:
            return replace(plan, issuer=forger())
        case Variant.WRONG_KEY_USAGE:
            return replace(plan, content_commitment=True)
        case Variant.WRONG_POLICY:
            return replace(plan, policy=_WRONG_POLICY)
        case Variant.CN_OF_WRONG_LENGTH:
            return replace(plan, cn=cn[:-1])
        case Variant.GOOD | Variant.EXPIRED | Variant.NOT_YET_VALID:
            return plan


def driving_licence() -> CardFile:
    """A card with a processor and no JPKI application; its ATR begins like a My Number Card's."""
    return CardFile(kind=CardKind.ISO, name="SIMULATED driving licence", atr=DRIVING_LICENCE_ATR)


def felica_card(uid: bytes = bytes.fromhex("012E4CD8A3F10B22")) -> CardFile:
    """A FeliCa point card: 8 bytes of IDm."""
    return CardFile(
        kind=CardKind.STORAGE, name="SIMULATED FeliCa point card", atr=FELICA_ATR, uid=uid
    )


def mifare_card(uid: bytes = bytes.fromhex("04A1B2C3D4E5F6")) -> CardFile:
    """A MIFARE point card: 7 bytes of UID."""
    return CardFile(
        kind=CardKind.STORAGE, name="SIMULATED MIFARE point card", atr=MIFARE_ATR, uid=uid
    )
