"""The signature of a poll: RFC 9421 with HMAC-SHA256, one fixed form and nothing else.

A poll asks "is there anything new?" and learns a change number, nothing of any row. It is by far
the most frequent request, so it is signed with a key that both sides hold (`hello.poll_key`) and
costs the server microseconds; every other request is signed with the device's own key. The poll
key opens nothing else, rests nowhere, and follows from the server's own keys, so no table holds it.

The form, in full (RFC 9421, sections 2.5 and 3.3.3):

    Signature-Input: mykey=("@method" "@target-uri");created=N;keyid="UUID";alg="hmac-sha256"
    Signature: mykey=:BASE64:
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime

from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import CREATED_WINDOW, LABEL, SignatureError

ALGORITHM = "hmac-sha256"
POLL_KEY_LENGTH = 32

_INPUT = re.compile(
    LABEL + r'=(\("@method" "@target-uri"\);created=(\d{1,12});keyid="([0-9a-f-]{36})";'
    r'alg="hmac-sha256")'
)
_SIGNATURE = re.compile(LABEL + r"=:([A-Za-z0-9+/]{43}=):")


def is_poll_signature(signature_input: str) -> bool:
    """Whether a request says that it is signed in this form."""
    return signature_input.endswith(f'alg="{ALGORITHM}"')


def sign_poll(*, url: str, key: bytes, key_id: str, created: datetime) -> dict[str, str]:
    """The headers of `GET url`. `url` is absolute, as it will be sent; `key` has 32 bytes."""
    parameters = (
        f'("@method" "@target-uri");created={int(created.timestamp())};keyid="{key_id}";'
        f'alg="{ALGORITHM}"'
    )
    signature = base64.b64encode(_mac(key, url, parameters)).decode("ascii")
    return {
        "Signature-Input": f"{LABEL}={parameters}",
        "Signature": f"{LABEL}=:{signature}:",
    }


def verify_poll(
    *,
    url: str,
    signature_input: str,
    signature: str,
    key_for: Callable[[str], bytes],
    now: datetime,
) -> str:
    """Check a poll as it arrived and return the device id that signed it.

    `key_for` gives the poll key of any device id, known or not: it is derived, not looked up.

    Raises:
        SignatureError: `SIGNATURE` for every fault but one; `CLOCK` for a good signature whose
            `created` is out of range, so that only who holds the key learns that.
    """
    claim = _INPUT.fullmatch(signature_input)
    shown = _SIGNATURE.fullmatch(signature)
    if claim is None or shown is None:
        raise SignatureError(ProblemType.SIGNATURE)
    parameters, created, device_id = claim.groups()
    try:
        given = binascii.a2b_base64(shown.group(1), strict_mode=True)
    except binascii.Error as error:
        raise SignatureError(ProblemType.SIGNATURE) from error
    if not hmac.compare_digest(given, _mac(key_for(device_id), url, parameters)):
        raise SignatureError(ProblemType.SIGNATURE)
    if abs(int(created) - now.timestamp()) > CREATED_WINDOW.total_seconds():
        raise SignatureError(ProblemType.CLOCK)
    return device_id


def _mac(key: bytes, url: str, parameters: str) -> bytes:
    """HMAC over the signature base (RFC 9421, section 2.5)."""
    base = f'"@method": GET\n"@target-uri": {url}\n"@signature-params": {parameters}'
    return hmac.digest(key, base.encode("ascii"), hashlib.sha256)
