"""Names of municipalities, from the Ministry's list where a site has laid it into the counter's home.

The list (全国地方公共団体コード, soumu.go.jp) changes every year and comes as a spreadsheet. Saved as
CSV under `municipalities.csv` it is read as it is: code, prefecture, municipality, and more columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from mykey_tui.domain.prefectures import MUNICIPALITY_CODE_LENGTH, prefecture_of
from mykey_tui.domain.text import safe

FILE_NAME = "municipalities.csv"
_BYTES_MAX = 1024 * 1024
"""The whole list is some 150 kB."""
_ROWS_MAX = 8192
_NAME_LENGTH_MAX = 32
_WEIGHTS = (6, 5, 4, 3, 2)


def municipality_name(home: Path, code: str) -> str:
    """What `code` (5 digits) is called; empty where there is no list, or it does not know.

    Reads the file, some milliseconds. Never raises: a list that cannot be read names nobody.
    """
    return _names(home / FILE_NAME).get(code, "")


def _names(path: Path) -> Mapping[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX + 1)
    except OSError:
        return {}
    if len(content) > _BYTES_MAX:
        return {}
    try:
        return dict(_rows(_decoded(content)))
    except csv.Error:
        return {}


def _decoded(content: bytes) -> str:
    """UTF-8 with or without its mark, else what Japanese spreadsheets write."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp932", "replace")


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for number, row in enumerate(csv.reader(text.replace("\x00", "").splitlines())):
        if number >= _ROWS_MAX:
            return
        if len(row) < 3 or not row[2].strip():
            continue  # a heading, or a prefecture as a whole
        code = _code(row[0].strip())
        if code is not None:
            yield code, safe(row[2].strip(), _NAME_LENGTH_MAX)


def _code(written: str) -> str | None:
    """The five digits, of five or of six whose last is the check digit; None for anything else."""
    code, check = written[:MUNICIPALITY_CODE_LENGTH], written[MUNICIPALITY_CODE_LENGTH:]
    if prefecture_of(code) is None:
        return None
    return code if check in ("", _check_digit(code)) else None


def _check_digit(code: str) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(code, _WEIGHTS, strict=True))
    return str((11 - total % 11) % 10)
