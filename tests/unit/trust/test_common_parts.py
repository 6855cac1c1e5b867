"""What is read by way of remembered bytes is what the library reads, for every certificate."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography import x509

from mykey_tui.domain.errors import MalformedCertificateError
from mykey_tui.simulated.cards import make_card
from mykey_tui.trust import certificate as module
from mykey_tui.trust import common
from mykey_tui.trust.certificate import UNREADABLE, AuthCertificate, parse_certificate, quietly
from mykey_tui.trust.der import parts_of
from tests.unit.trust.test_certificate_fuzz import mutant

MUTANTS = 2000


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    common._remembered.clear()
    yield
    common._remembered.clear()


def fields(certificate: AuthCertificate) -> tuple[object, ...]:
    """All that a judgement looks at."""
    return (
        certificate.cn_text,
        certificate.issuer_der,
        certificate.key_usage,
        certificate.is_ca,
        certificate.policies,
        certificate.authority_key_id,
        certificate.unknown_critical,
    )


def read_by_the_library(der: bytes) -> tuple[object, ...]:
    """The same, each part by the library's own objects."""
    decoded = x509.load_der_x509_certificate(der)
    parts = common._read(decoded)
    return (
        module._read_common_name(decoded.subject),
        decoded.issuer.public_bytes(),
        parts.key_usage,
        parts.is_ca,
        parts.policies,
        parts.authority_key_id,
        parts.unknown_critical,
    )


def assert_one_truth(der: bytes) -> bool:
    """Both ways read the same, or both refuse. Returns whether they could read it."""
    try:
        with quietly():
            expected = read_by_the_library(der)
    except UNREADABLE:
        with pytest.raises(MalformedCertificateError):
            parse_certificate(der)
        return False
    try:
        certificate = parse_certificate(der)
    except MalformedCertificateError:
        return False  # A version or a serial number that the library lets pass.
    assert fields(certificate) == expected
    assert certificate.tbs_der == certificate.decoded.tbs_certificate_bytes
    return True


def test_every_vector_is_read_as_the_library_reads_it(vectors: dict[str, bytes]) -> None:
    for _ in range(2):  # The second time from what was remembered.
        read = [name for name, der in vectors.items() if assert_one_truth(der)]
        assert len(read) > 20


def test_every_mutant_is_read_as_the_library_reads_it(vectors: dict[str, bytes]) -> None:
    good, source = vectors["good-generation-3"], random.Random(20261123)  # noqa: S311  # a seed
    parse_certificate(good)
    assert sum(assert_one_truth(mutant(good, source)) for _ in range(MUTANTS)) > MUTANTS // 10


def test_cards_of_one_ca_share_what_is_remembered() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    cards = [make_card(f"M{n:013d}07202002B", at=at).files[0x000A] for n in range(9)]

    read = [parse_certificate(der) for der in cards]

    assert len(common._remembered) == 1
    assert len({certificate.cn_text for certificate in read}) == len(cards)
    assert all(assert_one_truth(der) for der in cards)


def test_who_forgets_more_than_the_key_identifier_is_found(
    vectors: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teeth: by the first bytes of an extension alone, two policies look alike."""
    monkeypatch.setattr(common, "_without_key_id", lambda extension: extension[:11])
    parse_certificate(vectors["good-generation-3"])
    with pytest.raises(AssertionError):
        assert_one_truth(vectors["8-signature-policy"])


def test_what_cannot_be_read_is_not_remembered(vectors: dict[str, bytes]) -> None:
    good = vectors["good-generation-3"]
    key_usage = bytes.fromhex("0603551d0f0101ff0404")
    broken = good.replace(key_usage + b"\x03", key_usage + b"\x05")
    assert broken != good
    for _ in range(2):
        with pytest.raises(MalformedCertificateError):
            parse_certificate(broken)
    assert not common._remembered


def test_no_more_is_remembered_than_a_bound_allows(
    vectors: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "REMEMBERED_MAX", 2)
    for der in vectors.values():
        assert_one_truth(der)
        assert len(common._remembered) <= 2


def test_parts_are_cut_where_their_lengths_say() -> None:
    short, long = b"\x04\x03abc", b"\x04\x81\x80" + bytes(128)
    longer = b"\x04\x82\x01\x00" + bytes(256)
    content = short + long + longer + b"\x05\x00"
    element = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    assert parts_of(element) == [short, long, longer, b"\x05\x00"]
    assert parts_of(b"\x30\x00") == []
