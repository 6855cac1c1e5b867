"""The operator's own CA: what it makes, what it may speak for, and what a client then believes."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mykey_server.tls import (
    AUTHORITY_LIFETIME,
    SERVER_LIFETIME,
    TlsFolder,
    _authority_key,
    _issue,
    make,
    read_authority,
    renew,
    report,
)
from mykey_server.tls_names import TlsError, names_of

NOW = datetime.now(UTC)
HOST = "sync.example.jp"


def folder(tmp_path: Path, *hosts: str) -> TlsFolder:
    made = TlsFolder(tmp_path / "tls")
    make(made, list(hosts) or [HOST, "192.0.2.7"], now=NOW)
    return made


def handshake(client_trusts: Path, server: TlsFolder, host: str) -> None:
    """A whole TLS handshake in memory. Raises what the client would meet."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.load_verify_locations(client_trusts)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(server.chain, server.key)
    upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(downward, upward, server_hostname=host)
    answering = theirs.wrap_bio(upward, downward, server_side=True)
    for _ in range(4):
        for end in (client, answering):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("host", [HOST, "192.0.2.7"])
def test_who_trusts_the_ca_believes_the_server(tmp_path: Path, host: str) -> None:
    made = folder(tmp_path)
    handshake(made.authority, made, host)


@pytest.mark.parametrize("host", ["other.example.jp", "192.0.2.8"])
def test_another_name_is_not_believed(tmp_path: Path, host: str) -> None:
    made = folder(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="ismatch"):
        handshake(made.authority, made, host)


def test_another_ca_is_not_believed(tmp_path: Path) -> None:
    made, other = folder(tmp_path), TlsFolder(tmp_path / "other")
    make(other, [HOST], now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(other.authority, made, HOST)


@pytest.mark.parametrize(
    ("hosts", "stolen_for"),
    [
        ([HOST], "bank.example"),
        ([HOST], "192.0.2.8"),
        (["192.0.2.7"], "192.0.2.8"),
        (["192.0.2.7"], "bank.example"),
    ],
)
def test_a_stolen_ca_key_opens_no_other_door(
    tmp_path: Path, hosts: list[str], stolen_for: str
) -> None:
    made = folder(tmp_path, *hosts)
    authority = read_authority(made)
    _issue(made, authority, _authority_key(made), names_of([stolen_for]), NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        handshake(made.authority, made, stolen_for)


def test_a_renewed_certificate_is_believed_by_who_trusted_the_old_one(tmp_path: Path) -> None:
    made = folder(tmp_path)
    before, trusted = report(made), made.authority.read_bytes()
    key = made.key.read_bytes()
    later = renew(made, [], now=NOW + timedelta(days=1000))
    assert (later.pin, later.hosts) == (before.pin, before.hosts)
    assert later.server_until > before.server_until
    assert made.authority.read_bytes() == trusted
    assert made.key.read_bytes() != key
    handshake(made.authority, made, HOST)


def test_a_renewal_that_was_cut_off_is_mended_by_the_next(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.chain.unlink()
    with pytest.raises(TlsError, match="tls make"):
        report(made)
    renew(made, [HOST], now=NOW)
    handshake(made.authority, made, HOST)


def test_a_second_ca_never_replaces_the_one_that_counters_trust(tmp_path: Path) -> None:
    made = folder(tmp_path)
    before = made.authority.read_bytes()
    with pytest.raises(TlsError) as refused:
        make(made, [HOST], now=NOW)
    assert refused.value.reason == "tls-exists"
    assert made.authority.read_bytes() == before


def test_a_ca_renews_for_its_own_hosts_alone_and_not_beyond_its_end(tmp_path: Path) -> None:
    made = folder(tmp_path)
    with pytest.raises(TlsError) as refused:
        renew(made, ["bank.example"], now=NOW)
    assert refused.value.reason == "tls-host"
    with pytest.raises(TlsError) as refused:
        renew(made, [], now=NOW + AUTHORITY_LIFETIME)
    assert refused.value.reason == "tls-ended"
    last = renew(made, [], now=NOW + AUTHORITY_LIFETIME - SERVER_LIFETIME / 2)
    assert last.server_until == last.authority_until


def test_a_box_that_is_years_behind_still_stands_within_the_certificates(tmp_path: Path) -> None:
    made = folder(tmp_path)
    assert read_authority(made).not_valid_before_utc == datetime(2020, 1, 1, tzinfo=UTC)


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    made = folder(tmp_path)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    for path in made.path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "host",
    ["", "*.example.jp", "a b", "-a", "a..b", "a/b", "x" * 64, ".".join(["x" * 60] * 5), "a\x00b"],
)
def test_what_is_no_host_is_refused_before_anything_is_made(tmp_path: Path, host: str) -> None:
    with pytest.raises(TlsError) as refused:
        make(TlsFolder(tmp_path / "tls"), [host], now=NOW)
    assert refused.value.reason == "tls-host"
    assert not (tmp_path / "tls").exists()


def test_a_folder_that_is_damaged_is_said(tmp_path: Path) -> None:
    made = folder(tmp_path)
    made.authority_key.write_bytes(made.key.read_bytes())
    with pytest.raises(TlsError, match="does not belong"):
        renew(made, [], now=NOW)
    made.authority.write_text("hello")
    with pytest.raises(TlsError, match="no certificate"):
        report(made)
