"""The poll's signature, held against the library that signs everything else."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)

from mykey_tui.wire.poll import is_poll_signature, sign_poll, verify_poll
from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import LABEL, SignatureError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = bytes(range(32))
DEVICE = "0b8f8a0e-5a55-4c0e-9d0c-5f6f3f1f7c11"
URL = "https://sync.example/v1/poll?scope=A-alpha1-0001"


@dataclass
class Request:
    """A request as the library wants it."""

    method: str = "GET"
    url: str = URL
    headers: dict[str, str] = field(default_factory=dict)


class Resolver(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id: str) -> bytes:
        return KEY

    def resolve_public_key(self, key_id: str) -> bytes:
        return KEY


def signed(created: datetime = NOW) -> dict[str, str]:
    return sign_poll(url=URL, key=KEY, key_id=DEVICE, created=created)


def verified(headers: dict[str, str], *, url: str = URL, now: datetime = NOW) -> str:
    return verify_poll(
        url=url,
        signature_input=headers["Signature-Input"],
        signature=headers["Signature"],
        key_for=lambda device_id: KEY if device_id == DEVICE else bytes(32),
        now=now,
    )


def test_what_we_sign_is_accepted_by_the_library() -> None:
    request = Request(headers=signed(datetime.now(UTC)))
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Resolver()
    )
    (result,) = verifier.verify(request, max_age=timedelta(minutes=5))
    assert result.parameters["keyid"] == DEVICE
    assert set(result.covered_components) == {
        '"@method"', '"@target-uri"', '"@signature-params"',
    }  # fmt: skip


def test_what_the_library_signs_is_accepted_here() -> None:
    request = Request()
    HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Resolver()).sign(
        request,
        key_id=DEVICE,
        created=NOW,
        label=LABEL,
        covered_component_ids=("@method", "@target-uri"),
    )
    assert is_poll_signature(request.headers["Signature-Input"])
    assert verified(request.headers) == DEVICE


@pytest.mark.parametrize(
    "change",
    [
        {"Signature-Input": 'mykey=("@method");created=1795348800;keyid="x";alg="hmac-sha256"'},
        {"Signature-Input": signed()["Signature-Input"].replace(DEVICE, DEVICE[::-1])},
        {"Signature-Input": signed()["Signature-Input"] + ';nonce="1"'},
        {"Signature-Input": signed()["Signature-Input"].replace("created=1", "created=2")},
        {"Signature-Input": signed()["Signature-Input"].replace("hmac-sha256", "ed25519")},
        {"Signature-Input": signed()["Signature-Input"] + ", " + signed()["Signature-Input"]},
        {"Signature": "mykey=::"},
        {"Signature": f"mykey=:{base64.b64encode(bytes(32)).decode()}:"},
        {"Signature": signed()["Signature"] + " "},
        {"Signature": signed()["Signature"][:-3] + "A=:"},
        {"Signature": "mykey=:" + "é" * 43 + "=:"},
    ],
)
def test_any_other_form_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureError) as refused:
        verified(signed() | change)
    assert refused.value.problem is ProblemType.SIGNATURE


def test_another_address_is_refused() -> None:
    with pytest.raises(SignatureError):
        verified(signed(), url=URL.replace("A-alpha1", "B-beta1"))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_only_who_holds_the_key_learns_that_the_clock_is_wrong(seconds: int) -> None:
    late = NOW + timedelta(seconds=seconds)
    with pytest.raises(SignatureError) as refused:
        verified(signed(), now=late)
    assert refused.value.problem is ProblemType.CLOCK
    broken = signed() | {"Signature": f"mykey=:{base64.b64encode(bytes(32)).decode()}:"}
    with pytest.raises(SignatureError) as refused:
        verified(broken, now=late)
    assert refused.value.problem is ProblemType.SIGNATURE
