"""For which hosts a certificate speaks, and for which a CA may: names and addresses (RFC 5280)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from cryptography import x509

from mykey_server.services.admin import AdminRefusedError

HOSTS_MAX = 32
_LABEL_MAX, _NAME_MAX = 63, 253
_EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class TlsError(AdminRefusedError):
    """The folder cannot be made or used."""


def constraints_of(names: list[x509.GeneralName]) -> x509.NameConstraints:
    """Only these hosts. A kind of name that nobody asked for is shut out as a whole."""
    permitted = [_constraint(name) for name in names]
    excluded: list[x509.GeneralName] = []
    if not any(isinstance(name, x509.IPAddress) for name in names):
        excluded += [x509.IPAddress(network) for network in _EVERYTHING]
    if not any(isinstance(name, x509.DNSName) for name in names):
        excluded.append(x509.DNSName(""))
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded or None)


def _constraint(name: x509.GeneralName) -> x509.GeneralName:
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ip_network(str(name.value)))
    return name


def as_constraint(name: x509.GeneralName) -> str:
    """How a host stands among what a CA may speak for."""
    return str(_constraint(name).value)


def permitted_by(authority: x509.Certificate) -> list[x509.GeneralName]:
    """The hosts that a CA may speak for. Raises `TlsError` (`tls-broken`)."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound as error:
        raise TlsError("tls-broken", "ca.pem is no CA of this program") from error
    return constraints.permitted_subtrees or []


def names_of(hosts: list[str]) -> list[x509.GeneralName]:
    """1 to `HOSTS_MAX` hosts as an operator writes them. Raises `TlsError` (`tls-host`)."""
    if not 1 <= len(hosts) <= HOSTS_MAX:
        raise TlsError("tls-host", f"1 to {HOSTS_MAX} hosts")
    return [_name_of(host) for host in dict.fromkeys(hosts)]


def _name_of(host: str) -> x509.GeneralName:
    try:
        address: IPv4Address | IPv6Address = ip_address(host.strip("[]"))
    except ValueError:
        return x509.DNSName(_host_name(host))
    return x509.IPAddress(address)


def _host_name(text: str) -> str:
    """A host name in ASCII, as it stands in a URL; a wildcard is none."""
    try:
        name = text.lower().encode("idna").decode("ascii")
    except UnicodeError as error:
        raise TlsError("tls-host", "no host name") from error
    labels = name.split(".")
    for label in labels:
        plain = label.replace("-", "")
        if not plain.isalnum() or len(label) > _LABEL_MAX or label[0] == "-" or label[-1] == "-":
            raise TlsError("tls-host", "no host name")
    if len(name) > _NAME_MAX:
        raise TlsError("tls-host", "no host name")
    return name


def names_in(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """The hosts of a server's certificate. Raises `TlsError` (`tls-broken`)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise TlsError("tls-broken", "server.pem names no host") from error
    return list(extension.value)
