import pytest

from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.reader.trace import Traced, describe


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("00200080", "00200080"),
        ("002000800431323334", "00200080 ** (5 bytes)"),
        ("00240080083132333435363738", "00240080 ** (9 bytes)"),
        ("002c0080083132333435363738", "002c0080 ** (9 bytes)"),
        ("00b0000004", "00b00000 04"),
        ("00a4020c02000a", "00a4020c 02000a"),
        (
            "802a008033" + "3031300d060960864801650304020105000420" + "ab" * 32 + "00",
            "802a0080 ** (53 bytes)",
        ),
        ("ff820000060102030405ff", "ff820000 ** (7 bytes)"),
        ("ffca000000", "ffca0000 00"),
        ("ff00000012d442" + "06" + "0123456789abcdef" + "0000", "ff000000 ** (14 bytes)"),
        ("80a4040c0ad392f000260100000001", "80a4040c ** (11 bytes)"),
        ("00a4040c20" + "aa" * 32, "00a4040c 20" + "aa" * 15 + "..."),
        ("00", "00"),
        ("", ""),
    ],
)
def test_a_command_is_told_without_its_secret(command: str, told: str) -> None:
    assert describe(bytes.fromhex(command)) == told


def test_a_trace_of_a_whole_visit_shows_neither_pin_nor_certificate(card: CardFile) -> None:
    log: list[str] = []
    reader = EmulatedReader()
    reader.insert(card)
    with reader.session() as connection:
        applet = JpkiApplet(Traced(connection, log.append))
        applet.select()
        der = applet.read_auth_certificate()
        applet.verify_pin("1234")
    text = "\n".join(log)
    assert "31323334" not in text
    assert der[100:108].hex() not in text
    assert "> 00a4040c 0ad392f000260100000001" in text
    assert "< 256 bytes, 9000" in text
