"""A certificate authority of the operator's own, for the line between counters and this server.

A folder holds it: `ca.pem` and `ca.key` (made once, for twenty years; counters trust this CA and no
other), `server.pem` and `server.key` (made again by `renew`, before they end). The CA may speak only
for the hosts that it was made for (RFC 5280 name constraints), so that its key, stolen, opens no
other door.

Both begin in 2020 and not today. A counter without a clock battery wakes up years behind; a
certificate of a CA that did not exist yet cannot have been misused then, so an early beginning
costs nothing and lets such a box speak. Its requests are judged by the server's time anyway.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mykey_server.tls_names import (
    TlsError,
    as_constraint,
    constraints_of,
    names_in,
    names_of,
    permitted_by,
)
from mykey_tui.domain.fingerprint import pin_of

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
AUTHORITY_LIFETIME = timedelta(days=20 * 365)
SERVER_LIFETIME = timedelta(days=3 * 365)
RENEW_BEFORE = timedelta(days=60)
"""From here on `serve` says at each start that `tls renew` is due."""

_PEM_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class TlsFolder:
    """Where the four files lie."""

    path: Path

    @property
    def authority(self) -> Path:
        """What counters trust; no secret."""
        return self.path / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """Needed by `renew` alone: may be kept elsewhere, off this machine."""
        return self.path / "ca.key"

    @property
    def chain(self) -> Path:
        """The server's certificate and the CA's behind it, as the server shows them."""
        return self.path / "server.pem"

    @property
    def key(self) -> Path:
        """The server's own key."""
        return self.path / "server.key"


@dataclass(frozen=True, slots=True)
class TlsReport:
    """What an operator needs to know of a folder."""

    pin: str
    """What is read out at enrolment."""
    hosts: tuple[str, ...]
    server_until: datetime
    authority_until: datetime


def make(folder: TlsFolder, hosts: list[str], *, now: datetime) -> TlsReport:
    """Make the CA and the first server certificate for `hosts` (names or addresses).

    Raises:
        TlsError: `tls-exists` where there is a CA already, `tls-host` for a host that is none.
        OSError: the disk does not take it.
    """
    names = names_of(hosts)
    if folder.authority.exists():
        raise TlsError(
            "tls-exists", f"{folder.path} holds a CA; counters trust it. To renew: tls renew"
        )
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority(key, names, now)
    # The certificate last: what was cut off here is no CA, and `make` starts anew by itself.
    _write(folder.authority_key, _pem_of_key(key))
    _write(folder.authority, certificate.public_bytes(Encoding.PEM))
    return _issue(folder, certificate, key, names, now)


def renew(folder: TlsFolder, hosts: list[str], *, now: datetime) -> TlsReport:
    """Make a new server key and certificate; without `hosts` for the same as before.

    Counters notice nothing. The server takes the new files at its next start.

    Raises:
        TlsError: `tls-none`, `tls-broken`, `tls-host` (also for a host that the CA may not speak
            for), `tls-ended` when the CA itself ends first.
    """
    certificate = read_authority(folder)
    key = _authority_key(folder)
    names = names_of(hosts) if hosts else names_in(_server_certificate(folder))
    allowed = {str(name.value) for name in permitted_by(certificate)}
    strangers = [str(name.value) for name in names if as_constraint(name) not in allowed]
    if strangers:
        raise TlsError(
            "tls-host", f"this CA may not speak for {', '.join(strangers)}: make a new one"
        )
    if certificate.not_valid_after_utc < now + RENEW_BEFORE:
        raise TlsError(
            "tls-ended", "the CA itself ends: make a new one, and enrol the counters anew"
        )
    return _issue(folder, certificate, key, names, now)


def report(folder: TlsFolder) -> TlsReport:
    """The folder as it stands. Raises `TlsError` (`tls-none`, `tls-broken`)."""
    authority, server = read_authority(folder), _server_certificate(folder)
    return TlsReport(
        pin=pin_of(authority.public_bytes(Encoding.DER)),
        hosts=tuple(str(name.value) for name in names_in(server)),
        server_until=server.not_valid_after_utc,
        authority_until=authority.not_valid_after_utc,
    )


def read_authority(folder: TlsFolder) -> x509.Certificate:
    """The CA's certificate. Raises `TlsError` (`tls-none`, `tls-broken`)."""
    return _certificate(folder.authority)


def _authority(
    key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], now: datetime
) -> x509.Certificate:
    public_key = key.public_key()
    name = _subject("mykey-server private CA")
    return (
        _certificate_for(name, name, public_key, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(constraints_of(names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256())
    )


def _issue(
    folder: TlsFolder,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: list[x509.GeneralName],
    now: datetime,
) -> TlsReport:
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = key.public_key()
    until = min(now + SERVER_LIFETIME, authority.not_valid_after_utc)
    certificate = (
        _certificate_for(_subject("mykey-server"), authority.subject, public_key, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    chain = certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
    _write(folder.key, _pem_of_key(key))
    _write(folder.chain, chain)
    return report(folder)


def _certificate_for(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(until.replace(microsecond=0))
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _server_certificate(folder: TlsFolder) -> x509.Certificate:
    return _certificate(folder.chain)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise TlsError("tls-broken", f"{path.name} is no certificate") from error


def _authority_key(folder: TlsFolder) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(_read(folder.authority_key), password=None)
    except (ValueError, TypeError) as error:
        raise TlsError("tls-broken", "ca.key is no key without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TlsError("tls-broken", "ca.key is no key of this program")
    if key.public_key() != read_authority(folder).public_key():
        raise TlsError("tls-broken", "ca.key does not belong to ca.pem")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_PEM_BYTES_MAX)
    except FileNotFoundError as error:
        raise TlsError("tls-none", f"there is no {path}: mykey-server tls make") from error


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone, durable when this returns."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
