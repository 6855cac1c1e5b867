"""The catalogue: both languages say the same things, in signs that every terminal measures alike."""

from __future__ import annotations

import re
import string
import subprocess
import sys
import unicodedata
from importlib import util
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from rich.cells import cell_len

from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog, Language
from mykey_tui.screens import actions
from mykey_tui.screens.key_sheet import key_sheet
from mykey_tui.screens.layout import TEXT_WIDTH, wrap

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mykey_tui"


def source(language: Language) -> Path:
    return PACKAGE / "i18n" / language.value / "LC_MESSAGES" / "mykey.po"


def messages(language: Language) -> dict[str, str]:
    with source(language).open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id}


JA, EN = messages(Language.JAPANESE), messages(Language.ENGLISH)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert JA.keys() == EN.keys()


def test_both_languages_say_something_and_take_the_same_values() -> None:
    assert [key for key in JA if not JA[key].strip() or not EN[key].strip()] == []
    assert [key for key in JA if placeholders(JA[key]) != placeholders(EN[key])] == []


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
@pytest.mark.parametrize("language", list(Language))
def test_every_code_has_a_title_a_sentence_and_a_next_step(code: Code, language: Language) -> None:
    text = Catalog(language).code(code)
    assert text.title and text.say and text.next
    assert cell_len(text.title) <= 60


def test_english_is_plain_ascii() -> None:
    allowed = {"reception.waiting.other"}  # the other language's line, drawn where it can be
    assert [key for key, text in EN.items() if not text.isascii() and key not in allowed] == []


def test_japanese_uses_no_sign_whose_width_depends_on_the_terminal() -> None:
    wide = {
        key: sign
        for key, text in JA.items()
        for sign in text
        if unicodedata.east_asian_width(sign) == "A"
    }
    assert wide == {}


@pytest.mark.parametrize("language", list(Language))
def test_the_compiled_catalogue_is_current(language: Language) -> None:
    spec = util.spec_from_file_location("compile_messages", ROOT / "scripts/compile_messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = source(language)
    assert path.with_suffix(".mo").read_bytes() == module.compiled(path), (
        "run scripts/compile_messages.py"
    )


def test_the_papers_own_messages_stand_word_for_word() -> None:
    assert JA["code.S-OK.title"] == "正常に登録されました。"
    assert JA["code.S-DUP.title"] == "既にサービスID登録済み"
    assert JA["link.step1"] == (
        "あなたのマイキーIDを読み取ります。【読取】ボタンを押して、"
        "マイナンバーカードをICカードリーダライタにかざしてください。"
    )
    assert JA["link.step2"] == (
        "登録するあなたのサービスIDを読み取ります。【読取】ボタンを押して、"
        "サービスの利用カードをリーダライタにかざしてください。"
    )
    assert (
        JA["link.step3"] == "あなたのサービスID登録をしますので、【登録】ボタンを押してください。"
    )


def test_every_action_has_a_name_and_a_sentence() -> None:
    for action in actions.ALL:
        assert {action.label, action.help} <= JA.keys()


_WRITTEN = re.compile(r"""["']([a-z][A-Za-z0-9{}_.:-]*)["']""")


def _pattern(name: str) -> re.Pattern[str]:
    """The keys that an f-string may spell: `status.line.{…}` is any key that begins so."""
    return re.compile("[A-Za-z0-9.-]+".join(map(re.escape, re.split(r"\{[^}]*\}", name))))


def test_the_catalogue_has_nothing_that_the_program_never_says() -> None:
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    spelled = [_pattern(name) for name in set(_WRITTEN.findall(code)) if name != "{}"]
    unused = [key for key in JA if not any(pattern.fullmatch(key) for pattern in spelled)]
    assert unused == []


def test_a_missing_value_shows_as_a_question_mark_and_a_missing_key_is_a_bug() -> None:
    catalog = Catalog(Language.JAPANESE)
    assert "（?文字目）" in catalog.code(Code.SERVICE_ID_MALFORMED).say
    with pytest.raises(KeyError):
        catalog.text("no.such.key")


def test_values_are_made_safe() -> None:
    text = Catalog(Language.ENGLISH).text("age.ago", age="\x1b[2J{x}")
    assert "\x1b" not in text
    assert "{x}" in text


def test_every_text_wraps_into_rows_that_fit_and_loses_nothing() -> None:
    for text in (*JA.values(), *EN.values()):
        rows = wrap(text)
        assert all(cell_len(row) <= TEXT_WIDTH + 2 for row in rows)
        assert "".join(rows).replace(" ", "") == text.replace(" ", "").replace("\n", "")


_ONE_ROW = re.compile(
    r"(next|why|dead|link\.next|card\.next|profile\.why\.short)\..*|.*\.next|reception\.(demo|forgotten)"
)


def test_what_stands_in_row_21_fits_in_one_row() -> None:
    keys = [key for key in JA if _ONE_ROW.fullmatch(key) and not key.startswith("code.")]
    assert len(keys) > 20, "the canary"
    assert [key for key in keys if cell_len(JA[key]) > 78 or cell_len(EN[key]) > 78] == []


def test_reading_the_catalogue_needs_the_standard_library_alone() -> None:
    program = (
        "import sys, mykey_tui.i18n.catalog as c; c.Catalog(c.Language.JAPANESE);"
        "assert not {'babel', 'textual', 'rich'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=ROOT)


def test_the_printed_key_sheet_is_current() -> None:
    assert (ROOT / "docs" / "keys.md").read_text() == key_sheet(), "run scripts/key_sheet.py"
