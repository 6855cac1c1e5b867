"""OpenSC as an outside judge: what its own code says of the emulated card."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from mykey_tui.card.connection import CardArrived
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.domain.errors import PinError
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.pcsc import PcscReader
from tests.pcscd.looking import next_event, read
from tests.pcscd.private_pcscd import SLOTS

pytestmark = [pytest.mark.pcscd, pytest.mark.opensc]
Lay = Callable[..., Any]
Run = Callable[..., str]
READER = SLOTS[0][1]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs one of OpenSC's programs; gives what it printed."""

    def run(program: str, *arguments: str) -> str:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (package opensc or openssl)")
        # Its own home, so that no file of an earlier card comes out of a cache.
        environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def laid_card(reader: PcscReader, lay: Lay, card: CardFile) -> Iterator[CardFile]:
    with lay(card):
        next_event(reader, CardArrived)
        yield card


def pem_to_der(text: str) -> bytes:
    begin = text.index("-----BEGIN CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(text[begin:].strip() + "\n")


def tries_left(listing: str) -> list[int]:
    return [int(line.split(":")[1]) for line in listing.splitlines() if "Tries left" in line]


@pytest.mark.usefixtures("laid_card")
def test_opensc_recognises_the_card(run: Run) -> None:
    assert run("opensc-tool", "--reader", READER, "--name").strip() == "jpki"


def test_opensc_reads_the_same_certificate_byte_for_byte(
    run: Run, reader: PcscReader, laid_card: CardFile
) -> None:
    printed = run("pkcs15-tool", "--reader", READER, "--read-certificate", "1")
    assert pem_to_der(printed) == laid_card.files[0x000A] == read(reader)


@pytest.mark.usefixtures("laid_card")
def test_opensc_counts_the_same_tries(run: Run, reader: PcscReader) -> None:
    assert tries_left(run("pkcs15-tool", "--reader", READER, "--list-pins")) == [3, 5]
    with reader.session() as connection:
        applet = JpkiApplet(connection)
        applet.select()
        with pytest.raises(PinError):
            applet.verify_pin("0000")
        assert applet.pin_tries_left() == 2
    assert tries_left(run("pkcs15-tool", "--reader", READER, "--list-pins")) == [2, 5]


def test_a_signature_made_through_pkcs11_is_verified_by_openssl(
    run: Run, laid_card: CardFile, tmp_path: Path
) -> None:
    modules = sorted(Path("/usr/lib").glob("**/opensc-pkcs11.so"))
    if not modules:
        pytest.skip("opensc-pkcs11.so is not installed (package opensc-pkcs11)")
    challenge, signature, key = (tmp_path / name for name in ("challenge", "signature", "key.pem"))
    challenge.write_bytes(b"challenge")
    public = load_der_x509_certificate(laid_card.files[0x000A]).public_key()
    key.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    run(
        "pkcs11-tool",
        *("--module", str(modules[0]), "--token-label", "JPKI (User Authentication PIN)"),
        *("--login", "--pin", "1234", "--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", "01"),
        *("--input-file", str(challenge), "--output-file", str(signature)),
    )
    verified = run(
        "openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature),
        str(challenge),
    )  # fmt: skip
    assert verified.strip() == "Verified OK"
