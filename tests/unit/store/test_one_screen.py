"""Two screens on one home would show two queues; the second is told so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import StoreError
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.home import Home

HOLDER = """
import sys
from pathlib import Path
from mykey_tui.store.home import Home
with Home(Path(sys.argv[1])).only_screen():
    print("held", flush=True)
    sys.stdin.read()
"""


def code_of_second(home: Home) -> Code | None:
    try:
        with home.only_screen():
            return None
    except StoreError as error:
        return error.code


def test_the_second_screen_says_so_and_commands_still_work(store: CounterStore, home: Home) -> None:
    with home.only_screen():
        assert code_of_second(home) is Code.STORE_SCREEN
        with home.syncing(0.0):
            assert store.counts().waiting == 0
    assert code_of_second(home) is None


def test_a_screen_that_was_killed_holds_nothing(store: CounterStore, home: Home) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert code_of_second(home) is Code.STORE_SCREEN
        holder.kill()
    assert code_of_second(home) is None


def test_without_a_home_there_is_nothing_to_hold(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught, Home(tmp_path / "none").only_screen():
        pass
    assert caught.value.code is Code.STORE_NONE
