"""Which way of drawing a terminal gets, and why."""

from __future__ import annotations

import pytest

from mykey_tui.screens.profile import Render, detect, prepare_environment


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"TERM": "linux", "LANG": "ja_JP.UTF-8"}, "profile.why.term"),
        ({"TERM": "vt220", "LANG": "ja_JP.UTF-8"}, "profile.why.term"),
        ({"TERM": "dumb"}, "profile.why.term"),
        ({}, "profile.why.term"),
        ({"TERM": "xterm", "LANG": "ja_JP.eucJP"}, "profile.why.locale"),
        (
            {"TERM": "xterm", "LANG": "ja_JP.UTF-8", "LC_ALL": "en_US.ISO-8859-1"},
            "profile.why.locale",
        ),
        ({"TERM": "xterm", "LANG": "ja_JP.UTF-8", "MYKEY_ASCII": "1"}, "profile.why.asked"),
        ({"TERM": "xterm-256color", "LANG": "ja_JP.UTF-8"}, None),
        ({"TERM": "foot", "LC_CTYPE": "C.UTF-8"}, None),
        ({"TERM": "tmux-256color", "LANG": "C"}, None),
        ({"TERM": "xterm", "LANG": "ja_JP.utf8@cjk"}, None),
    ],
)
def test_the_terminal_decides(environment: dict[str, str], why: str | None) -> None:
    profile = detect(environment)
    assert profile.why == why
    assert profile.draws_japanese is (why is None)


def test_a_console_is_set_up_before_textual_reads_the_environment() -> None:
    environment: dict[str, str] = {}
    prepare_environment(environment, detect({"TERM": "linux"}))
    assert environment["TEXTUAL_DISABLE_KITTY_KEY"] == "1"
    assert environment["TEXTUAL_ANIMATIONS"] == "none"
    assert detect({"TERM": "linux"}).render is Render.CONSOLE
