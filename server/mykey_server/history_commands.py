"""The commands that change or keep the history: suspensions, renewal, compaction, backups."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from mykey_server.database import UNIQUE_VIOLATION, reading, write
from mykey_server.services import admin, backups
from mykey_server.services.compaction import compact
from mykey_server.services.feeds import LINKS, SUSPENSIONS
from mykey_server.services.renewal import renew
from mykey_server.services.site import find_provider
from mykey_server.services.suspensions import set_many_suspended, set_suspended
from mykey_tui.domain.ids import MyKeyId, ProviderId, SubjectCn, TerminalCode
from mykey_tui.wire.messages import SUSPENSION_PREFIX, Staleness

_HOUR = 3600


def provider_set(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`provider set`: how old a provider's rows may be at its counters; unnamed parts stay."""
    provider_id = ProviderId.parse(parsed.provider_id)
    with reading(engine) as connection:
        scope = admin.require_scope(connection, provider_id)
        now = find_provider(connection, scope).staleness
    staleness = Staleness(
        green_s=parsed.green_hours * _HOUR if parsed.green_hours else now.green_s,
        refuse_s=parsed.refuse_hours * _HOUR if parsed.refuse_hours else now.refuse_s,
        lookups_max=parsed.lookups or now.lookups_max,
    )
    write(engine, lambda connection: admin.set_staleness(connection, scope, staleness))
    return {
        "alias": scope,
        "green_hours": staleness.green_s / _HOUR,
        "refuse_hours": staleness.refuse_s / _HOUR,
        "lookups": staleness.lookups_max,
    }


def suspend(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`suspend` and `resume`: one MyKey ID, everywhere."""
    suspended = parsed.command == "suspend"
    cn = SubjectCn(MyKeyId.parse(parsed.mykey_id), TerminalCode.parse(parsed.terminal_code))
    moved = write(engine, lambda connection: set_suspended(connection, cn, suspended=suspended))
    return {"status": "suspended" if suspended else "active", "moved": moved}


def suspend_list(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`suspend-list` and `resume-list`: a file with one CN of 23 characters a line.

    The whole file is read through first: a line that is none stops it before anything is done.
    """
    suspended = parsed.command == "suspend-list"
    for _ in _cns(parsed.file):
        pass
    known, unknown = set_many_suspended(engine, _cns(parsed.file), suspended=suspended)
    return {"status": "suspended" if suspended else "active", "set": known, "unknown": unknown}


def renew_one(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`renew`: carry the links of one CN over to another."""
    old, new = SubjectCn.parse(parsed.old_cn), SubjectCn.parse(parsed.new_cn)
    # Unique: a counter may register the new card at this moment.
    moved = write(
        engine, lambda connection: renew(connection, old, new), retry_also=UNIQUE_VIOLATION
    )
    return {"moved": moved}


def compact_scope(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`compact`: forget what lies below a seq of one scope."""
    alias = parsed.scope.removeprefix(SUSPENSION_PREFIX)
    feed = LINKS if alias == parsed.scope else SUSPENSIONS
    with reading(engine) as connection:
        scope = admin.require_scope(connection, ProviderId.parse(alias))
    return asdict(compact(engine, feed, scope, below=parsed.below))


def backup_begin(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`backup begin`: write down how far each scope has come, before the copy is made."""
    del parsed
    name = backups.draw_name(datetime.now(UTC))
    return {"name": name, "seqs": write(engine, lambda c: backups.begin(c, name))}


def backup_confirm(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`backup confirm`: the copy was opened, checked and taken away."""
    reached = write(engine, lambda connection: backups.confirm(connection, parsed.name))
    return {"durable_through": reached}


def backup_make(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401 - any JSON
    """`backup make`: of SQLite, all in one."""
    return backups.make_copy(engine, parsed.file)


def _cns(path: Path) -> Iterator[SubjectCn]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip():
                yield SubjectCn.parse(line.strip())
