"""The signature of a request: one fixed profile of RFC 9421, Ed25519.

Covered are `@method` and `@target-uri`, and with a body also `content-digest` (SHA-256, RFC 9530)
and `content-type`; the parameters are `created`, `keyid` and `alg="ed25519"`. Exactly these: what
covers more or less is another protocol, and is refused. There is no nonce: a mutation sent twice
gets its first verdict again, and `created` has to lie within `CREATED_WINDOW` of the server.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    VerifyResult,
    algorithms,
)

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.domain.tokens import same_secret
from mykey_tui.wire.problems import ProblemType

CREATED_WINDOW = timedelta(seconds=300)
"""A box's clock drifts by minutes when its battery is dead; more is told to it as an offset."""

HEADER_CHARS_MAX = 1024
"""Our own headers have about 200 characters; a longer one is not parsed."""

LABEL = "mykey"
_COVERED = ("@method", "@target-uri")
_COVERED_WITH_BODY = (*_COVERED, "content-digest", "content-type")
_PARAMETERS = {"created", "keyid", "alg"}
_OURS = ("Signature", "Signature-Input", "Content-Digest", "Content-Type")


class SignatureError(MyKeyError):
    """A request that is not, or not validly, signed by the device it names."""

    def __init__(self, problem: ProblemType) -> None:
        super().__init__(problem.type_name)
        self.problem = problem


def sign(
    *,
    method: str,
    url: str,
    body: bytes | None,
    content_type: str | None,
    key: Ed25519PrivateKey,
    key_id: str,
    created: datetime,
) -> dict[str, str]:
    """Return the headers to add to a request.

    `url` is the absolute URL as it will be sent. With a body, `content_type` is required and is
    among the headers returned. An empty body counts as none.
    """
    headers: dict[str, str] = {}
    if body:
        if content_type is None:
            raise ValueError("a body needs a content type")
        headers = {"Content-Digest": content_digest(body), "Content-Type": content_type}
    message = _Message(method=method, url=url, headers=headers)
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519, key_resolver=_OneKey(private=key)
    )
    signer.sign(
        message,
        key_id=key_id,
        created=created,
        label=LABEL,
        covered_component_ids=_COVERED_WITH_BODY if body else _COVERED,
        use_existing_digest=bool(body),
    )
    return headers


def verify(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    key_for: Callable[[str], Ed25519PublicKey | None],
    now: datetime,
) -> str:
    """Check a request as it arrived and return the key id that signed it.

    `key_for` gives the public key of a key id, or None where there is no such device. The clock
    is judged last, so that only a device that holds its key learns that its clock is wrong.

    Raises:
        SignatureError: `UNSIGNED` with no signature; `SIGNATURE` for every other fault;
            `CLOCK` for a good signature whose `created` is out of range.
        Exception: whatever `key_for` raises.
    """
    ours = _our_headers(headers)
    if "Signature" not in ours or "Signature-Input" not in ours:
        raise SignatureError(ProblemType.UNSIGNED)
    if body and not same_secret(
        ours.get("Content-Digest", "").encode(), content_digest(body).encode()
    ):
        raise SignatureError(ProblemType.SIGNATURE)
    result = _verified(_Message(method=method, url=url, headers=ours), key_for)
    expected = {f'"{name}"' for name in (_COVERED_WITH_BODY if body else _COVERED)}
    if set(result.covered_components) != expected | {'"@signature-params"'}:
        raise SignatureError(ProblemType.SIGNATURE)
    created, key_id = result.parameters.get("created"), result.parameters.get("keyid")
    if set(result.parameters) != _PARAMETERS or not isinstance(created, int):
        raise SignatureError(ProblemType.SIGNATURE)
    if abs(created - now.timestamp()) > CREATED_WINDOW.total_seconds():
        raise SignatureError(ProblemType.CLOCK)
    return str(key_id)


def content_digest(body: bytes) -> str:
    """The Content-Digest header of a body (RFC 9530): SHA-256 and no other."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
    return f"sha-256=:{digest}:"


def _verified(message: _Message, key_for: Callable[[str], Ed25519PublicKey | None]) -> VerifyResult:
    keys = _OneKey(public=key_for)
    verifier = _ProfileVerifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    try:
        results = verifier.verify(message, max_age=None)
    except (HTTPMessageSignaturesException, ValueError) as error:
        if keys.failure is not None:
            raise keys.failure from None
        raise SignatureError(ProblemType.SIGNATURE) from error
    if len(results) != 1:
        raise SignatureError(ProblemType.SIGNATURE)
    return results[0]


def _our_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that matter here, by their usual names; no other reaches the library."""
    lower = {name.lower(): value for name, value in headers.items()}
    ours = {name: lower[name.lower()] for name in _OURS if name.lower() in lower}
    if any(len(value) > HEADER_CHARS_MAX or not value.isascii() for value in ours.values()):
        raise SignatureError(ProblemType.SIGNATURE)
    return ours


@dataclass(frozen=True, slots=True)
class _Message:
    """The shape in which the library reads a request and writes its headers."""

    method: str
    url: str
    headers: dict[str, str]


class _OneKey(HTTPSignatureKeyResolver):
    """Gives the library the one key that signs, or asks the caller for the one that verifies."""

    def __init__(
        self,
        *,
        private: Ed25519PrivateKey | None = None,
        public: Callable[[str], Ed25519PublicKey | None] | None = None,
    ) -> None:
        self._private = private
        self._public = public
        self.failure: Exception | None = None
        """What kept the caller from looking the key up: the library would call it a bad signature."""

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey | None:
        return self._private

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        try:
            return None if self._public is None else self._public(key_id)
        except Exception as failure:
            self.failure = failure
            raise


class _ProfileVerifier(HTTPMessageVerifier):
    """The library's verifier without its clock: it would read the box's own, we are given one."""

    def validate_created_and_expires(
        self, sig_input: object, max_age: timedelta | None = None
    ) -> None:
        """Leave the judgement of `created` to `verify`; `expires` is no part of the profile."""
