"""Makes what lies under `data/`: `python -m mykey_tui.simulated.make_ca DIRECTORY`.

Run once; its result is in the repository, because keys take seconds to make and a counter that was
enrolled with one test CA would not know the cards of the next. It never overwrites a file.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mykey_tui.simulated.ca import CARD_KEYS, OTHER_CA_NAME, TEST_CA_NAME, TEST_POLICY

RSA_BITS = 2048
VALIDITY = {
    # The first has ended and the second overlaps with the third, as with the real CA. The third
    # lives longer than a real one (ten years), so that the demo does.
    1: (datetime(2015, 10, 20, tzinfo=UTC), datetime(2025, 10, 19, tzinfo=UTC)),
    2: (datetime(2019, 9, 14, tzinfo=UTC), datetime(2029, 9, 13, tzinfo=UTC)),
    3: (datetime(2023, 7, 16, tzinfo=UTC), datetime(2043, 7, 15, tzinfo=UTC)),
}
README = """\
# SIMULATED

Certificates and private keys of the test CA and of sample cards. The keys are published here, so
nothing that they sign is worth anything. A counter trusts `anchors/` in the profile `simulated`
only, and says SIMULATED on every screen.

Made by `python -m mykey_tui.simulated.make_ca DIRECTORY`.

- `anchors/`: three generations of the test CA under one name, and the policy that they issue under
- `foreign/`: a CA of another name, and one that took the test CA's name
- `keys/`: the private keys of all five, and a pool for sample cards
"""


def make_all(directory: Path) -> None:
    """Make every file under `directory`. Raises `FileExistsError` before any is overwritten."""
    for folder in ("anchors", "foreign", "keys"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    _write(directory / "README.md", README.encode())
    _write(directory / "anchors" / "policies.txt", f"# SIMULATED\n{TEST_POLICY}\n".encode())
    for number, validity in VALIDITY.items():
        key = _make_key(directory, f"test-ca-{number}")
        certificate = self_signed(TEST_CA_NAME, key, serial=number, validity=validity)
        _write(directory / "anchors" / f"test-ca-{number}.pem", _pem(certificate))
    for serial, (name, subject) in enumerate(
        (("other-ca", OTHER_CA_NAME), ("forger", TEST_CA_NAME)), start=101
    ):
        key = _make_key(directory, name)
        certificate = self_signed(subject, key, serial=serial, validity=VALIDITY[3])
        _write(directory / "foreign" / f"{name}.pem", _pem(certificate))
    for number in range(CARD_KEYS):
        _make_key(directory, f"card-{number:02d}")


def self_signed(
    name: x509.Name, key: rsa.RSAPrivateKey, *, serial: int, validity: tuple[datetime, datetime]
) -> x509.Certificate:
    """A CA certificate with what RFC 5280 wants of one."""
    public_key = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), critical=False
        )
        .sign(key, SHA256())
    )


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _make_key(directory: Path, name: str) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(directory / "keys" / f"{name}.pem", pem)
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m mykey_tui.simulated.make_ca DIRECTORY")
    make_all(Path(sys.argv[1]))
