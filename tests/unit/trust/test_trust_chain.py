"""Each numbered check of the chain has at least one certificate that fails it and none before it."""

import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.verdict import Accepted, Refused, Undecided
from mykey_tui.simulated import anchors_dir
from mykey_tui.trust.anchors import Anchors, load_anchors
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.trust.chain import CLOCK_FLOOR, judge

FOLDER = Path(__file__).parents[2] / "vectors" / "certs"

REFUSALS = {
    "1-truncated": Code.CERTIFICATE_MALFORMED,
    "1-bytes-behind": Code.CERTIFICATE_MALFORMED,
    "1-too-long": Code.CERTIFICATE_MALFORMED,
    "1-unknown-critical-extension": Code.CERTIFICATE_MALFORMED,
    "1-serial-negative": Code.CERTIFICATE_MALFORMED,
    "2-cn-of-22": Code.CERTIFICATE_MALFORMED,
    "2-cn-of-24": Code.CERTIFICATE_MALFORMED,
    "2-cn-in-lower-case": Code.CERTIFICATE_MALFORMED,
    "2-other-country": Code.CERTIFICATE_MALFORMED,
    "2-two-cns": Code.CERTIFICATE_MALFORMED,
    "2-locality-too": Code.CERTIFICATE_MALFORMED,
    "3-other-ca": Code.CERTIFICATE_UNKNOWN_ISSUER,
    "4-forged": Code.CERTIFICATE_FORGED,
    "4-generation-not-installed": Code.CERTIFICATE_UNKNOWN_ISSUER,
    "5-issued-before-the-ca-began": Code.CERTIFICATE_UNKNOWN_ISSUER,
    "5-issued-after-the-ca-ended": Code.CERTIFICATE_UNKNOWN_ISSUER,
    "6-expired": Code.CERTIFICATE_EXPIRED,
    "6-not-yet-valid": Code.CERTIFICATE_NOT_YET_VALID,
    "6-outlives-its-ca": Code.CERTIFICATE_EXPIRED,
    "7-non-repudiation-too": Code.CERTIFICATE_WRONG_USAGE,
    "7-usage-not-critical": Code.CERTIFICATE_WRONG_USAGE,
    "7-no-usage": Code.CERTIFICATE_WRONG_USAGE,
    "7-is-a-ca": Code.CERTIFICATE_WRONG_USAGE,
    "8-signature-policy": Code.CERTIFICATE_WRONG_POLICY,
    "8-no-policy": Code.CERTIFICATE_WRONG_POLICY,
    "9-rsa-of-1024-bits": Code.CERTIFICATE_WRONG_USAGE,
    "9-ed25519": Code.CERTIFICATE_WRONG_USAGE,
}
"""`5-issuer-is-no-ca` needs another anchors folder and has a test of its own."""


