from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mykey_tui.domain.errors import MalformedCertificateError
from mykey_tui.trust.certificate import parse_certificate


def test_the_fields_of_a_good_certificate_are_read(vectors: dict[str, bytes]) -> None:
    certificate = parse_certificate(vectors["good-generation-3"])

    assert certificate.cn_text == "1C2410DF79DGEL07202002B"
    assert certificate.serial == 0x06D18006
    assert certificate.not_before == datetime(2026, 5, 1, tzinfo=UTC)
    assert certificate.not_after == datetime(2031, 2, 17, tzinfo=UTC)
    assert certificate.key_description == "RSA 2048"
    assert "SIMULATED" in certificate.issuer_text
    assert len(certificate.tbs_digest) == 32


def test_a_refused_certificate_can_still_be_shown(vectors: dict[str, bytes]) -> None:
    assert parse_certificate(vectors["2-cn-of-22"]).cn_text == "1C2410DF79DGEL07202002"
    assert parse_certificate(vectors["2-locality-too"]).cn_text == ""
    assert parse_certificate(vectors["9-ed25519"]).key_description == "unknown"


@pytest.mark.parametrize("show", [repr, str])
def test_no_certificate_shows_its_owner_by_accident(
    show: Callable[[object], str], vectors: dict[str, bytes]
) -> None:
    certificate = parse_certificate(vectors["good-generation-3"])
    assert "1C2410" not in show(certificate) + show(certificate.ref)


def test_an_error_quotes_nothing_of_the_certificate(vectors: dict[str, bytes]) -> None:
    with pytest.raises(MalformedCertificateError) as caught:
        parse_certificate(vectors["1-truncated"])

    assert "1C2410" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_two_cards_of_one_person_have_other_digests(vectors: dict[str, bytes]) -> None:
    one, two = (parse_certificate(vectors[f"good-generation-{n}"]) for n in (2, 3))
    assert one.tbs_digest != two.tbs_digest
