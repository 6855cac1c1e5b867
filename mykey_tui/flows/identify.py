"""Read the certificate of the card that lies there, and judge it: identified, without a PIN.

Identified is not authenticated: whoever read a certificate once can show it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, assert_never

from mykey_tui.card.connection import CardConnection, CardReader
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.profile import KEY_DESCRIPTIONS
from mykey_tui.domain.clock import Clock, japanese_date
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import CardError, ReaderError
from mykey_tui.domain.verdict import Accepted, Refused, Undecided
from mykey_tui.flows.outcomes import IdentifiedCard, Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.flows.timings import Timings
from mykey_tui.trust.anchors import Anchors
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.trust.chain import judge

T = TypeVar("T")


def with_card(reader: CardReader, work: Callable[[CardConnection], T]) -> T | Stopped:
    """Do `work` inside one session, so that no other program comes between its commands."""
    try:
        with reader.session() as connection:
            return work(connection)
    except (CardError, ReaderError) as error:
        return stopped_by(error)


def read_certificate(connection: CardConnection) -> bytes:
    """The auth certificate's DER. Raises `CardError`."""
    applet = JpkiApplet(connection)
    applet.select()
    return applet.read_auth_certificate()


@dataclass(frozen=True, slots=True)
class CertificateJudge:
    """Believes a certificate or says why not. `anchors` and the clock are the only other facts."""

    anchors: Anchors
    clock: Clock

    def judge(self, der: bytes) -> IdentifiedCard | Stopped:
        """Match every verdict; C-EXPIRED carries `date` as yyyy-mm-dd.

        C-NEXT for a good certificate over a kind of key that no known card has: what else is
        different about such a card is not known either.
        """
        verdict = judge(der, self.anchors, at=self.clock.now())
        match verdict:
            case Accepted(cn=cn, certificate=certificate, not_after=not_after):
                parsed = parse_certificate(der)
                if parsed.key_description not in KEY_DESCRIPTIONS:
                    return Stopped(Code.CARD_UNKNOWN_KIND)
                return IdentifiedCard(
                    cn=cn,
                    certificate=certificate,
                    tbs_digest=parsed.tbs_digest,
                    der=der,
                    not_after=not_after,
                )
            case Refused(reason=reason, not_after=ended):
                if ended is None:
                    return Stopped(reason)
                return Stopped(reason, {"date": japanese_date(ended)})
            case Undecided(reason=reason):
                return Stopped(reason)
            case _:
                assert_never(verdict)


def identify(
    reader: CardReader, certificate_judge: CertificateJudge, timings: Timings
) -> IdentifiedCard | Stopped:
    """One reading: the card's certificate, judged. Never raises for what a card or reader does."""
    with timings.measure("card"):
        der = with_card(reader, read_certificate)
    if isinstance(der, Stopped):
        return der
    with timings.measure("verify"):
        return certificate_judge.judge(der)
