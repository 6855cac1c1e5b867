"""The request signature: what it covers, and everything that must be refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPSignatureKeyResolver,
    algorithms,
)
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.wire.problems import ProblemType
from mykey_tui.wire.signature import (
    SignatureError,
    _OneKey,
    _ProfileVerifier,
    content_digest,
    sign,
    verify,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
URL = "https://sync.example/v1/push"
BODY = b'{"items":[]}'
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RFC_URL = "https://example.com/foo?param=Value&Pet=dog"
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY_ID = "0d1e6fb0-6c1b-4d0e-9a59-7f4a4d9a0001"


def known(key_id: str) -> Ed25519PublicKey | None:
    return KEY.public_key() if key_id == KEY_ID else None


def signed(created: datetime = NOW, body: bytes | None = BODY) -> dict[str, str]:
    return sign(
        method="POST",
        url=URL,
        body=body,
        content_type="application/json" if body else None,
        key=KEY,
        key_id=KEY_ID,
        created=created,
    )


def check(
    headers: dict[str, str],
    *,
    method: str = "POST",
    url: str = URL,
    body: bytes = BODY,
    now: datetime = NOW,
) -> str:
    return verify(method=method, url=url, headers=headers, body=body, key_for=known, now=now)


def refusal(headers: dict[str, str], **changed: object) -> ProblemType:
    with pytest.raises(SignatureError) as caught:
        check(headers, **changed)  # type: ignore[arg-type]
    return caught.value.problem


def test_a_signed_request_names_its_device() -> None:
    assert check(signed()) == KEY_ID


def test_a_request_without_a_body_covers_method_and_uri_alone() -> None:
    headers = sign(
        method="GET", url=URL, body=None, content_type=None, key=KEY, key_id=KEY_ID, created=NOW
    )
    assert set(headers) == {"Signature", "Signature-Input"}
    assert check(headers, method="GET", body=b"") == KEY_ID


def test_a_key_that_could_not_be_looked_up_is_no_bad_signature() -> None:
    """A server whose disk fails says so, and does not tell a counter that it is not known."""

    def fails(key_id: str) -> Ed25519PublicKey | None:
        raise OSError(key_id)

    with pytest.raises(OSError, match=KEY_ID):
        verify(method="POST", url=URL, headers=signed(), body=BODY, key_for=fails, now=NOW)


def test_header_names_may_arrive_in_any_case() -> None:
    assert check({name.lower(): value for name, value in signed().items()}) == KEY_ID


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b'{"items":[1]}'},
        {"body": b""},
        {"method": "PUT"},
        {"url": URL + "?x=1"},
        {"url": "https://other.example/v1/push"},
        {"url": "http://sync.example/v1/push"},
        {"url": "https://sync.example/v1/Push"},
    ],
)
def test_a_changed_request_is_refused(changed: dict[str, object]) -> None:
    assert refusal(signed(), **changed) is ProblemType.SIGNATURE


def test_a_changed_content_type_is_refused() -> None:
    headers = signed() | {"Content-Type": "application/msgpack"}
    assert refusal(headers) is ProblemType.SIGNATURE


def test_a_digest_recomputed_for_another_body_is_refused() -> None:
    headers = signed() | {"Content-Digest": content_digest(b"{}")}
    assert refusal(headers, body=b"{}") is ProblemType.SIGNATURE


def test_no_signature_is_told_apart_from_a_wrong_one() -> None:
    assert refusal({"Content-Type": "application/json"}) is ProblemType.UNSIGNED


def test_an_unknown_device_is_refused_like_a_wrong_signature() -> None:
    headers = {name: value.replace("0001", "0002") for name, value in signed().items()}
    assert refusal(headers) is ProblemType.SIGNATURE


def test_another_devices_key_is_refused() -> None:
    headers = sign(
        method="POST",
        url=URL,
        body=BODY,
        content_type="application/json",
        key=OTHER_KEY,
        key_id=KEY_ID,
        created=NOW,
    )
    assert refusal(headers) is ProblemType.SIGNATURE


@pytest.mark.parametrize("seconds", [-301, 301, -86_400, 10**9])
def test_a_created_time_out_of_range_is_a_clock_problem(seconds: int) -> None:
    headers = signed(created=NOW + timedelta(seconds=seconds))
    assert refusal(headers) is ProblemType.CLOCK


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_created_time_within_five_minutes_is_taken(seconds: int) -> None:
    assert check(signed(created=NOW + timedelta(seconds=seconds))) == KEY_ID


def test_a_wrong_clock_is_told_only_to_the_holder_of_the_key() -> None:
    headers = sign(
        method="POST",
        url=URL,
        body=BODY,
        content_type="application/json",
        key=OTHER_KEY,
        key_id=KEY_ID,
        created=NOW - timedelta(days=1),
    )
    assert refusal(headers) is ProblemType.SIGNATURE


class _Key(HTTPSignatureKeyResolver):
    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        return self._key


@dataclass
class _Message:
    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def signed_freely(*covered: str, **options: object) -> dict[str, str]:
    """A valid signature by the right key that need not follow the profile."""
    message = _Message(
        "POST",
        URL,
        {
            "Content-Digest": content_digest(BODY),
            "Content-Type": "application/json",
            "Date": "Sun, 22 Nov 2026 09:00:00 GMT",
        },
    )
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_Key(KEY))
    signer.sign(
        message,
        key_id=KEY_ID,
        created=NOW,
        covered_component_ids=covered,
        use_existing_digest=True,
        **options,  # type: ignore[arg-type]
    )
    return message.headers


PROFILE = ("@method", "@target-uri", "content-digest", "content-type")


def test_the_profile_itself_is_taken_whoever_signed() -> None:
    assert check(signed_freely(*PROFILE)) == KEY_ID


@pytest.mark.parametrize("missing", PROFILE)
def test_a_missing_component_is_refused(missing: str) -> None:
    headers = signed_freely(*(name for name in PROFILE if name != missing))
    assert refusal(headers) is ProblemType.SIGNATURE


@pytest.mark.parametrize("extra", ["@path", "@authority", '"content-type";bs', "date"])
def test_an_extra_component_is_refused(extra: str) -> None:
    assert refusal(signed_freely(*PROFILE, extra)) is ProblemType.SIGNATURE


@pytest.mark.parametrize(
    "options",
    [
        {"include_alg": False},
        {"nonce": "n"},
        {"tag": "t"},
        {"expires": NOW + timedelta(seconds=60)},
    ],
)
def test_other_parameters_are_refused(options: dict[str, object]) -> None:
    assert refusal(signed_freely(*PROFILE, **options)) is ProblemType.SIGNATURE


def test_two_signatures_are_refused() -> None:
    headers = signed()
    headers["Signature"] += ", two=:AAAA:"
    headers["Signature-Input"] += ', two=("@method");created=1;keyid="x"'
    assert refusal(headers) is ProblemType.SIGNATURE


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "mykey=",
        "mykey=()",
        "mykey=:AAAA:",
        'mykey=("@method");created=99999999999999999999',
        'mykey=("@method");created=999999999999999;keyid="a";alg="ed25519"',
        "mykey=(" + '"a" ' * 200 + ")",
        "é=1",
        "\x00",
        'mykey=("@status");created=1;keyid="a"',
    ],
)
@pytest.mark.parametrize("name", ["Signature", "Signature-Input"])
def test_a_malformed_header_is_refused_and_breaks_nothing(name: str, value: str) -> None:
    assert refusal(signed() | {name: value}) is ProblemType.SIGNATURE


@given(name=st.sampled_from(["Signature", "Signature-Input"]), value=st.text(max_size=80))
def test_any_text_in_a_signature_header_is_refused(name: str, value: str) -> None:
    assert refusal(signed() | {name: value}) is ProblemType.SIGNATURE


def test_a_body_needs_a_content_type() -> None:
    with pytest.raises(ValueError, match="content type"):
        sign(
            method="POST",
            url=URL,
            body=BODY,
            content_type=None,
            key=KEY,
            key_id=KEY_ID,
            created=NOW,
        )


RFC_KEY = (
    b"-----BEGIN PRIVATE KEY-----\n"
    b"MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n"
    b"-----END PRIVATE KEY-----\n"
)
RFC_HEADERS = {
    "Host": "example.com",
    "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "Content-Type": "application/json",
    "Content-Length": "18",
    "Signature-Input": (
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    ),
    "Signature": (
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u"
        "02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
    ),
}
"""Appendix B.2.6, as it stands in the RFC."""


def rfc_key() -> Ed25519PrivateKey:
    key = load_pem_private_key(RFC_KEY, password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def rfc_verified(*, method: str = "POST", url: str = RFC_URL, **headers: str) -> None:
    """What our own verifier makes of the RFC's message. Raises what the library raises."""
    key = rfc_key()
    resolver = _OneKey(public=lambda name: key.public_key() if name == "test-key-ed25519" else None)
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    verifier = _ProfileVerifier(signature_algorithm=algorithms.ED25519, key_resolver=resolver)
    (result,) = verifier.verify(_Message(method, url, RFC_HEADERS | changed), max_age=None)
    assert result.parameters["keyid"] == "test-key-ed25519"


