"""The store's download: the server's rows as they come in, and how far this counter has come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from mykey_tui.store import ageing, links, progress, verdicts
from mykey_tui.store.base import StoreBase
from mykey_tui.store.engine import reading, writing
from mykey_tui.store.progress import Progress
from mykey_tui.wire.messages import Row, ScopeHead


class Pulling(StoreBase):
    """The part of `CounterStore` that takes the server's rows in."""

    def progress(self) -> Progress:
        """How far this counter is."""
        with reading(self._engine) as connection:
            return progress.read(connection)

    def apply_page(self, rows: Iterable[Row], *, epoch: str, cursor: int, refused: int = 0) -> int:
        """Take rows in and move the cursor, in one transaction. Returns how many were bad.

        A bad row (see `links.sort_out`) never stops the others. `refused` are those that the
        reader of the page had already found bad.
        """
        sound, bad = links.sort_out(rows)
        refused += bad
        with writing(self._engine) as connection:
            known = progress.read(connection)
            tally = progress.start_tally(connection)
            take = links.put_new if known.position is None else links.put
            take(connection, self.identity.digest_key, tally, sound)
            progress.save_tally(connection, tally, refused=refused)
            progress.change(connection, epoch=epoch, cursor=max(known.cursor, cursor))
        return refused

    def finish_pull(self, head: ScopeHead, *, epoch: str, renew_age: bool = True) -> bool:
        """The last page is in: compare digests, and move the position when they are equal.

        The age of the revocation data starts anew either way: every change was received. Not so with
        `renew_age` false, where the list of suspensions could not be believed.
        """
        with writing(self._engine) as connection:
            known = progress.read(connection)
            same = (known.cursor, known.digest) == (head.seq, head.digest)
            if same:
                progress.change(connection, position_seq=head.seq, position_digest=head.digest)
            progress.change(connection, epoch=epoch)
            if renew_age:
                ageing.start_anew(connection, wall=self._clock.now(), boot=self._boot_time())
            # In effect at the server, and the pull has now brought what the reply did not show.
            verdicts.drop_settled_effects(connection)
        return same

    def note_durable(self, seq: int) -> None:
        """A verified backup of the server holds everything up to `seq`: the journal may forget it."""
        with writing(self._engine) as connection:
            progress.change(connection, durable_through=seq)
            verdicts.prune(connection, durable_through=seq)

    def require_recovery(self) -> None:
        """This file came back from a copy: nothing is sent before its numbers are drawn anew.

        Also not after a restart. The queue stays as it is meanwhile.
        """
        with writing(self._engine) as connection:
            progress.change(connection, recover_due=1)

    def save_clock_offset(self, offset: timedelta) -> None:
        """Remember the offset for the next start."""
        with writing(self._engine) as connection:
            progress.change(connection, clock_offset_ms=round(offset / timedelta(milliseconds=1)))
