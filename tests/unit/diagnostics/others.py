"""What is in neither fault table: the rules that name it, and facts that bring them to speak."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics import box_rules, card_rules, counter_rules, service_rules
from mykey_tui.diagnostics.facts import (
    BoxFacts,
    HandOverFacts,
    LineFacts,
    Reach,
    ReaderFacts,
    Stage,
    StoreFacts,
    TrustFacts,
)
from mykey_tui.diagnostics.finding import State
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.domain.codes import Code

QUIET = ReaderFacts(state=ReaderState.NO_READER, ended=True)
READY = ReaderFacts(state=ReaderState.READY, reader="R", ended=True, card_laid=True)


@dataclass(frozen=True)
class Other:
    rule: Rule
    speaks: Known
    code: Code | None
    silent: Known
    """The same box, well."""
    state: State = State.FAULT


def known(
    *,
    box: BoxFacts | None = None,
    reader: ReaderFacts = READY,
    trust: TrustFacts | None = None,
    store: StoreFacts | None = None,
    line: LineFacts | None = None,
    handover: HandOverFacts | None = None,
) -> Known:
    return Known(box, None, reader, trust, store, line, handover)


OTHERS = (
    Other(
        box_rules.reader_in_a_container,
        known(box=BoxFacts(is_container=True), reader=QUIET),
        None,
        known(box=BoxFacts(), reader=QUIET),
        State.SKIPPED,
    ),
    Other(
        service_rules.socket_closed_to_us,
        known(box=BoxFacts(socket=Reach.DENIED, socket_mode="0600"), reader=QUIET),
        Code.PCSC_SOCKET,
        known(box=BoxFacts(socket=Reach.OPEN), reader=QUIET),
    ),
    Other(
        card_rules.reader_of_another_name,
        known(
            reader=ReaderFacts(
                state=ReaderState.NO_READER, ended=True, wanted="RC-S300", other="ACR1252"
            )
        ),
        Code.READER_NAME,
        known(),
    ),
    Other(
        card_rules.card_hangs,
        known(reader=ReaderFacts(state=ReaderState.READY, stage=Stage.APPLICATION)),
        Code.CARD_SLOW,
        known(),
        State.UNKNOWN,
    ),
    Other(
        card_rules.anchors_unusable,
        known(trust=TrustFacts(trouble=Code.TRUST_NO_ANCHORS)),
        Code.TRUST_NO_ANCHORS,
        known(trust=TrustFacts(anchors=3)),
    ),
    Other(
        card_rules.issuer_in_trouble,
        known(reader=ReaderFacts(trouble=Code.CERTIFICATE_FORGED, ended=True)),
        Code.CERTIFICATE_FORGED,
        known(),
    ),
    Other(
        counter_rules.clock_impossible,
        known(store=StoreFacts(clock_doubt=True)),
        Code.TRUST_CLOCK,
        known(store=StoreFacts()),
    ),
    Other(
        counter_rules.not_enrolled,
        known(store=StoreFacts(trouble=Code.STORE_NONE)),
        Code.STORE_NONE,
        known(store=StoreFacts()),
        State.NOTE,
    ),
    Other(
        counter_rules.store_in_trouble,
        known(store=StoreFacts(trouble=Code.STORE_CORRUPT)),
        Code.STORE_CORRUPT,
        known(store=StoreFacts(trouble=Code.STORE_NONE)),
    ),
    Other(
        counter_rules.line_in_trouble,
        known(line=LineFacts(trouble=Code.SERVER_TLS)),
        Code.SERVER_TLS,
        known(line=LineFacts(trouble=Code.SERVER_DENIED)),
    ),
    Other(
        counter_rules.server_in_trouble,
        known(line=LineFacts(trouble=Code.SERVER_DENIED)),
        Code.SERVER_DENIED,
        known(line=LineFacts(trouble=Code.LINE_DOWN)),
    ),
    Other(
        counter_rules.till_in_trouble,
        known(handover=HandOverFacts("file", Code.HANDOVER_FILE, "ENOENT")),
        Code.HANDOVER_FILE,
        known(handover=HandOverFacts("file")),
    ),
)
