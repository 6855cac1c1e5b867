"""For every test: PC/SC means the service that these tests start themselves, or none.

libpcsclite reads its socket's name once per process. Without this, the first test that asks for a
reader would bind the whole run to the machine's own service.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Short, because the name of a socket has at most 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="mykey-"))
    os.environ["PCSCLITE_CSOCK_NAME"] = str(directory / "run" / "pcscd" / "pcscd.comm")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))


@pytest.fixture(scope="session")
def pcscd_directory() -> Path:
    """Where the tests' own pcscd lives."""
    return Path(os.environ["PCSCLITE_CSOCK_NAME"]).parents[2]
