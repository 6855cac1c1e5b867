"""Where the store's 32 bytes come from. The cipher is only as good as this.

1. **A systemd credential** `mykey-store-key` (`LoadCredentialEncrypted=`). Sealed with a TPM it
   protects a stolen disk: without that machine the store stays closed. Sealed with the host's key
   alone (`--with-key=host`) it is no better than 2, because that key lies on the same disk.
2. **A key file** in the home, mode 0600. It protects a copied *database* (a backup, a file sent
   for diagnosis, a disk of which only the store was taken) and keeps other users of the machine
   out. It does **not** protect a stolen disk or a stolen box: key and store lie side by side.

The concept's other rung, an operator's passcode at the start of the day, is not built.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from enum import Enum, unique
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.engine import KEY_LENGTH
from mykey_tui.store.home import Home

CREDENTIAL_NAME = "mykey-store-key"
_TEXT_MAX = 2 * KEY_LENGTH + 2
"""64 hexadecimal digits and a line end; a longer file is not a key."""


@unique
class KeySource(Enum):
    """Which rung of the ladder is in use; the doctor and the set-up screen say it."""

    CREDENTIAL = "credential"
    KEY_FILE = "key-file"


def key_source(environment: Mapping[str, str] = os.environ) -> KeySource:
    """Where the key is looked for: a credential that is there always wins."""
    return KeySource.KEY_FILE if _credential(environment) is None else KeySource.CREDENTIAL


def load_key(home: Home, environment: Mapping[str, str] = os.environ) -> bytes:
    """The key of an existing store, 32 bytes.

    Raises:
        StoreError: STORE_KEY when there is none or it is no key.
    """
    return _read(_credential(environment) or home.key_file)


def make_key(home: Home, environment: Mapping[str, str] = os.environ) -> bytes:
    """The key for a new store: the credential, a key file left by an earlier try, or a new one."""
    if key_source(environment) is KeySource.KEY_FILE and not home.key_file.exists():
        text = secrets.token_bytes(KEY_LENGTH).hex() + "\n"
        home.write_private(home.key_file, text.encode("ascii"))
    return load_key(home, environment)


def _credential(environment: Mapping[str, str]) -> Path | None:
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / CREDENTIAL_NAME
    return path if path.exists() else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(_TEXT_MAX + 1)
    except OSError as error:
        raise StoreError(Code.STORE_KEY, "no key for the store") from error
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        raise StoreError(Code.STORE_KEY, "the store's key is not hexadecimal") from None
    if len(key) != KEY_LENGTH:
        raise StoreError(Code.STORE_KEY, "the store's key has the wrong length")
    return key
