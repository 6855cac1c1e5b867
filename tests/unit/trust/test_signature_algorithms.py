"""The signature: by the anchor's key, by an algorithm of the list, and by the one that is signed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from mykey_tui.domain.codes import Code
from mykey_tui.domain.verdict import Accepted, Refused
from mykey_tui.simulated.ca import TEST_CA_NAME, TEST_POLICY, generation
from mykey_tui.trust.anchors import Anchors, load_anchors
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.trust.chain import judge
from mykey_tui.trust.der import parts_of

SHA1, SHA256, SHA384, SHA512 = (
    bytes.fromhex(f"300d06092a864886f70d0101{number}0500") for number in ("05", "0b", "0c", "0d")
)
SHA256_WITHOUT_NULL = bytes.fromhex("300b06092a864886f70d01010b")
ECDSA_SHA256, ECDSA_SHA384 = (bytes.fromhex(f"300a06082a8648ce3d0403{n}") for n in ("02", "03"))
FORGED = Refused(Code.CERTIFICATE_FORGED)


def element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    field = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(field)]) + field + content


def naming(der: bytes, inner: bytes) -> bytes:
    """The signed part of a certificate, with another algorithm named in it."""
    parts = parts_of(parts_of(der)[0])
    parts[2] = inner
    return element(0x30, b"".join(parts))


def certificate(tbs: bytes, outer: bytes, signature: bytes) -> bytes:
    return element(0x30, tbs + outer + element(0x03, b"\x00" + signature))


def rsa_signed(
    der: bytes, digest: hashes.HashAlgorithm, *, inner: bytes, outer: bytes, pss: bool = False
) -> bytes:
    """Signed anew by the CA's own key: nothing is wrong but what the arguments say."""
    tbs = naming(der, inner)
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if pss:
        scheme = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    return certificate(tbs, outer, generation(3).key.sign(tbs, scheme, digest))


@pytest.mark.parametrize(
    ("digest", "named"),
    [(hashes.SHA256(), SHA256), (hashes.SHA384(), SHA384), (hashes.SHA512(), SHA512)],
)
def test_sha_256_and_better_are_taken(
    digest: hashes.HashAlgorithm,
    named: bytes,
    vectors: dict[str, bytes],
    anchors: Anchors,
    at: datetime,
) -> None:
    der = rsa_signed(vectors["good-generation-3"], digest, inner=named, outer=named)
    assert isinstance(judge(der, anchors, at=at), Accepted)


@pytest.mark.parametrize(
    ("inner", "outer"), [(SHA384, SHA256), (SHA1, SHA256), (SHA256_WITHOUT_NULL, SHA256)]
)
def test_a_good_signature_by_another_algorithm_than_the_signed_one_is_refused(
    inner: bytes, outer: bytes, vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    der = rsa_signed(vectors["good-generation-3"], hashes.SHA256(), inner=inner, outer=outer)
    assert judge(der, anchors, at=at) == FORGED


def test_a_good_signature_over_sha_1_is_refused(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    good, digest = vectors["good-generation-3"], hashes.SHA1()  # noqa: S303  # what is refused
    assert judge(rsa_signed(good, digest, inner=SHA1, outer=SHA1), anchors, at=at) == FORGED


def test_a_good_signature_with_another_padding_is_refused(
    vectors: dict[str, bytes], anchors: Anchors, at: datetime
) -> None:
    good = vectors["good-generation-3"]
    der = rsa_signed(good, hashes.SHA256(), inner=SHA256, outer=SHA256, pss=True)
    assert judge(der, anchors, at=at) == FORGED


@pytest.fixture
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def ec_anchors(ec_key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> Anchors:
    """A CA generation with an EC key, as JPKI has announced one."""
    ca = (
        x509.CertificateBuilder(TEST_CA_NAME, TEST_CA_NAME, ec_key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(ec_key, hashes.SHA384())
    )
    (tmp_path / "ec.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    (tmp_path / "policies.txt").write_text(TEST_POLICY)
    return load_anchors(tmp_path)


@pytest.mark.parametrize(
    ("digest", "named"), [(hashes.SHA256(), ECDSA_SHA256), (hashes.SHA384(), ECDSA_SHA384)]
)
def test_a_ca_with_an_elliptic_key_vouches_for_what_it_signed(
    digest: hashes.HashAlgorithm,
    named: bytes,
    vectors: dict[str, bytes],
    ec_key: ec.EllipticCurvePrivateKey,
    ec_anchors: Anchors,
    at: datetime,
) -> None:
    tbs = naming(vectors["good-generation-3"], named)
    signature = ec_key.sign(tbs, ec.ECDSA(digest))
    assert isinstance(judge(certificate(tbs, named, signature), ec_anchors, at=at), Accepted)

    changed = tbs.replace(b"1C2410DF79DGEL", b"1C2410DF79DGEM")
    forged = parse_certificate(certificate(changed, named, signature))
    assert not ec_anchors.certificates[0].signed(forged)


def test_an_algorithm_for_another_kind_of_key_is_refused(
    vectors: dict[str, bytes], ec_key: ec.EllipticCurvePrivateKey, ec_anchors: Anchors
) -> None:
    (anchor,) = ec_anchors.certificates
    assert not anchor.signed(parse_certificate(vectors["good-generation-3"]))

    tbs = naming(vectors["good-generation-3"], SHA256)
    der = certificate(tbs, SHA256, ec_key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    assert not anchor.signed(parse_certificate(der))
