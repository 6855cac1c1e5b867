"""Mutations that wait for a decision, and what must wait behind them.

A counter's acts count in its own order where they are about one person or one service ID: a link
that is decided late must not undo the unlink that followed it. So whatever touches the token or
the service ID of a held mutation is held too, and is decided after it.

Kept of each are two keyed tags, of its token and of its service ID, for as long as it waits: the
same words give the same tag within one counter's file and nowhere else, and without the server's
key a tag says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, bindparam, delete, insert, or_, select
from sqlmodel import col

from mykey_server.services.holdings import Holdings
from mykey_server.services.site import Site
from mykey_server.tables.base import table_of
from mykey_server.tables.terminal import HeldTable
from mykey_tui.domain.ids import LookupToken
from mykey_tui.wire.messages import Origin, PushItem, PushRequest


class HeldItems:
    """The held mutations that can concern one batch, moving with each decision."""

    def __init__(self, site: Site, request: PushRequest) -> None:
        self._site = site
        self._where = {"device": request.device, "incarnation": request.incarnation}
        self._prefix = request.device.encode() + request.incarnation
        self._mids: dict[bytes, set[int]] = {}
        """Of each tag, the numbers that wait."""
        self._stored: set[int] = set()
        self._now: dict[int, PushItem] = {}
        """The batch's own items that wait after it."""

    @classmethod
    def read(
        cls, connection: Connection, site: Site, request: PushRequest, holdings: Holdings
    ) -> HeldItems:
        """What waits already and touches what this batch touches."""
        held = cls(site, request)
        # Nearly always nothing waits: then no tag is computed for the whole batch.
        if connection.execute(_ANY, held._where).first() is None:
            return held
        found = connection.execute(
            _TOUCHING,
            held._where
            | {
                "tokens": list(
                    {
                        held._token_tag(token)
                        for token in (*holdings.rows, *(item.token for item in request.items))
                    }
                ),
                "sids": list(
                    {
                        held._sid_tag(sid)
                        for sid in (*holdings.owners, *(item.sid for item in request.items))
                    }
                ),
            },
        )
        for mid, token_tag, sid_tag in found:
            held._stored.add(mid)
            held._put(mid, token_tag, sid_tag)
        return held

    def stand_before(self, item: PushItem, holdings: Holdings) -> bool:
        """Whether an earlier mutation that touches the same waits still."""
        return bool(self._mids) and any(
            min(mids) < item.mid
            for tag in self._touched(item, holdings)
            if (mids := self._mids.get(tag))
        )

    def hold(self, item: PushItem) -> None:
        """Let an item wait from now on."""
        self._now[item.mid] = item
        self._put(item.mid, self._token_tag(item.token), self._sid_tag(item.sid))

    def release(self, item: PushItem) -> None:
        """An item is decided, and holds nothing up any more."""
        if not self._mids:
            return
        for tag in (self._token_tag(item.token), self._sid_tag(item.sid)):
            self._mids.get(tag, set()).discard(item.mid)

    def write(self, connection: Connection, decided: Iterable[int]) -> None:
        """Store what began to wait, and forget the numbers that were `decided` in this batch."""
        gone = [mid for mid in decided if mid in self._stored]
        if gone:
            connection.execute(_DELETE, self._where | {"mids": gone})
        new = [item for mid, item in self._now.items() if mid not in self._stored]
        if new:
            connection.execute(
                _INSERT,
                [
                    {
                        "device_id": self._where["device"],
                        "incarnation": self._where["incarnation"],
                        "mid": item.mid,
                        "token_tag": self._token_tag(item.token),
                        "sid_tag": self._sid_tag(item.sid),
                    }
                    for item in new
                ],
            )

    def forget(self, connection: Connection, origins: Iterable[Origin]) -> None:
        """Old numbers wait no more: what they held came again under new ones."""
        for origin in origins:
            where = self._where | {"incarnation": origin.incarnation}
            connection.execute(_DELETE, where | {"mids": [origin.mid]})

    def _touched(self, item: PushItem, holdings: Holdings) -> Iterator[bytes]:
        yield self._token_tag(item.token)
        if item.sid:
            yield self._sid_tag(item.sid)
            owner = holdings.owner_of(item.sid)
            if owner is not None:  # An unlink that waits for its turn will free this service ID.
                yield self._token_tag(owner.row.token)
        row = holdings.rows.get(LookupToken(item.token))
        if row is not None and row.is_live:
            yield self._sid_tag(row.row.service_id.text)

    def _put(self, mid: int, token_tag: bytes, sid_tag: bytes) -> None:
        self._mids.setdefault(token_tag, set()).add(mid)
        self._mids.setdefault(sid_tag, set()).add(mid)

    def _token_tag(self, token: bytes) -> bytes:
        return self._site.tag(b"held-token" + self._prefix + token)

    def _sid_tag(self, sid: str) -> bytes:
        return self._site.tag(b"held-sid" + self._prefix + sid.encode())


_OF_COUNTER = (
    col(HeldTable.device_id) == bindparam("device"),
    col(HeldTable.incarnation) == bindparam("incarnation"),
)
_TOUCHING = select(col(HeldTable.mid), col(HeldTable.token_tag), col(HeldTable.sid_tag)).where(
    *_OF_COUNTER,
    or_(
        col(HeldTable.token_tag).in_(bindparam("tokens", expanding=True)),
        col(HeldTable.sid_tag).in_(bindparam("sids", expanding=True)),
    ),
)
_ANY = select(col(HeldTable.mid)).where(*_OF_COUNTER).limit(1)
_DELETE = delete(table_of(HeldTable)).where(
    *_OF_COUNTER, col(HeldTable.mid).in_(bindparam("mids", expanding=True))
)
_INSERT = insert(table_of(HeldTable))
