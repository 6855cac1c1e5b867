"""Reconciling by a stick (持ち運び): the queue goes out in one file, the answers come back in one.

The export holds the same requests as the line would carry; the reply holds what the server answered
to them, and to all that a round asks besides. Taking a reply in is a round over `sync.stick`. Lost
sticks, old ones, the same one twice and swapped ones do no harm: mutations have numbers, rows have
seqs, and what a reply brings is as old as the reply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from secrets import token_bytes
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.identity import Identity
from mykey_tui.store.progress import Progress
from mykey_tui.store.queueing import Settled
from mykey_tui.sync.client import ServerClient
from mykey_tui.sync.plan import ENVELOPE_BYTES
from mykey_tui.sync.round import LOCK_WAIT_SECONDS, locked_round
from mykey_tui.sync.standing import recover_requests
from mykey_tui.sync.stick import StickLine, decoded
from mykey_tui.sync.stick_news import is_newer, moment_of
from mykey_tui.sync.stick_verdicts import settle_carried
from mykey_tui.wire.bundle import (
    INCARNATIONS_MAX,
    Answer,
    Ask,
    BundleError,
    BundleHeader,
    BundleReader,
    BundleWriter,
    ExportStart,
    ForeignBundleError,
    Place,
    ReplyStart,
    read_header,
    reply_key_of,
)
from mykey_tui.wire.messages import (
    BODY_BYTES_MAX,
    PUSH_ITEMS_MAX,
    PushRequest,
    to_msgpack,
)
from mykey_tui.wire.succession import follow

_ID_LENGTH = 16
_PUSH: Final = "POST /v1/push"
_RECOVER: Final = "POST /v1/recover"
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into an export."""

    mutations: int


@dataclass(slots=True)
class Imported:
    """What a reply brought."""

    applied: int = 0
    already: int = 0
    conflicts: int = 0
    invalid: int = 0
    news: bool = False
    """Rows and suspensions as of `made_at` were taken in; False where newer ones are here."""
    made_at: datetime | None = None

    def count(self, settled: Settled) -> None:
        """Add what one push reply did."""
        self.applied += settled.applied
        self.already += settled.already
        self.conflicts += settled.conflicts
        self.invalid += settled.invalid


def export_bundle(store: CounterStore, file: BinaryIO) -> Exported:
    """Write all that waits, and where this counter stands. Changes nothing; may be done again.

    Raises:
        BundleError: more than one file may hold.
        ServerError: SERVER_DENIED at an enrolment that does not know the server's signature: it
            could not believe the reply.
    """
    identity, known, server = store.identity, store.progress(), store.believed()
    if server.server_key is None:
        raise ServerError(Code.SERVER_DENIED, "enrolled before the server signed")
    writer = BundleWriter(
        file,
        BundleHeader("export", token_bytes(_ID_LENGTH), str(identity.device_id)),
        seal_to=X25519PublicKey.from_public_bytes(server.seal_key),
        sign_with=Ed25519PrivateKey.from_private_bytes(identity.device_key),
    )
    writer.add(_start_of(store, known))
    count = 0
    if known.recover_due:
        # As on the line: nothing is sent before it is known what became of the numbers.
        for question in recover_requests(store):
            writer.add(Ask(_RECOVER, to_msgpack(question)))
    else:
        for request in _pushes(store, known):
            writer.add(Ask(_PUSH, to_msgpack(request)))
            count += len(request.items)
    writer.finish()
    return Exported(count)


def _start_of(store: CounterStore, known: Progress) -> ExportStart:
    present, suspensions = store.incarnation(), store.suspension_head()
    earlier = [each for each in store.journal_incarnations() if each != present]
    return ExportStart(
        reply_key=reply_key_of(store.identity.device_key).public_key().public_bytes_raw(),
        scope=store.identity.scope,
        incarnations=[present, *earlier][:INCARNATIONS_MAX],
        last_number=known.last_number,
        cursor=known.cursor,
        whole=known.position is None or known.position.seq != known.cursor,
        position=known.position,
        mark=known.mark,
        suspension_seq=0 if suspensions is None else suspensions.seq,
        believes=store.believed().fingerprint,
    )


