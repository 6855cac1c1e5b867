"""The PIN: ask how many tries are left, and turn an identified card into an authenticated one.

What people fear of card readers is here: no VERIFY without a key press, never two for one, none of
another length, none for the last try unless somebody typed a word for it. A card that is taken away
is "taken away", and no wrong PIN.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from mykey_tui.card.connection import CardConnection, CardReader
from mykey_tui.card.jpki import JpkiApplet, sha256_digest_info
from mykey_tui.card.pin_pad import find_pin_pad
from mykey_tui.domain.assurance import Assurance
from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.identify import CertificateJudge, with_card
from mykey_tui.flows.outcomes import IdentifiedCard, PinWanted, Stopped
from mykey_tui.flows.pin_entry import PinGiven
from mykey_tui.trust.possession import new_challenge, signed_by

PURPOSE_LOOKUP = b"lookup"
PURPOSE_UNLINK = b"unlink"


def purpose_of_link(service_id: ServiceId) -> bytes:
    """What a signature for this link is for: it cannot be another one's."""
    return b"link\0" + service_id.text.encode()


def ask_tries(reader: CardReader, card: IdentifiedCard) -> PinWanted | Stopped:
    """How many tries the card that lies there has left; costs none.

    C-PHONE or C-NEXT for a card that must not be sent a PIN.
    """

    def look(connection: CardConnection) -> PinWanted:
        applet = JpkiApplet(connection)
        applet.select()
        applet.require_known_card()
        on_reader = find_pin_pad(connection) is not None
        return PinWanted(card, applet.pin_tries_left(), on_reader=on_reader)

    return with_card(reader, look)


def authenticate(
    reader: CardReader,
    judge: CertificateJudge,
    card: IdentifiedCard,
    given: PinGiven,
    purpose: bytes,
) -> IdentifiedCard | Stopped:
    """Compare the card, send the PIN once, let the card sign, check the signature.

    All in one session, so that no other program comes between PIN and signature; every driver
    resets the card at its end, so that none signs after us. The digits are gone when this returns.

    Returns:
        The card as read now, authenticated; or why not: C-SWAP, C-PINWRONG (with `count`),
        C-PINLAST, C-PINLOCK, C-PIN, C-PROOF, or what reading it can meet.
    """
    challenge = new_challenge(purpose)
    try:
        signed = with_card(
            reader, lambda connection: _sign(connection, judge, card, given, challenge)
        )
    finally:
        given.forget()
    if isinstance(signed, Stopped):
        return signed
    again, signature = signed
    if not signed_by(again.der, challenge, signature):
        return Stopped(Code.CARD_NOT_PROVEN)
    return replace(again, assurance=Assurance.AUTHENTICATED)


def _sign(
    connection: CardConnection,
    judge: CertificateJudge,
    card: IdentifiedCard,
    given: PinGiven,
    challenge: bytes,
) -> tuple[IdentifiedCard, bytes] | Stopped:
    """The card's half: certificate, PIN, signature. Raises `CardError`."""
    applet = JpkiApplet(connection)
    applet.select()
    applet.require_known_card()
    again = judge.judge(applet.read_auth_certificate())
    if isinstance(again, Stopped):
        return again
    if not again.same_card(card):
        return Stopped(Code.CARD_SWAPPED)
    stopped = _verify(connection, applet, given)
    if stopped is not None:
        return stopped
    return again, applet.sign(sha256_digest_info(hashlib.sha256(challenge).digest()))


def _verify(connection: CardConnection, applet: JpkiApplet, given: PinGiven) -> Stopped | None:
    """Send it, or let the reader; None when the card accepted it."""
    if given.entry is None:
        pad = find_pin_pad(connection)
        if pad is None:
            return Stopped(Code.KEYPAD_NONE)
        applet.verify_on_reader(pad, allow_last_try=given.allow_last_try)
        return None
    if not given.entry.complete:
        return Stopped(Code.PIN_NEEDED)
    applet.verify_pin(given.entry.take(), allow_last_try=given.allow_last_try)
    return None
