"""The JPKI application of the My Number Card (公的個人認証AP), the only one that we ever select.

What is read here needs no PIN and proves nothing: a certificate is public, and a small emulator
can replay it. The card is *identified*. Only PIN and a signature over a challenge would
*authenticate* it.
"""

from __future__ import annotations

from mykey_tui.card import allow_list, status_word
from mykey_tui.card.apdu import CommandApdu
from mykey_tui.card.connection import CardConnection
from mykey_tui.card.iso7816 import FILE_LENGTH_MAX, CardSession
from mykey_tui.card.pin_pad import PinPad
from mykey_tui.card.profile import PLASTIC_CARD, CardProfile, Family, profile_of
from mykey_tui.card.status_word import StatusWord
from mykey_tui.card.storage import is_storage_card
from mykey_tui.card.tlv import SEQUENCE_TAG, parse_head
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    MalformedIdError,
    MalformedResponseError,
    PinError,
    PinNotSentError,
    StatusError,
    WrongCardError,
)
from mykey_tui.domain.text import safe

SIGNATURE_LENGTH = 256
"""RSA-2048."""
TRIES_LEFT_MIN = 2
"""With fewer tries than this the PIN is kept back: a blocked one costs a visit to the city hall."""
_TOKEN_LABEL_LENGTH = 32
_HEAD_LENGTH = 4
_SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
_HASH_LENGTH = 32
_NO_APPLICATION = frozenset({0x6A81, 0x6A82, 0x6A86, 0x6A87, 0x6D00, 0x6E00})
"""How cards that are no My Number Card turn the SELECT down: a driving licence says 6A82."""


