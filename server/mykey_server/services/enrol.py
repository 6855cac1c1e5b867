"""Enrolment of a counter by a one-time code that an operator hands out.

A code has 10 characters of Crockford's base32. The first four find its row, the other six (30
bits) are the secret, kept as a keyed hash: so wrong guesses can be counted against the code that
they are aimed at, and five of them end it.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from mykey_server.services.site import Keys, Provider, Site, find_provider
from mykey_server.tables.terminal import (
    TERMINAL_ACTIVE,
    EnrolmentCodeTable,
    TerminalTable,
)
from mykey_tui.domain.text import safe
from mykey_tui.domain.tokens import same_secret
from mykey_tui.wire.messages import EnrolReply, EnrolRequest
from mykey_tui.wire.problems import ProblemType

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U, so that a code read aloud is typed right."""
CODE_LENGTH = 10
PREFIX_LENGTH = 4
WRONG_TRIES_MAX = 5
CODE_LIFETIME = timedelta(minutes=15)
CODE_LIFETIME_MAX = timedelta(days=7)
NAME_LENGTH_MAX = 64
PREFIX_DRAWS_MAX = 32
"""A million prefixes and a handful of living codes: the first draw is nearly always free."""

_READ_AS = str.maketrans("ILO", "110", "- ")


def make_code(
    connection: Connection,
    site: Site,
    *,
    scope: str,
    now: datetime,
    lifetime: timedelta,
    place: str | None = None,
) -> tuple[str, datetime]:
    """Draw a code for a counter of this provider at this place; return it with its last moment.

    Codes whose time is over are forgotten here.
    """
    connection.execute(
        delete(EnrolmentCodeTable).where(col(EnrolmentCodeTable.expires_at) < now.timestamp())
    )
    living = set(connection.execute(select(col(EnrolmentCodeTable.prefix))).scalars())
    for _ in range(PREFIX_DRAWS_MAX):
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        if code[:PREFIX_LENGTH] not in living:
            break
    else:
        raise RuntimeError("no free prefix for an enrolment code")
    expires_at = now.replace(microsecond=0) + lifetime
    connection.execute(
        insert(EnrolmentCodeTable).values(
            prefix=code[:PREFIX_LENGTH],
            secret_tag=_secret_tag(site, code),
            scope=scope,
            expires_at=int(expires_at.timestamp()),
            wrong_tries=0,
            device_id=None,
            site=None if place is None else safe(place, NAME_LENGTH_MAX),
        )
    )
    return code, expires_at


def redeem(
    connection: Connection, site: Site, request: EnrolRequest, *, now: datetime
) -> EnrolReply | ProblemType:
    """Enrol the counter, or count the wrong try and say why not.

    Returned and not raised, because the count of wrong tries must be committed. The same code
    with the same key gives the same reply while the code lives: a reply can be lost.
    """
    code = request.code.upper().translate(_READ_AS)
    name = safe(request.name, NAME_LENGTH_MAX)
    if len(code) != CODE_LENGTH or set(code) - set(ALPHABET) or not _is_usable(request.public_key):
        return ProblemType.CODE_REFUSED
    # Locked: of two counters with one code at one moment, the second finds it used.
    row = connection.execute(
        select(
            col(EnrolmentCodeTable.secret_tag),
            col(EnrolmentCodeTable.scope),
            col(EnrolmentCodeTable.expires_at),
            col(EnrolmentCodeTable.wrong_tries),
            col(EnrolmentCodeTable.device_id),
            col(EnrolmentCodeTable.site),
        )
        .where(col(EnrolmentCodeTable.prefix) == code[:PREFIX_LENGTH])
        .with_for_update()
    ).one_or_none()
    if row is None or row.expires_at < now.timestamp():
        return ProblemType.CODE_REFUSED
    if row.wrong_tries >= WRONG_TRIES_MAX:
        return ProblemType.TOO_MANY_TRIES
    if not same_secret(row.secret_tag, _secret_tag(site, code)):
        _count_wrong_try(connection, code)
        return ProblemType.CODE_REFUSED
    device_id = row.device_id
    if device_id is None:
        device_id = str(uuid.uuid4())
        connection.execute(
            insert(TerminalTable).values(
                device_id=device_id,
                scope=row.scope,
                name=name,
                public_key=request.public_key,
                status=TERMINAL_ACTIVE,
                site=row.site,
            )
        )
        _note_used(connection, code, device_id)
    elif not _is_same_counter(connection, device_id, request.public_key):
        return ProblemType.CODE_REFUSED
    provider = find_provider(connection, row.scope)
    return _reply(site.keys(connection), provider, device_id, now)


def _note_used(connection: Connection, code: str, device_id: str) -> None:
    connection.execute(
        update(EnrolmentCodeTable)
        .where(col(EnrolmentCodeTable.prefix) == code[:PREFIX_LENGTH])
        .values(device_id=device_id)
    )


def _is_same_counter(connection: Connection, device_id: str, public_key: bytes) -> bool:
    """The counter that used the code, with its own key and still enrolled, asks again."""
    row = connection.execute(
        select(col(TerminalTable.public_key), col(TerminalTable.status)).where(
            col(TerminalTable.device_id) == device_id
        )
    ).one()
    return row.status == TERMINAL_ACTIVE and same_secret(row.public_key, public_key)


def _count_wrong_try(connection: Connection, code: str) -> None:
    connection.execute(
        update(EnrolmentCodeTable)
        .where(col(EnrolmentCodeTable.prefix) == code[:PREFIX_LENGTH])
        .values(wrong_tries=EnrolmentCodeTable.wrong_tries + 1)
    )


def _secret_tag(site: Site, code: str) -> bytes:
    return site.tag(b"enrolment" + code.encode("ascii"))


def _is_usable(public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _reply(keys: Keys, provider: Provider, device_id: str, now: datetime) -> EnrolReply:
    return EnrolReply(
        device_id=device_id,
        provider_id=provider.provider_id,
        provider_name=provider.name,
        scope=provider.scope,
        provider_key=provider.lookup_key,
        digest_key=provider.digest_key,
        seal_key=keys.seal_public_key,
        service_id_format=provider.service_id_format.text,
        server_time=now.astimezone(UTC).isoformat(),
        profile=provider.profile,
        server_key=keys.server_key,
    )
