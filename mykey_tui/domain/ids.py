"""The identifiers, each with a type of its own and checked once, at the door.

Every length and alphabet of an identifier stands here and nowhere else. What a card gives is the
23-character subject CN of the user-authentication certificate: 14 characters of MyKey ID and 9 of
reception terminal code (concept paper, 「マイキーIDと登録の方向性」).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NewType
from uuid import UUID

from mykey_tui.domain.errors import MalformedIdError

MY_KEY_ID_LENGTH = 14
TERMINAL_CODE_LENGTH = 9
SUBJECT_CN_LENGTH = MY_KEY_ID_LENGTH + TERMINAL_CODE_LENGTH
PROVIDER_ID_LENGTH_MAX = 64

_UPPER_ALPHANUMERIC = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_GREEK_NAMES = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu",
    "ν": "nu", "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")

DeviceId = NewType("DeviceId", UUID)
"""One enrolled counter: drawn by the server at enrolment, bound to one provider and one key."""

Incarnation = NewType("Incarnation", bytes)
"""16 random bytes drawn when the counter's database file is made: tells a cloned disk apart."""

LookupToken = NewType("LookupToken", bytes)
"""16 bytes: the only form in which a MyKey ID rests at a counter. See `domain.tokens`."""

Binding = NewType("Binding", bytes)
"""8 bytes: ties a chosen MyKey ID to the certificate it was completed with."""


def _check_upper_alphanumeric(text: str, length: int, what: str) -> str:
    if len(text) == length and _UPPER_ALPHANUMERIC.issuperset(text):
        return text
    for position, character in enumerate(text[:length], start=1):
        if character not in _UPPER_ALPHANUMERIC:
            raise MalformedIdError(what, position=position)
    raise MalformedIdError(what, position=min(len(text), length) + 1)


class _Redacted:
    """Keeps an identifier of a person out of tracebacks and logs: `repr` never shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, repr=False)
class MyKeyId(_Redacted):
    """14 characters A-Z 0-9 that the resident may say aloud; never stored at a counter."""

    text: str

    @classmethod
    def parse(cls, text: str) -> MyKeyId:
        """Check `text`. Raises `MalformedIdError` with the position of the wrong character."""
        return cls(_check_upper_alphanumeric(text, MY_KEY_ID_LENGTH, "MyKey ID"))


@dataclass(frozen=True, slots=True, repr=False)
class TerminalCode(_Redacted):
    """受付端末識別記号: 9 characters; the first five are the municipality's code."""

    text: str

    @classmethod
    def parse(cls, text: str) -> TerminalCode:
        """Check `text`. Raises `MalformedIdError` with the position of the wrong character."""
        return cls(_check_upper_alphanumeric(text, TERMINAL_CODE_LENGTH, "reception terminal code"))

    @property
    def municipality(self) -> str:
        """The 5-digit 全国地方公共団体コード; a judgement from samples, see the card view."""
        return self.text[:5]


@dataclass(frozen=True, slots=True, repr=False)
class SubjectCn(_Redacted):
    """The certificate's subject CN, split: 14 + 9 characters with no separator."""

    my_key_id: MyKeyId
    terminal_code: TerminalCode

    @classmethod
    def parse(cls, text: str) -> SubjectCn:
        """Split and check 23 characters. Raises `MalformedIdError`."""
        _check_upper_alphanumeric(text, SUBJECT_CN_LENGTH, "subject CN")
        return cls(MyKeyId(text[:MY_KEY_ID_LENGTH]), TerminalCode(text[MY_KEY_ID_LENGTH:]))

    @property
    def text(self) -> str:
        """The 23 characters again."""
        return self.my_key_id.text + self.terminal_code.text


@dataclass(frozen=True, slots=True)
class ProviderId:
    """サービス提供ID, for example `A-α1-0001`: NFC text, compared after NFKC.

    Its length is not fixed by the concept paper; at most 64 characters here.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> ProviderId:
        """Normalise and check. Raises `MalformedIdError` with the position."""
        normal = unicodedata.normalize("NFKC", text.strip())
        if not normal or len(normal) > PROVIDER_ID_LENGTH_MAX:
            raise MalformedIdError("service provider ID", position=len(normal[:64]) + 1)
        for position, character in enumerate(normal, start=1):
            if character != "-" and not character.isalnum():
                raise MalformedIdError("service provider ID", position=position)
        if not _ALIAS.fullmatch(_ascii(normal)):
            raise MalformedIdError("service provider ID", position=1)
        return cls(normal)

    @property
    def alias(self) -> str:
        """ASCII form for file names, URLs and consoles: `A-alpha1-0001`."""
        return _ascii(self.text)


def _ascii(text: str) -> str:
    return "".join(_GREEK_NAMES.get(character.lower(), character) for character in text)


@dataclass(frozen=True, slots=True, repr=False)
class ServiceId(_Redacted):
    """A member number of one provider: opaque text, already checked against a format."""

    text: str

    @property
    def masked(self) -> str:
        """All but the last four characters hidden; at least half of a short one is hidden."""
        shown = min(4, len(self.text) // 2)
        return "*" * (len(self.text) - shown) + self.text[len(self.text) - shown :]

    def masked_beside(self, other: ServiceId) -> str:
        """`masked`, for a person who has to tell the two apart.

        Where both would look the same, the characters in which they differ are shown too.
        """
        if self.masked != other.masked:
            return self.masked
        return "".join(
            own if own != theirs else mark
            for own, theirs, mark in zip(self.text, other.text, self.masked, strict=True)
        )

    @property
    def last(self) -> str:
        """Enough for people to know their own number: the last two characters, at most half of it."""
        shown = min(2, len(self.text) // 2)
        return self.text[len(self.text) - shown :]


@dataclass(frozen=True, slots=True, repr=False)
class CertificateRef(_Redacted):
    """What identifies a certificate: issuer DER and serial, never a hash of the whole DER.

    (The outer signature's encoding is malleable, so two DERs can be one certificate.)
    """

    issuer_der: bytes
    serial: int
