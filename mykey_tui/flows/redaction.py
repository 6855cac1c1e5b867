"""The last net under the evidence sheet: what looks like a person's or a device's number goes.

The sheet's sources hold no such thing. Texts that come from outside (a reader's name, a path, an
error's words) might, so they pass through here, each by itself.
"""

from __future__ import annotations

import re

from mykey_tui.domain.reader_name import bare_reader_name

_MASK = "*"
_LONG_WORD = re.compile(r"(?<![0-9A-Za-z])(?=[A-Za-z]*\d)[0-9A-Za-z]{12,}(?![0-9A-Za-z])")
"""A MyKey ID has 14 characters, a certificate's CN 23, a digest or key more. All have digits."""
_DIGITS = re.compile(r"\d(?:[ -]?\d){7,}")
"""Member numbers, telephone numbers, a My Number: eight digits or more, also in groups."""
_HEX_PAIRS = re.compile(r"\b[0-9A-Fa-f]{2}(?:[ :][0-9A-Fa-f]{2}){3,}\b")
"""A UID or IDm as tools print it."""
_HOME = re.compile(r"/(?:home|Users|root)(?:/[^/\s]*)?")
_MY_KEY_ID = re.compile(r"(?<![A-Z0-9])[A-Z0-9]{14}(?:[A-Z0-9]{9})?(?![A-Z0-9])")
"""One without any digit is possible."""


def redacted(text: str) -> str:
    """`text` from outside without serial numbers, long numbers and identifiers, people's folders."""
    for pattern in (_HOME, _MY_KEY_ID, _LONG_WORD, _HEX_PAIRS, _DIGITS):
        text = pattern.sub(_MASK, text)
    return bare_reader_name(text)