@pytest.mark.parametrize(("name", "code"), REFUSALS.items())
def test_a_certificate_that_fails_one_check_is_refused_with_its_code(
    name: str, code: Code, vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    verdict = judge(vectors[name], anchors, at=at)

    assert isinstance(verdict, Refused)
    assert verdict.reason is code


def test_every_vector_is_judged_by_a_test(vectors: dict[str, bytes]) -> None:
    judged = {*REFUSALS, "5-issuer-is-no-ca", "good-generation-2", "good-generation-3"}
    assert set(vectors) == judged
    assert {name[0] for name in REFUSALS} == set("123456789")


def test_the_vectors_are_what_the_script_beside_them_makes(vectors: dict[str, bytes]) -> None:
    assert runpy.run_path(str(FOLDER / "make_certs.py"))["vectors"]() == vectors


@pytest.mark.parametrize("name", ["good-generation-2", "good-generation-3"])
def test_a_card_of_each_living_ca_generation_is_accepted(
    name: str, vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    verdict = judge(vectors[name], anchors, at=at)

    assert isinstance(verdict, Accepted)
    assert verdict.cn.text == "1C2410DF79DGEL07202002B"
    assert verdict.certificate == parse_certificate(vectors[name]).ref
    assert verdict.certificate.serial == 0x06D18006


def test_the_order_of_the_anchors_does_not_matter(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    turned = Anchors(anchors.certificates[::-1], anchors.policies)

    for name, der in vectors.items():
        assert judge(der, turned, at=at) == judge(der, anchors, at=at), name


def test_an_anchor_that_is_no_ca_vouches_for_nobody(
    vectors: dict[str, bytes], at: datetime, tmp_path: Path
) -> None:
    folder = tmp_path / "anchors"
    folder.mkdir()
    (folder / "policies.txt").write_bytes((anchors_dir() / "policies.txt").read_bytes())
    (folder / "no-ca.pem").write_bytes((FOLDER / "anchor-that-is-no-ca.pem").read_bytes())
    anchors = load_anchors(folder)
    der = vectors["5-issuer-is-no-ca"]
    assert anchors.certificates[0].signed(parse_certificate(der))

    assert judge(der, anchors, at=at) == Refused(Code.CERTIFICATE_UNKNOWN_ISSUER)


def test_a_card_ends_at_the_latest_with_the_ca_that_vouches_for_it(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    end_of_generation_2 = datetime(2029, 9, 13, tzinfo=UTC)
    der = vectors["good-generation-2"]

    verdict = judge(der, anchors, at=at)
    assert isinstance(verdict, Accepted)
    assert verdict.not_after == end_of_generation_2
    after = end_of_generation_2 + timedelta(seconds=1)
    assert judge(der, anchors, at=after) == Refused(Code.CERTIFICATE_EXPIRED, end_of_generation_2)


def test_an_old_card_of_an_ended_ca_is_told_that_it_has_expired_and_when(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    verdict = judge(vectors["6-outlives-its-ca"], anchors, at=at)
    assert verdict == Refused(Code.CERTIFICATE_EXPIRED, datetime(2025, 10, 19, tzinfo=UTC))


def test_a_certificate_is_good_in_its_first_and_its_last_second_and_not_beside_them(
    vectors: dict[str, bytes], anchors: Anchors
) -> None:
    der = vectors["good-generation-3"]
    first, last = datetime(2026, 5, 1, tzinfo=UTC), datetime(2031, 2, 17, tzinfo=UTC)
    second = timedelta(seconds=1)

    assert isinstance(judge(der, anchors, at=first), Accepted)
    assert isinstance(judge(der, anchors, at=last), Accepted)
    assert judge(der, anchors, at=first - second) == Refused(Code.CERTIFICATE_NOT_YET_VALID)
    assert judge(der, anchors, at=last + second) == Refused(Code.CERTIFICATE_EXPIRED, last)


def test_without_any_anchor_it_could_not_be_told(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    none = Anchors((), anchors.policies)
    assert judge(vectors["good-generation-3"], none, at=at) == Undecided(Code.TRUST_NO_ANCHORS)


def test_a_dead_clock_makes_it_undecided_and_a_forgery_stays_a_forgery(
    vectors: dict[str, bytes], anchors: Anchors
) -> None:
    dead = datetime(1970, 1, 1, tzinfo=UTC)

    assert judge(vectors["good-generation-3"], anchors, at=dead) == Undecided(Code.TRUST_CLOCK)
    assert judge(vectors["4-forged"], anchors, at=dead) == Refused(Code.CERTIFICATE_FORGED)


def test_the_clock_floor_lies_in_the_past() -> None:
    assert datetime.now(UTC) >= CLOCK_FLOOR


def test_what_does_not_fit_a_sealed_mutation_is_no_certificate(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    assert len(vectors["1-too-long"]) > 2048
    for content in (b"", b"\x30\x80", bytes(5000)):
        assert judge(content, anchors, at=at) == Refused(Code.CERTIFICATE_MALFORMED)