class JpkiApplet:
    """The application's files and key, over a connection that nobody else uses meanwhile.

    `layout` says where they lie; every application of the table has them where the plastic card
    does, and another place would have to stand in the allow-list too.
    """

    def __init__(self, connection: CardConnection, layout: CardProfile = PLASTIC_CARD) -> None:
        self._session = CardSession(connection)
        self._layout = layout

    def select(self) -> None:
        """Select the application by its full name; the ATR never decides.

        Raises:
            WrongCardError: C-POINT for a storage card (nothing is sent to it), C-OTHER for a card
                without this application.
            StatusError, TransmissionError, MalformedResponseError.
        """
        if is_storage_card(self._session.atr):
            raise WrongCardError(Code.CARD_IS_POINT_CARD)
        response = self._session.select_application(self._layout.aid)
        if response.sw.value in _NO_APPLICATION:
            raise WrongCardError(Code.CARD_NOT_JPKI)
        if not response.sw.is_ok:
            raise StatusError("SELECT JPKI", response.sw.value)

    def read_auth_certificate(self) -> bytes:
        """The user-authentication certificate as the card holds it: one DER SEQUENCE, unjudged.

        Cut to its own length, at most 7FFF bytes; the file may hold filler behind it.

        The application's label is asked for only where the card refuses: it would cost every tap
        two commands more.

        Raises:
            WrongCardError: C-PHONE where a phone wants its PIN first; C-NEXT where an application
                of unknown kind does, or has no such file.
            MalformedResponseError: no SEQUENCE, or a length that the file does not hold.
            StatusError, TransmissionError.
        """
        try:
            self._session.select_file(self._layout.certificate_file)
            head = self._session.read_binary(offset=0, length=_HEAD_LENGTH)
            return head + self._read_rest(head)
        except StatusError as error:
            code = self._why_closed(error.status_word)
            if code is None:
                raise
            raise WrongCardError(code) from error

    def token_label(self) -> str:
        """What the application calls itself, for example `JPKIAPICCTOKEN2`; safe to show."""
        self._session.select_file(allow_list.FILE_TOKEN_INFO)
        label = self._session.read_binary(offset=0, length=_TOKEN_LABEL_LENGTH)
        return safe(label.decode("ascii", errors="replace").rstrip("\0 "), _TOKEN_LABEL_LENGTH)

    def profile(self) -> CardProfile | None:
        """What the application is, by its label; None where the table does not know it."""
        return profile_of(self.token_label())

    def require_known_card(self) -> CardProfile:
        """The profile of a card that may be sent a PIN.

        Raises:
            WrongCardError: C-PHONE for a phone; C-NEXT for an application of unknown kind: where
                its PIN lies and how many digits it has would be a guess.
            StatusError, TransmissionError, MalformedResponseError.
        """
        profile = self.profile()
        if profile is None:
            raise WrongCardError(Code.CARD_UNKNOWN_KIND)
        if profile.family is Family.PHONE:
            raise WrongCardError(Code.CARD_IS_PHONE)
        return profile

    def pin_tries_left(self) -> int | None:
        """Tries left for the authentication PIN, 0 where it is blocked; costs no try.

        None where the card does not tell: it answers 9000 after a PIN was accepted.
        """
        self._session.select_file(self._layout.pin_file)
        sw = self._session.send(CommandApdu(ins=0x20, p2=0x80)).sw
        if sw.is_ok:
            return None
        if sw.tries_left is None:
            raise StatusError("VERIFY (empty)", sw.value)
        return sw.tries_left

    def verify_pin(self, pin: str, *, allow_last_try: bool = False) -> None:
        """Send the PIN, once. The session's end must reset the card; every driver's does.

        Raises:
            MalformedIdError: not four ASCII digits; nothing was sent.
            PinNotSentError: fewer than two tries left, or the card does not tell; nothing was
                sent. `allow_last_try` overrides this, but for a PIN that is blocked already.
            PinError: the card refused it.
            StatusError, TransmissionError, MalformedResponseError.
        """
        for position in range(allow_list.PIN_LENGTH):
            if pin[position : position + 1] not in tuple("0123456789"):
                raise MalformedIdError("PIN", position=position + 1)
        if len(pin) != allow_list.PIN_LENGTH:
            raise MalformedIdError("PIN", position=allow_list.PIN_LENGTH + 1)
        self._keep_the_last_try(allow_last_try=allow_last_try)
        command = CommandApdu(ins=0x20, p2=0x80, data=pin.encode("ascii"))
        _require_verified(self._session.send(command).sw)

    def verify_on_reader(self, pad: PinPad, *, allow_last_try: bool = False) -> None:
        """Let the resident type the PIN on the reader's own keys; it is sent once.

        Raises:
            PinNotGivenError: nobody typed it; nothing was sent.
            PinNotSentError, PinError, StatusError, TransmissionError, MalformedResponseError: as
                `verify_pin`.
        """
        self._keep_the_last_try(allow_last_try=allow_last_try)
        _require_verified(pad.verify())

    def sign(self, digest_info: bytes) -> bytes:
        """Sign a SHA-256 DigestInfo (see `sha256_digest_info`) with the authentication key.

        Returns:
            256 bytes, RSASSA-PKCS1-v1_5.

        Raises:
            StatusError: 6982 without a PIN before it.
            MalformedResponseError: an answer of another length.
            TransmissionError.
        """
        if len(digest_info) != allow_list.DIGEST_INFO_LENGTH:
            raise ValueError(f"a DigestInfo of SHA-256 has {allow_list.DIGEST_INFO_LENGTH} bytes")
        self._session.select_file(self._layout.key_file)
        response = self._session.send(
            CommandApdu(cla=0x80, ins=0x2A, p2=0x80, data=digest_info, le=256)
        )
        if not response.sw.is_ok:
            raise StatusError("COMPUTE DIGITAL SIGNATURE", response.sw.value)
        if len(response.data) != SIGNATURE_LENGTH:
            raise MalformedResponseError(f"a signature of {len(response.data)} bytes")
        return response.data

    def _keep_the_last_try(self, *, allow_last_try: bool) -> None:
        """Select the PIN's file and look; leaves it selected for the VERIFY that follows."""
        tries_left = self.pin_tries_left()
        if tries_left is None:  # Not told: it may be the last one.
            tries_left = 1
        if tries_left < TRIES_LEFT_MIN and not (tries_left and allow_last_try):
            raise PinNotSentError(tries_left)

    def _why_closed(self, status: int) -> Code | None:
        """Which kind of card keeps its certificate from us; None where the kind explains nothing."""
        if status not in (status_word.NOT_VERIFIED.value, status_word.NOT_FOUND.value):
            return None
        try:
            label = self.token_label()
        except StatusError:
            label = ""  # As a phone does that closes this file, too.
        profile = profile_of(label)
        if status == status_word.NOT_FOUND.value:
            return Code.CARD_UNKNOWN_KIND if label and profile is None else None
        is_phone = not label or (profile is not None and profile.family is Family.PHONE)
        return Code.CARD_IS_PHONE if is_phone else Code.CARD_UNKNOWN_KIND

    def _read_rest(self, head: bytes) -> bytes:
        """What follows the first four bytes of the certificate, by the length that they state."""
        parsed = parse_head(head)
        if parsed.tag != SEQUENCE_TAG or parsed.total_length <= _HEAD_LENGTH:
            raise MalformedResponseError("the file holds no certificate")
        if parsed.total_length > FILE_LENGTH_MAX:
            raise MalformedResponseError("a certificate longer than a file can be")
        length = parsed.total_length - len(head)
        rest = self._session.read_binary(offset=len(head), length=length)
        if len(rest) != length:
            raise MalformedResponseError("the file ends before its certificate does")
        return rest


def _require_verified(sw: StatusWord) -> None:
    if sw.tries_left is not None:
        raise PinError(sw.tries_left)
    if not sw.is_ok:
        raise StatusError("VERIFY", sw.value)


def sha256_digest_info(digest: bytes) -> bytes:
    """DigestInfo (RFC 8017, 9.2) of a SHA-256 hash: what the card pads and signs, 51 bytes."""
    if len(digest) != _HASH_LENGTH:
        raise ValueError(f"a SHA-256 hash has {_HASH_LENGTH} bytes")
    return _SHA256_DIGEST_INFO + digest
