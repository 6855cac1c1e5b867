"""The commands behind `mykey-server`: open the file, do one thing, print JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mykey_server import history_commands as history
from mykey_server import key_commands as own_keys
from mykey_server.cli import settings_of
from mykey_server.database import (
    UNIQUE_VIOLATION,
    DatabaseError,
    is_lost,
    open_database,
    reading,
    write,
)
from mykey_server.migrations import HEAD, migrate, prepare
from mykey_server.services import admin, selfcheck
from mykey_server.services.enrol import make_code
from mykey_server.services.history import renew_epoch
from mykey_server.services.site import open_site
from mykey_server.tables.terminal import TERMINAL_ACTIVE, TERMINAL_RETIRED
from mykey_tui.domain.errors import AnchorsError, MalformedIdError
from mykey_tui.domain.ids import ProviderId
from mykey_tui.domain.service_id import ServiceIdFormat

DONE, REFUSED, USAGE, COULD_NOT = 0, 1, 2, 3


def run_command(parsed: argparse.Namespace) -> int:
    """Do what was asked and return the exit code; each refusal is printed as JSON too."""
    try:
        if parsed.command == "serve":
            _serve(parsed)
        if parsed.command in _ALONE:
            _print(_ALONE[parsed.command](parsed))
            return DONE
        return _with_database(parsed)
    except admin.AdminRefusedError as error:
        _print({"refused": error.reason, "text": error.text})
        return REFUSED
    except MalformedIdError as error:
        _print({"refused": "malformed", "text": str(error)})
        return REFUSED
    except (DatabaseError, AnchorsError, OSError) as error:
        _print({"failed": type(error).__name__, "text": str(error)})
        return COULD_NOT
    except DBAPIError as error:
        # Its text carries no values (hide_parameters), but may carry SQL; the kind is enough. That
        # of a line that could not be made names the host and the role: what the operator needs.
        text = str(error.orig).strip() if is_lost(error) else type(error.orig).__name__
        _print({"failed": "database", "text": text})
        return COULD_NOT


def _serve(parsed: argparse.Namespace) -> NoReturn:
    from mykey_server.serve import serve  # noqa: PLC0415 - the other commands need no web server

    host, port = parsed.listen
    serve(settings_of(parsed), host=host, port=port)
    # Everything is written and closed. granian's own threads may still be winding down, and one
    # that meets an interpreter being taken apart aborts the process (seen about once in six stops).
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(DONE)


def _tls(parsed: argparse.Namespace) -> dict[str, Any]:
    from mykey_server.tls_commands import run_tls  # noqa: PLC0415 - certificates, for these alone

    return run_tls(parsed)


def _pin(parsed: argparse.Namespace) -> dict[str, str]:
    """What to read out beside a code; nothing where no folder was named."""
    if parsed.tls is None:
        return {}
    from mykey_server.tls_commands import pin_of_folder  # noqa: PLC0415 - as above

    return {"pin": pin_of_folder(parsed.tls)}


def _bundle_import(parsed: argparse.Namespace) -> dict[str, Any]:
    from mykey_server.bundle import carry  # noqa: PLC0415 - the application, as for `serve`

    carried = carry(settings_of(parsed), parsed.file, parsed.reply)
    return {
        "device_id": carried.device_id,
        "mutations": carried.mutations,
        "decided": carried.verdicts,
        "reply": str(parsed.reply),
    }


def _with_database(parsed: argparse.Namespace) -> int:
    engine = open_database(parsed.db)
    try:
        if parsed.command == "migrate":
            _print({"migrated": migrate(engine), "step": HEAD})
            return DONE
        prepare(engine)
        if parsed.command == "check":
            report = selfcheck.as_report(selfcheck.self_check(engine))
            _print(report)
            return DONE if report["ok"] else REFUSED
        name = " ".join(filter(None, (parsed.command, getattr(parsed, "action", None))))
        _print(_COMMANDS[name](engine, parsed))
        return DONE
    finally:
        engine.dispose()


def _provider_add(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    provider_id = ProviderId.parse(parsed.provider_id)
    service_id_format = ServiceIdFormat.parse(parsed.service_id_format)
    keys = admin.draw_keys()

    def add(connection: Connection) -> None:
        admin.add_provider(
            connection,
            provider_id,
            name=parsed.name,
            service_id_format=service_id_format,
            profile=parsed.profile,
            keys=keys,
        )

    write(engine, add, retry_also=UNIQUE_VIOLATION)
    return {
        "provider_id": provider_id.text,
        "alias": provider_id.alias,
        "profile": parsed.profile,
    }


def _provider_list(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    del parsed
    with reading(engine) as connection:
        return admin.list_providers(connection)


def _terminal_code(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    pin = _pin(parsed)
    site = open_site(engine)
    provider_id = ProviderId.parse(parsed.provider)
    # A code that was committed and never told to anybody ends with its time.
    code, expires_at = write(
        engine,
        lambda connection: make_code(
            connection,
            site,
            scope=admin.require_scope(connection, provider_id),
            now=datetime.now(UTC),
            lifetime=parsed.minutes,
            place=parsed.site,
        ),
        retry_also=UNIQUE_VIOLATION,
    )
    return {"code": code, "expires_at": expires_at.isoformat(), **pin}


def _terminal_list(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    del parsed
    with reading(engine) as connection:
        return admin.list_terminals(connection)


def _terminal_set(status: int) -> Callable[[Engine, argparse.Namespace], Any]:
    def run(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
        write(
            engine,
            lambda connection: admin.set_terminal_status(connection, parsed.device_id, status),
        )
        return {"device_id": parsed.device_id, "done": True}

    return run


def _link_list(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    with reading(engine) as connection:
        return list(admin.list_links(connection, _scope(connection, parsed.provider)))


_ALONE: dict[str, Callable[[argparse.Namespace], Any]] = {
    "bundle": _bundle_import,
    "tls": _tls,
}
"""They open no database, or open it by themselves."""


def _epoch_renew(engine: Engine, parsed: argparse.Namespace) -> Any:  # noqa: ANN401
    del parsed
    open_site(engine)
    return {"epoch": write(engine, renew_epoch)}


_COMMANDS: dict[str, Callable[[Engine, argparse.Namespace], Any]] = {
    "provider add": _provider_add,
    "provider list": _provider_list,
    "terminal code": _terminal_code,
    "terminal list": _terminal_list,
    "terminal revoke": _terminal_set(TERMINAL_RETIRED),
    "terminal release": _terminal_set(TERMINAL_ACTIVE),
    "link list": _link_list,
    "epoch renew": _epoch_renew,
    "keys list": own_keys.list_keys,
    "keys draw": own_keys.draw,
    "keys rotate": own_keys.rotate,
    "keys drop": own_keys.drop,
    "provider set": history.provider_set,
    "suspend": history.suspend,
    "resume": history.suspend,
    "suspend-list": history.suspend_list,
    "resume-list": history.suspend_list,
    "renew": history.renew_one,
    "compact": history.compact_scope,
    "backup begin": history.backup_begin,
    "backup confirm": history.backup_confirm,
    "backup make": history.backup_make,
}


def _scope(connection: Connection, provider: str | None) -> str | None:
    if provider is None:
        return None
    return admin.require_scope(connection, ProviderId.parse(provider))


def _print(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()
