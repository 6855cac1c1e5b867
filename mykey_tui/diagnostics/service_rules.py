"""Rules of the card reading service: whether it runs, and whether it lets us in.

As below it: a reader in the service's list is proof that both are well.
"""

from __future__ import annotations

from collections.abc import Mapping

from mykey_tui.card.connection import ReaderState
from mykey_tui.diagnostics.box_rules import has_service
from mykey_tui.diagnostics.facts import JournalFacts, Reach
from mykey_tui.diagnostics.finding import NO_FACTS, Finding, State
from mykey_tui.diagnostics.known import Known, Rule
from mykey_tui.diagnostics.layer import Layer
from mykey_tui.domain.codes import Code

RESTARTS_NORMAL = 2
"""Ends of the service in the journal from which on people ask whether it is broken."""
_NO_JOURNAL = JournalFacts()


def service_hangs(known: Known) -> Finding | None:
    """The service was asked for its readers and has not answered."""
    reader = known.reader
    if reader.state is not ReaderState.STARTING or reader.trouble is not None:
        return None
    return Finding(Layer.DAEMON, State.UNKNOWN, Code.PCSC_HANGS)


def socket_not_in_the_container(known: Known) -> Finding | None:
    """Row 13."""
    box = known.box
    if box is None or not box.is_container or box.socket is not Reach.MISSING or known.has_reader:
        return None
    return Finding(Layer.DAEMON, State.FAULT, Code.PCSC_CONTAINER)


def service_not_installed(known: Known) -> Finding | None:
    """Row 1, where there is no pcscd at all."""
    box = known.box
    if box is None or has_service(box) or known.has_reader:
        return None
    return Finding(Layer.DAEMON, State.FAULT, Code.PCSC_MISSING, _distribution(known))


def two_services(known: Known) -> Finding | None:
    """Annex B "second pcscd". With a working reader it is worth a word only."""
    if known.box is None or len(known.box.services) < 2:  # one is as it should be
        return None
    state = State.NOTE if known.has_reader else State.FAULT
    return Finding(Layer.DAEMON, state, Code.PCSC_TWO, {"places": ", ".join(known.box.services)})


def versions_differ(known: Known) -> Finding | None:
    """Annex B "version mismatch"."""
    if known.has_reader or not (known.journal or _NO_JOURNAL).versions_differ:
        return None
    return Finding(Layer.DAEMON, State.FAULT, Code.PCSC_VERSION)


def service_stopped(known: Known) -> Finding | None:
    """Row 1 and Annex B "service absent/stopped": nobody listens, or nobody answers."""
    box = known.box
    if known.has_reader or _is_turned_away(known):
        return None
    is_silent = box is not None and box.socket in (Reach.MISSING, Reach.REFUSED)
    if is_silent or known.reader.state is ReaderState.NO_SERVICE:
        return Finding(Layer.DAEMON, State.FAULT, Code.READER_NO_SERVICE)
    return None


def service_comes_and_goes(known: Known) -> Finding | None:
    """Row 8: it ends when nobody uses it. Normal, and people worry."""
    if not known.has_reader or (known.journal or _NO_JOURNAL).ends < RESTARTS_NORMAL:
        return None
    return Finding(Layer.DAEMON, State.NOTE, Code.PCSC_ON_DEMAND)


def socket_closed_to_us(known: Known) -> Finding | None:
    """The file's mode keeps this user out, before polkit is asked."""
    box = known.box
    if box is None or box.socket is not Reach.DENIED or known.has_reader:
        return None
    return Finding(Layer.PERMISSION, State.FAULT, Code.PCSC_SOCKET, {"mode": box.socket_mode})


def process_hidden(known: Known) -> Finding | None:
    """Row 2, hidepid: polkit is asked about a process that nobody can see."""
    if known.box is None or not known.box.hides_processes or not _is_turned_away(known):
        return None
    return Finding(Layer.PERMISSION, State.FAULT, Code.PCSC_HIDDEN)


def turned_away(known: Known) -> Finding | None:
    """Row 2 and Annex B "not allowed"."""
    if not _is_turned_away(known):
        return None
    return Finding(Layer.PERMISSION, State.FAULT, Code.READER_DENIED)


RULES: Mapping[Layer, tuple[Rule, ...]] = {
    Layer.DAEMON: (
        two_services,
        socket_not_in_the_container,
        service_not_installed,
        versions_differ,
        service_stopped,
        service_hangs,
        service_comes_and_goes,
    ),
    Layer.PERMISSION: (socket_closed_to_us, process_hidden, turned_away),
}
"""The first that finds something speaks for its layer."""


def _distribution(known: Known) -> Mapping[str, str]:
    return NO_FACTS if known.box is None else {"distribution": known.box.distribution}


def _is_turned_away(known: Known) -> bool:
    """The service is there and does not let us in.

    It says so, or the journal does. Without a journal an open socket that leads nowhere, on a host
    whose pcscd asks polkit and has no rule for us, is taken for the same: the older libraries
    report "no service" there.
    """
    box, state = known.box, known.reader.state
    if state is ReaderState.DENIED:
        return True
    if box is None or known.has_reader:
        return False
    if box.socket is Reach.DENIED:
        return True
    if state is not ReaderState.NO_SERVICE or box.socket is not Reach.OPEN:
        return False
    if known.journal is None:
        return box.asks_polkit and not box.has_polkit_rule
    return known.journal.denied or known.journal.process_hidden
