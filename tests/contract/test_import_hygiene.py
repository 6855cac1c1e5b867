"""What the import graph cannot say statically: what really is in memory after an import."""

import subprocess
import sys

import pytest

HEAVY = {
    "sqlmodel", "sqlalchemy", "httpx", "cryptography", "smartcard", "sqlcipher3",
    "http_message_signatures", "fastapi", "starlette", "granian",
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("mykey_tui.cli", HEAVY | {"textual"}),
        ("mykey_tui.app", HEAVY),
        ("mykey_tui.flows.services", HEAVY | {"textual"}),
        ("mykey_tui.card.iso7816", HEAVY | {"textual"}),
        ("mykey_tui.wire.messages", {"textual", "smartcard", "sqlmodel", "httpx"}),
        ("mykey_server.app", {"textual", "smartcard", "httpx"}),
        ("mykey_server.proof_process", (HEAVY - {"cryptography"}) | {"textual", "pydantic"}),
    ],
)
def test_importing_does_not_load(module: str, unwanted: set[str]) -> None:
    program = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert module in loaded, "the canary: the module itself must be there"
    assert not (loaded & unwanted)


def test_the_two_sides_keep_their_tables_apart() -> None:
    program = (
        "import mykey_tui.store.tables as counter, mykey_server.tables as server;"
        "from sqlmodel import SQLModel;"
        "assert not SQLModel.metadata.tables, 'a table on the shared registry'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
