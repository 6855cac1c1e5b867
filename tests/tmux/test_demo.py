"""`mykey demo` from its start to its end, as a person would: nothing in it is faked by a test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tmux.conftest import Terminal, Terminals

pytestmark = pytest.mark.tmux

MYKEY = str(Path(sys.executable).with_name("mykey"))
START_SECONDS = 90.0
"""The demo makes its server, its counters and its cards; two busy cores need a while."""


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Where the demo puts its folder, so that the test sees whether it goes again."""
    return {"TMPDIR": str(tmp_path)}


def lay(terminal: Terminal, key: str, tray: str) -> None:
    terminal.press("F8")
    terminal.shows(tray)
    terminal.type_slowly(key)


def test_a_card_is_linked_without_a_line_and_reaches_the_server_when_it_returns(
    terminals: Terminals, places: dict[str, str], tmp_path: Path
) -> None:
    terminal = terminals.start([MYKEY, "demo"], **places)
    terminal.shows("カードを置いて、そのままお待ちください", "通信 正常", seconds=START_SECONDS)
    tray = "どのカードを置きますか"
    lay(terminal, "1", tray)
    terminal.shows("【 受付できました 】", "ABCDEFGHI", "レジへ送りました（ファイル）")
    lay(terminal, "3", tray)
    terminal.shows("L-SUSP", "レジには何も送っていません")
    terminal.press("F5")
    terminal.shows("通信 なし", "通信復旧")
    lay(terminal, "2", tray)
    terminal.shows("このサービスには未登録です", "L-NONE")
    terminal.press("Enter")
    terminal.shows("【待っています】", "通信がないため")
    terminal.type_slowly("2802121234")
    terminal.press("Enter")
    terminal.shows("【もう一度入力】")
    terminal.type_slowly("2802121234")
    terminal.press("Enter")
    terminal.shows("2802121234   【読み取りました】")
    terminal.press("Enter")
    terminal.shows("S-QUEUED", "未送信 1件", "通信が戻ると送信します")
    terminal.press("Enter")
    terminal.shows("受付   さくら商店街ポイント", "未送信 1")
    terminal.press("F3")
    terminal.shows("******1234", "送信待ち 1")
    terminal.leave_with_escape()
    terminal.press("F5")
    terminal.shows("通信 正常 │ 未送信 0")
    lay(terminal, "2", tray)
    terminal.shows("【 受付できました 】", "2802121234")
    terminal.press("F12")
    terminal.shows("異常はありません")
    terminal.type_slowly("e")
    terminal.shows("書き出しました（番号・氏名なし）")
    sheet = next(tmp_path.rglob("evidence.txt")).read_text()
    assert "line  N-LINE" in sheet
    assert "card laid" in sheet
    for of_a_person in (
        "1C2410DF79DGEL",
        "07202002B",
        "ABCDEFGHI",
        "2802121234",
        "L-SUSP",
        "SAMPLE",
    ):
        assert of_a_person not in sheet
    terminal.leave_with_escape()
    terminal.press("F10")
    terminal.shows("受付アプリを終わりますか")
    terminal.press("Enter")
    assert terminal.ended() == 0
    assert not list(tmp_path.iterdir()), "the demo left something behind"


def test_the_same_on_a_linux_console_in_english(
    terminals: Terminals, places: dict[str, str]
) -> None:
    terminal = terminals.start([MYKEY, "demo"], term="linux", **places)
    terminal.shows("Place your card", "cannot draw Japanese", "Line OK", seconds=START_SECONDS)
    tray = "Which card shall be laid?"
    lay(terminal, "1", tray)
    terminal.shows("[OK] Found", "A B C D E F G H I", "Sent to the till (file)")
    terminal.type_slowly("5")
    terminal.shows("Line down")
    lay(terminal, "2", tray)
    terminal.shows("L-NONE")
    terminal.press("Enter")
    terminal.shows("[waiting]")
    terminal.scan("2802121234")
    terminal.shows("2802121234   [read]")
    terminal.press("Enter")
    terminal.shows("S-QUEUED", "1 to send")
    terminal.press("Enter")
    terminal.shows("RECEPTION", "To send 1")
    terminal.type_slowly("5")
    text = terminal.shows("Line OK | To send 0")
    assert text.isascii()