def test_the_signature_of_rfc_9421_b_2_6_is_verified() -> None:
    rfc_verified()


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"url": "https://example.com/fo?param=Value&Pet=dog"},
        {"url": "https://example.org/foo?param=Value&Pet=dog"},
        {"Date": "Tue, 20 Apr 2021 02:07:56 GMT"},
        {"Content_Type": "application/jose"},
        {"Content_Length": "19"},
        {"Signature_Input": RFC_HEADERS["Signature-Input"].replace("4473", "4474")},
        {"Signature_Input": RFC_HEADERS["Signature-Input"].replace('"date" ', "")},
        {
            "Signature_Input": RFC_HEADERS["Signature-Input"].replace(
                '("date" "@method"', '("@method" "date"'
            )
        },
        {"Signature": RFC_HEADERS["Signature"].replace("wqcA", "wqcB")},
    ],
)
def test_the_rfcs_message_is_refused_with_anything_changed(changed: dict[str, str]) -> None:
    with pytest.raises(HTTPMessageSignaturesException):
        rfc_verified(**changed)


def test_the_rfcs_message_is_not_of_our_profile() -> None:
    with pytest.raises(SignatureError) as refused:
        verify(
            method="POST",
            url=RFC_URL,
            headers=RFC_HEADERS,
            body=b"",
            key_for=lambda name: rfc_key().public_key(),
            now=datetime.fromtimestamp(1618884473, tz=UTC),
        )
    assert refused.value.problem is ProblemType.SIGNATURE


def test_the_library_makes_the_signature_of_rfc_9421_b_2_6() -> None:
    key = rfc_key()
    message = _Message(
        "POST",
        RFC_URL,
        {
            "Host": "example.com",
            "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "Content-Type": "application/json",
            "Content-Length": "18",
        },
    )
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_Key(key))
    signer.sign(
        message,
        key_id="test-key-ed25519",
        created=datetime.fromtimestamp(1618884473, tz=UTC),
        label="sig-b26",
        include_alg=False,
        covered_component_ids=(
            "date",
            "@method",
            "@path",
            "@authority",
            "content-type",
            "content-length",
        ),
    )
    assert message.headers["Signature"] == RFC_HEADERS["Signature"]