def _pushes(store: CounterStore, known: Progress) -> Iterator[PushRequest]:
    """The queue as pushes: what waits, then what is parked, each in its order."""
    for parked in (False, True):
        first = 1
        while batch := store.next_batch(
            first=first,
            items_max=PUSH_ITEMS_MAX,
            bytes_max=BODY_BYTES_MAX - ENVELOPE_BYTES,
            parked=parked,
        ):
            first = batch.mids[-1] + 1
            yield PushRequest(
                device=str(store.identity.device_id),
                incarnation=batch.incarnation,
                scope=store.identity.scope,
                base=known.position,
                mark=known.mark,
                items=list(batch.items),
            )


def import_bundle(store: CounterStore, file: BinaryIO) -> Imported:
    """Take a reply in: verdicts first, then a round over what it carries.

    Raises:
        BundleError, ForeignBundleError: not this counter's, or damaged. Nothing was changed.
        ServerError: SERVER_DENIED at an enrolment that does not know the server's signature; what
            else a round raises, `RetiredError` too. What was settled before stays.
        StoreError: the counter's own file.
    """
    reader = _reply_of(store, file)
    start, answers = _read(reader)
    result = Imported(made_at=datetime.fromtimestamp(start.made_at, UTC))
    line = StickLine(reader, answers())
    # The lock over all of it: a round on the line in between would make this reply an older one.
    with store.home.syncing(LOCK_WAIT_SECONDS):
        _forget_what_is_safe(store, line)
        for _, answer in answers():
            if answer.request == _PUSH and answer.status == 200:
                result.count(settle_carried(store, answer))
        moment = moment_of(store, start.made_at)
        if is_newer(store, line, start.made_at, moment):
            _round(store, line, moment)
            result.news = store.progress().synced_at == moment
            store.note_time(start.made_at)
    return result


def _reply_of(store: CounterStore, file: BinaryIO) -> BundleReader:
    """The reply, signed with the key that is believed, or with one that its header leads to.

    Only a file that is sound as a whole makes the counter take newer keys over.
    """
    identity, signed_by = store.identity, store.believed().server_key
    header = read_header(file)
    if header.kind != "reply" or header.device != str(identity.device_id):
        raise ForeignBundleError("another counter's, or no reply")
    if signed_by is None:
        raise ServerError(Code.SERVER_DENIED, "enrolled before the server signed")
    newest = follow(header.successions, known=signed_by)
    if newest is not None:
        signed_by = newest.server_key
    reader = BundleReader(
        file,
        signed_by=Ed25519PublicKey.from_public_bytes(signed_by),
        open_with=[reply_key_of(identity.device_key)],
    )
    reader.check_all()
    store.take_over(signed_by, header.successions)
    return reader


def _read(reader: BundleReader) -> tuple[ReplyStart, Callable[[], Iterator[tuple[Place, Answer]]]]:
    """The start, and the answers as often as they are wanted. Every one is looked at now."""
    _, first = next(reader.messages(), (None, b""))
    start = decoded(first, ReplyStart)
    if not 0 < start.made_at < _LATEST:
        raise BundleError("a time that makes no sense")

    def answers() -> Iterator[tuple[Place, Answer]]:
        for place, content in islice(reader.messages(), 1, None):
            yield place, decoded(content, Answer)

    for _ in answers():
        pass
    return start, answers


def _forget_what_is_safe(store: CounterStore, line: StickLine) -> None:
    """As a round on the line: the journal lets go of what a verified backup of the server holds.

    Only where the server compared the very places that are here now, hence before any verdict.
    """
    known = store.progress()
    if known.position is None or known.mark is None:
        return
    durable = line.durable_through(store.identity.scope, pos=known.position, mark=known.mark)
    if known.durable_through < durable:
        store.note_durable(min(durable, known.mark.seq))


def _round(store: CounterStore, line: StickLine, moment: int) -> None:
    """A round at the moment when the reply was made: its rows are as old as that, not as today."""
    with (
        closing(
            CounterStore.open(store.home, clock=_AsOf(datetime.fromtimestamp(moment, UTC)))
        ) as then,
        # Its clock follows the server's time of that moment, which is nobody's time now.
        closing(_client_of(then.identity, line)) as client,
    ):
        try:
            locked_round(then, client)
        except LineError:
            return  # what was queued since the export is not on the stick; it goes with the next


def _client_of(identity: Identity, line: StickLine) -> ServerClient:
    # What the stick does not hold it will not hold the next moment either.
    return ServerClient(identity, SystemClock(), transport=line, again_after_seconds=())


class _AsOf:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        """That moment."""
        return self._moment

    def monotonic(self) -> float:
        """The process's own."""
        return time.monotonic()
