"""The codes, the message catalogue and the manual say the same."""

import re
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.i18n.catalog import Catalog, Language

MANUAL = Path(__file__).parents[2] / "docs" / "failure-codes.md"


def sections() -> dict[str, str]:
    parts = re.split(
        r"^### ([A-Z][A-Z-]+)$", MANUAL.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_manual_has_every_code_and_no_other() -> None:
    assert sorted(sections()) == sorted(code.value for code in Code)


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
def test_the_manual_quotes_what_the_screen_says(code: Code) -> None:
    section = sections()[code.value]
    for language in Language:
        assert Catalog(language).code(code, {}).title in section
    assert "**Who acts:**" in section
