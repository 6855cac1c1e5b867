"""What the certificate on the card says: the view of 「自分の証明書」. No name, no birth date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mykey_tui.card.connection import CardConnection, CardReader
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.profile import CardProfile
from mykey_tui.domain.clock import Clock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedCertificateError, StatusError
from mykey_tui.domain.ids import MY_KEY_ID_LENGTH
from mykey_tui.domain.prefectures import MUNICIPALITY_CODE_LENGTH
from mykey_tui.domain.text import safe
from mykey_tui.flows.identify import CertificateJudge, with_card
from mykey_tui.flows.lookup import days_left
from mykey_tui.flows.outcomes import UNKNOWN_PROFILE, CardDetail, CardDetailOutcome, Stopped
from mykey_tui.flows.stopping import stopped_by
from mykey_tui.trust.certificate import AuthCertificate, parse_certificate


@dataclass(frozen=True, slots=True)
class CardDetailFlow:
    """Reads and explains; decides nothing and stores nothing."""

    reader: CardReader
    judge: CertificateJudge
    clock: Clock
    name_of: Callable[[str], str] = lambda code: ""
    """What a municipality's code is called; empty where that is not known."""

    def run(self) -> CardDetailOutcome:
        """The content of the card that lies there, also of one that is refused."""
        read = with_card(self.reader, _read)
        if isinstance(read, Stopped):
            return read
        der, profile = read
        try:
            certificate = parse_certificate(der)
        except MalformedCertificateError as error:
            return stopped_by(error)
        verdict = self.judge.judge(der)
        code = verdict.code if isinstance(verdict, Stopped) else None
        return self._detail(certificate, code, profile)

    def _detail(
        self, certificate: AuthCertificate, verdict: Code | None, profile: CardProfile | None
    ) -> CardDetail:
        # The CN of a refused certificate may be any text, so it is cut and cleaned, not parsed.
        terminal_code = certificate.cn_text[MY_KEY_ID_LENGTH:]
        return CardDetail(
            random_string=safe(certificate.cn_text[:MY_KEY_ID_LENGTH]),
            terminal_code=safe(terminal_code),
            municipality=self.name_of(terminal_code[:MUNICIPALITY_CODE_LENGTH]),
            municipality_code=safe(terminal_code[:MUNICIPALITY_CODE_LENGTH]),
            issuer=safe(certificate.issuer_text),
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            days_left=days_left(certificate.not_after, now=self.clock.now()),
            verdict=verdict,
            profile=UNKNOWN_PROFILE if profile is None else profile.name,
        )


def _read(connection: CardConnection) -> tuple[bytes, CardProfile | None]:
    applet = JpkiApplet(connection)
    applet.select()
    return applet.read_auth_certificate(), _profile(applet)


def _profile(applet: JpkiApplet) -> CardProfile | None:
    """What the application calls itself. One that has no such file is of an unknown kind, too."""
    try:
        return applet.profile()
    except StatusError:
        return None
