"""Whom the counter believes on the line: the one CA of its enrolment, or the public ones.

There is no way to switch the check off. `fetch_authority` alone speaks to a server that is not
proven yet; it sends nothing and takes nothing but certificates, and believes only one whose
fingerprint a person has typed.
"""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import LineError, ServerError
from mykey_tui.domain.fingerprint import pin_of

CONNECT_SECONDS = 5.0
CHAIN_MAX = 8
"""Certificates looked at; a private chain has two."""
CA_FILE_BYTES_MAX = 16 * 1024
_CAUSES_MAX = 16

_NOT_YET_VALID, _EXPIRED = 9, 10
_TIME = frozenset({_NOT_YET_VALID, _EXPIRED})
_NAME = frozenset({62, 64, 47, 48})
"""Host name, IP address; and a name outside of what the CA may speak for (X509_V_ERR_*)."""


def trust_of(server_ca: bytes | None) -> ssl.SSLContext | bool:
    """What httpx takes as `verify`: this CA alone (DER), or True for the public ones.

    Raises:
        ServerError: SERVER_TLS where the bytes are no certificate.
    """
    if server_ca is None:
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks chain and host name, both required
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=server_ca)
    except ssl.SSLError as error:
        raise ServerError(Code.SERVER_TLS, "the CA of this counter cannot be read") from error
    return context


def read_ca_file(path: Path) -> bytes:
    """The CA certificate of a PEM file, as DER.

    Raises:
        ValueError: no such file, too large, not exactly one certificate, or no CA.
    """
    try:
        with path.open("rb") as file:
            content = file.read(CA_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > CA_FILE_BYTES_MAX:
        raise ValueError(f"{path} is too large for one certificate")
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise ValueError(f"{path} holds no certificate in PEM") from error
    if len(certificates) != 1 or not _is_authority(certificates[0]):
        raise ValueError(f"{path} does not hold one CA certificate")
    return certificates[0].public_bytes(Encoding.DER)


def fetch_authority(server_url: str, pin: str) -> bytes:
    """The CA that the server shows behind its own certificate, if it has this pin. DER.

    The handshake itself proves nothing here: what counts is the pin, and the next connection
    checks everything against the CA that was found.

    Raises:
        LineError: not reached. ServerError: ENROL_PIN when no such CA was shown.
    """
    parts = urlsplit(server_url)
    host, port = parts.hostname or "", parts.port or 443
    for der in _shown_chain(host, port)[:CHAIN_MAX]:
        if pin_of(der) == pin and _is_authority(_loaded(der)):
            return der
    raise ServerError(Code.ENROL_PIN)


def tls_failure(error: BaseException) -> ServerError | None:
    """What a failed connection says of the server's certificate; None where it was another fault."""
    for _ in range(_CAUSES_MAX):
        if isinstance(error, ssl.SSLCertVerificationError):
            return ServerError(_code_of(error.verify_code), f"certificate: {error.verify_code}")
        following = error.__cause__ or error.__context__
        if following is None:
            return None
        error = following
    return None


def _code_of(verify_code: int) -> Code:
    if verify_code in _TIME:
        return Code.SERVER_TLS_TIME
    return Code.SERVER_TLS_NAME if verify_code in _NAME else Code.SERVER_TLS


def _shown_chain(host: str, port: int) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Nothing is believed of this connection and nothing is sent on it; see `fetch_authority`.
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), CONNECT_SECONDS) as line,
            context.wrap_socket(line, server_hostname=host) as tls,
        ):
            return _unverified_chain(tls)
    except ssl.SSLError as error:
        raise ServerError(Code.ENROL_PIN, "no TLS server") from error
    except (OSError, UnicodeError) as error:
        raise LineError(type(error).__name__) from error


def _unverified_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """The certificates as shown, DER. Public since Python 3.13; before, the same under the hood."""
    if sys.version_info >= (3, 13):
        return list(tls.get_unverified_chain())
    shown = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # private
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in shown or ()]


def _loaded(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _is_authority(certificate: x509.Certificate | None) -> bool:
    if certificate is None:
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
