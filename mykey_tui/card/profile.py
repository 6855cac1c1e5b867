"""What the application on a card calls itself, and what we know of it: a table, asked by label.

The ATR never decides: a reader makes it up, a driving licence has the same beginning, and cards are
handed out with new ones. An application that answers to our SELECT says its own name in EF 0006.

A label that is not in the table is an application nobody has described to us: a newer batch of
cards, the next generation, a phone of another make. Where its certificate can be read, is of the
known kind and stands every check, it is taken: a new label alone must not turn a whole batch away.
A certificate with another kind of key is refused (C-NEXT), and a PIN is never sent to an unknown
application, because a wrong guess about its files costs the resident a try.
Sources of the labels: the published readers of these cards; the iPhone's has not been seen at a
PC/SC reader yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import assert_never

from mykey_tui.card.allow_list import (
    FILE_AUTH_CERTIFICATE,
    FILE_AUTH_KEY,
    FILE_AUTH_PIN,
    JPKI_AID,
    PIN_LENGTH,
)

TABLE_VERSION = 1
"""Goes up with each change of `PROFILES`, and stands in the evidence sheet."""


@unique
class Family(Enum):
    """What a person holds in the hand."""

    CARD = "card"
    PHONE = "phone"


@unique
class Algorithm(Enum):
    """How the authentication key signs, and what it is given."""

    RSA_2048_SHA_256 = "rsa-2048-sha-256"
    """51 bytes of DigestInfo in, 256 bytes of RSASSA-PKCS1-v1_5 out."""

    @property
    def key_description(self) -> str:
        """The key in the certificate of such a card, as `trust.certificate` describes it."""
        match self:
            case Algorithm.RSA_2048_SHA_256:
                return "RSA 2048"
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardProfile:
    """One known application. `name` is stable; the catalogue has words for it."""

    name: str
    family: Family
    label: str
    pin_to_read: bool
    """Whether the certificate is closed until the PIN."""
    aid: bytes = JPKI_AID
    certificate_file: int = FILE_AUTH_CERTIFICATE
    key_file: int = FILE_AUTH_KEY
    pin_file: int = FILE_AUTH_PIN
    pin_length: int = PIN_LENGTH
    algorithm: Algorithm = Algorithm.RSA_2048_SHA_256


PLASTIC_CARD = CardProfile(
    name="card-2016", family=Family.CARD, label="JPKIAPICCTOKEN2", pin_to_read=False
)
ANDROID_PHONE = CardProfile(
    name="phone-android", family=Family.PHONE, label="JPKIAPGPSETOKEN", pin_to_read=True
)
IPHONE = CardProfile(
    name="phone-ios", family=Family.PHONE, label="JPKIAPIOSTOKEN", pin_to_read=True
)
PROFILES = (PLASTIC_CARD, ANDROID_PHONE, IPHONE)

KEY_DESCRIPTIONS = frozenset(profile.algorithm.key_description for profile in PROFILES)
"""The kinds of certificate that some known card has."""

_BY_LABEL = {profile.label: profile for profile in PROFILES}


def profile_of(label: str) -> CardProfile | None:
    """The row of the application with exactly this label; None for one that we do not know."""
    return _BY_LABEL.get(label)
