"""Changing the server's own keys while it runs: drawn, put into a backup, then told to counters.

A counter that took over a key believes no older one, and seals to it what it queues. So a key that
was told to one counter must never be lost with a disk: it is told only when a confirmed backup has
it. The signature that hands over is the same however often it is made; a server that came back from
that backup therefore takes up the very keys that its counters know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update
from sqlmodel import col

from mykey_server.services.admin import AdminRefusedError
from mykey_server.services.site import draw_key_state
from mykey_server.tables.site import FormerSealTable, NextKeyTable, SiteTable, SuccessionTable
from mykey_server.tables.terminal import TERMINAL_RETIRED, HeldTable, TerminalTable
from mykey_tui.wire.succession import fingerprint, succeed

FORMER_MAX = 8
"""Each costs 56 µs for every seal that no newer key opens."""


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """A signing key and a key for seals: private, 32 bytes each."""

    sign_key: bytes
    seal_key: bytes

    @property
    def public(self) -> dict[str, bytes]:
        """What counters are told of them."""
        sign_key = Ed25519PrivateKey.from_private_bytes(self.sign_key)
        seal_key = X25519PrivateKey.from_private_bytes(self.seal_key)
        return {
            "server_key": sign_key.public_key().public_bytes_raw(),
            "seal_key": seal_key.public_key().public_bytes_raw(),
        }


def draw_pair() -> Pair:
    """A new pair, stored nowhere yet."""
    return Pair(
        Ed25519PrivateKey.generate().private_bytes_raw(),
        X25519PrivateKey.generate().private_bytes_raw(),
    )


def keep_drawn(connection: Connection, pair: Pair) -> int:
    """Keep a pair to change to, and return its number. One that was drawn before stays."""
    _lock(connection)
    waiting = connection.execute(select(col(NextKeyTable.number))).scalar_one_or_none()
    if waiting is not None:
        return waiting
    number = present_number(connection) + 1
    connection.execute(
        insert(NextKeyTable).values(
            number=number, seal_key=pair.seal_key, sign_key=pair.sign_key, backup=None, safe=False
        )
    )
    _change(connection)
    return number


def drawn_number(connection: Connection) -> int:
    """The number of the pair that was drawn. Raises `AdminRefusedError` where none was."""
    number = connection.execute(select(col(NextKeyTable.number))).scalar_one_or_none()
    if number is None:
        raise AdminRefusedError("no-keys-drawn", "draw the next keys first: keys draw")
    return number


def rotate(connection: Connection, number: int, *, anyway: bool) -> None:
    """Change to the drawn pair of this number; nothing is done where that has happened already.

    From this commit on the new key signs, counters are told of it, and the former key of seals stays.

    Raises:
        AdminRefusedError: no confirmed backup has the pair; too many former keys; without `anyway`,
            counters that have not said that they can follow.
    """
    present = _lock(connection)
    if present_number(connection) >= number:
        return
    drawn = connection.execute(_NEXT).one()
    _refuse_rotation(connection, safe=drawn.safe, anyway=anyway)
    now, after = Pair(present.sign_key, present.seal_key), Pair(drawn.sign_key, drawn.seal_key)
    link = succeed(Ed25519PrivateKey.from_private_bytes(now.sign_key), **after.public)
    connection.execute(
        insert(SuccessionTable).values(
            number=number,
            server_key=link.server_key,
            seal_key=link.seal_key,
            signature=link.signature,
        )
    )
    connection.execute(
        insert(FormerSealTable).values(
            number=number - 1, seal_key=now.seal_key, fingerprint=fingerprint(**now.public)
        )
    )
    connection.execute(delete(NextKeyTable))
    _change(connection, seal_key=after.seal_key, sign_key=after.sign_key)


def _refuse_rotation(connection: Connection, *, safe: bool, anyway: bool) -> None:
    if not safe:
        raise AdminRefusedError(
            "not-in-a-backup", "make a backup since they were drawn, and confirm it, first"
        )
    if connection.execute(select(func.count()).select_from(FormerSealTable)).scalar_one() >= (
        FORMER_MAX
    ):
        raise AdminRefusedError("too-many-keys", f"{FORMER_MAX} former keys: drop the oldest first")
    silent = connection.execute(_counters().where(col(TerminalTable.believes).is_(None)))
    if (count := silent.scalar_one()) and not anyway:
        raise AdminRefusedError(
            "counters-cannot-follow",
            f"{count} counters have not said which keys they believe: an older program, or not "
            "heard since (terminal list). After the change they refuse suspensions",
        )


def require_former(connection: Connection, number: int) -> None:
    """Raises `AdminRefusedError` unless this is a former key that is kept."""
    found = select(col(FormerSealTable.number)).where(col(FormerSealTable.number) == number)
    if connection.execute(found).first() is None:
        raise AdminRefusedError("key-unknown", "no former key of this number is kept")


def drop(connection: Connection, number: int, *, anyway: bool) -> None:
    """Destroy a former key of seals; nothing is done where that has happened already.

    Raises:
        AdminRefusedError: without `anyway`, where something sealed to it may still come: a mutation
            waits for a decision, or a counter has not said that it believes newer keys.
    """
    _lock(connection)
    if not anyway:
        _refuse_loss(connection, number)
    connection.execute(delete(FormerSealTable).where(col(FormerSealTable.number) == number))
    _change(connection)


def _refuse_loss(connection: Connection, number: int) -> None:
    lost = "what is sealed to it and not decided yet could be opened by nobody"
    held = connection.execute(
        select(func.count())
        .select_from(HeldTable)
        .join(TerminalTable, col(TerminalTable.device_id) == col(HeldTable.device_id))
        .where(col(TerminalTable.status) != TERMINAL_RETIRED)
    ).scalar_one()
    if held:
        raise AdminRefusedError("held-waits", f"{held} mutations wait for a decision: {lost}")
    newer = [name for other, name in names(connection).items() if other > number]
    behind = connection.execute(
        _counters().where(
            or_(
                col(TerminalTable.believes).is_(None),
                col(TerminalTable.believes).not_in(newer),
            )
        )
    ).scalar_one()
    if behind:
        raise AdminRefusedError(
            "counters-behind", f"{behind} counters have not taken newer keys over: {lost}"
        )


def describe(connection: Connection) -> dict[str, Any]:
    """All keys by number, with how many counters believe each. No private byte."""
    known = names(connection)
    kept = set(connection.execute(select(col(FormerSealTable.number))).scalars())
    believed = connection.execute(
        select(col(TerminalTable.believes), func.count())
        .where(col(TerminalTable.status) != TERMINAL_RETIRED)
        .group_by(col(TerminalTable.believes))
    )
    counters = {row[0]: row[1] for row in believed}
    present = present_number(connection)
    drawn = connection.execute(_NEXT).one_or_none()

    def entry(number: int) -> dict[str, Any]:
        name = known[number]
        return {"number": number, "fingerprint": name, "counters": counters.pop(name, 0)}

    return {
        "present": entry(present),
        "former": [entry(number) for number in sorted(kept, reverse=True)],
        "drawn": None if drawn is None else {"number": drawn.number, "in_backup": drawn.safe},
        # Of an older program, not heard since, or with keys that are not kept any more.
        "other_counters": sum(counters.values()),
    }


def names(connection: Connection) -> dict[int, str]:
    """The fingerprint of each pair whose keys are known, by number."""
    site = _present(connection)
    return {
        **{
            row.number: row.fingerprint
            for row in connection.execute(
                select(col(FormerSealTable.number), col(FormerSealTable.fingerprint))
            )
        },
        present_number(connection): fingerprint(**Pair(site.sign_key, site.seal_key).public),
    }


def present_number(connection: Connection) -> int:
    """The number of the pair in use: 1 until it was changed."""
    newest = connection.execute(select(func.max(col(SuccessionTable.number)))).scalar()
    return newest or 1


def note_begun(connection: Connection, backup: str) -> None:
    """A backup that begins now will have the pair that was drawn."""
    connection.execute(
        update(NextKeyTable).where(col(NextKeyTable.safe).is_(False)).values(backup=backup)
    )


def note_confirmed(connection: Connection, backup: str) -> None:
    """That backup is good: counters may be told of what is in it."""
    connection.execute(
        update(NextKeyTable).where(col(NextKeyTable.backup) == backup).values(safe=True)
    )


def _present(connection: Connection) -> Row[bytes, bytes]:
    return connection.execute(_PRESENT).one()


def _lock(connection: Connection) -> Row[bytes, bytes]:
    """The present keys, for a transaction that changes some alone."""
    if connection.dialect.name == "sqlite":
        # What is deleted would stay in the page: https://sqlite.org/pragma.html#pragma_secure_delete
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    return connection.execute(_PRESENT.with_for_update()).one()


def _change(connection: Connection, **keys: bytes) -> None:
    """Write keys, and tell every process that they are not the same any more."""
    connection.execute(
        update(SiteTable)
        .where(col(SiteTable.number) == 1)
        .values(key_state=draw_key_state(), **keys)
    )


def _counters() -> Any:  # noqa: ANN401 - the statement's own type says less than its words
    return (
        select(func.count())
        .select_from(TerminalTable)
        .where(col(TerminalTable.status) != TERMINAL_RETIRED)
    )


_PRESENT = select(col(SiteTable.sign_key), col(SiteTable.seal_key))
_NEXT = select(
    col(NextKeyTable.number),
    col(NextKeyTable.sign_key),
    col(NextKeyTable.seal_key),
    col(NextKeyTable.safe),
)
