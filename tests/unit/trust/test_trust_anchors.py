from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import AnchorsError
from mykey_tui.simulated import anchors_dir
from mykey_tui.simulated.ca import TEST_POLICY, generation
from mykey_tui.trust.anchors import (
    ANCHOR_FILES_MAX,
    JPKI_AUTHENTICATION_POLICY,
    POLICIES_FILE,
    Anchors,
    load_anchors,
)


def pem(number: int) -> bytes:
    return (anchors_dir() / f"test-ca-{number}.pem").read_bytes()


def test_the_simulated_anchors_are_three_generations_under_one_name(anchors: Anchors) -> None:
    assert len(anchors.certificates) == 3
    assert len({anchor.subject_der for anchor in anchors.certificates}) == 1
    assert len({anchor.key_id for anchor in anchors.certificates}) == 3
    assert anchors.policies == {TEST_POLICY}


def test_a_folder_that_is_absent_or_empty_gives_no_anchors(tmp_path: Path) -> None:
    assert not load_anchors(tmp_path / "nowhere")
    assert not load_anchors(tmp_path)


def test_without_a_policies_file_only_the_real_policy_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pem(3))
    assert load_anchors(tmp_path).policies == {JPKI_AUTHENTICATION_POLICY}


def test_der_pem_and_several_in_one_file_are_read_and_counted_once(tmp_path: Path) -> None:
    (tmp_path / "one.der").write_bytes(generation(1).certificate.public_bytes(Encoding.DER))
    (tmp_path / "all.PEM").write_bytes(pem(1) + pem(2) + pem(3))
    (tmp_path / "README.md").write_text("not looked at")

    assert len(load_anchors(tmp_path).certificates) == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("garbage.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("empty.crt", b""),
        ("cut.der", generation(1).certificate.public_bytes(Encoding.DER)[:-1]),
        ("huge.pem", bytes(20_000)),
        (POLICIES_FILE, b"1.2.392\nnot an oid\n"),
        (POLICIES_FILE, b"# nothing\n"),
        (POLICIES_FILE, b"1.2." * 9000),
    ],
)
def test_one_bad_file_makes_the_whole_folder_unusable_and_is_named(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "good.pem").write_bytes(pem(3))
    (tmp_path / name).write_bytes(content)

    with pytest.raises(AnchorsError) as caught:
        load_anchors(tmp_path)
    assert caught.value.entry == name
    assert caught.value.code is Code.TRUST_NO_ANCHORS


def test_a_wrong_folder_is_noticed_and_not_read(tmp_path: Path) -> None:
    for number in range(ANCHOR_FILES_MAX + 1):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(AnchorsError):
        load_anchors(tmp_path)


def test_no_more_ca_certificates_are_taken_than_one_judgement_may_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mykey_tui.trust.anchors.ANCHORS_MAX", 2)
    (tmp_path / "all.pem").write_bytes(pem(1) + pem(2) + pem(3))
    with pytest.raises(AnchorsError, match="more than 2"):
        load_anchors(tmp_path)


def test_the_anchors_folder_holds_no_private_key() -> None:
    for path in anchors_dir().iterdir():
        assert b"PRIVATE" not in path.read_bytes()
    assert all(
        isinstance(x509.load_pem_x509_certificate(path.read_bytes()), x509.Certificate)
        for path in anchors_dir().glob("*.pem")
    )
