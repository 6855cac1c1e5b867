"""A real server with a CA of its own, and real counters that believe it and nobody else."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mykey_server.tls import SERVER_LIFETIME, TlsFolder, make, renew
from tests.cli.conftest import environment, mykey

PROGRAM = str(Path(sys.executable).with_name("mykey-server"))
NOW = datetime.now(UTC)


class TlsSite:
    """A server that is started with the TLS folder of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tls = TlsFolder(path / "tls")
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.operator("provider", "add", "A-1", "--name", "Shop")

    def operator(self, *arguments: str) -> Any:
        done = subprocess.run(
            [PROGRAM, *arguments, "--db", str(self.path / "server.db")],
            capture_output=True, text=True, timeout=60, check=True, env=environment(),
        )  # fmt: skip
        return json.loads(done.stdout)

    def start(self, tls: TlsFolder | None = None) -> str:
        """Serve with these files; the address stays the same."""
        folder = str((tls or self.tls).path)
        options = ("--tls", folder, "--db", str(self.path / "server.db"))
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", f"127.0.0.1:{self.port}", *options],
            stdout=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        assert self._process.stdout is not None
        url = str(json.loads(self._process.stdout.readline())["url"])
        self.port = int(url.rpartition(":")[2])
        return url

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def code(self) -> dict[str, str]:
        answer: dict[str, str] = self.operator(
            "terminal", "code", "--provider", "A-1", "--tls", str(self.tls.path)
        )
        return answer


@pytest.fixture
def tls_site(tmp_path: Path) -> Iterator[TlsSite]:
    site = TlsSite(tmp_path)
    make(site.tls, ["127.0.0.1"], now=NOW)
    yield site
    site.stop()


def test_a_counter_enrols_by_the_pin_that_is_read_out_and_shows_its_words(
    tls_site: TlsSite, tmp_path: Path
) -> None:
    url, told = tls_site.start(), tls_site.code()
    typed = told["pin"].lower().replace("-", " ")
    home = tmp_path / "till"
    answer = mykey(home, "enrol", "--server", url, "--code", told["code"], "--pin", typed, "--json")
    assert answer.exit_code == 0, answer.err
    assert (answer.json["line"], answer.json["rows"]) == ("own-ca", 0)
    (terminal,) = tls_site.operator("terminal", "list")
    assert terminal["words"] == answer.json["words"]
    assert len(terminal["words"].split()) == 6
    assert mykey(home, "sync", "--json").json["digest"] == "match"


def test_a_counter_enrols_by_the_file_of_the_ca(tls_site: TlsSite, tmp_path: Path) -> None:
    url, told = tls_site.start(), tls_site.code()
    ca = str(tls_site.tls.authority)
    answer = mykey(tmp_path / "till", "enrol", "--server", url, "--code", told["code"], "--ca", ca)
    assert answer.exit_code == 0, answer.out + answer.err
    assert tls_site.operator("terminal", "list")[0]["words"] in answer.out


@pytest.mark.parametrize("trust", [(), ("--pin", "00000-00000-00000-00000")])
def test_a_server_that_is_not_proven_is_sent_nothing_and_the_code_stays_good(
    tls_site: TlsSite, tmp_path: Path, trust: tuple[str, ...]
) -> None:
    url, told = tls_site.start(), tls_site.code()
    home, asked = tmp_path / "till", ("enrol", "--server", url, "--code", told["code"])
    refused = mykey(home, *asked, *trust, "--json")
    assert refused.json["code"] == ("E-PIN" if trust else "N-TLS")
    assert tls_site.operator("terminal", "list") == []
    assert mykey(home, *asked, "--pin", told["pin"]).exit_code == 0


@contextmanager
def answering(folder: TlsFolder, port: int) -> Iterator[None]:
    """Somebody at the server's address, with other certificates than the server may have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder.chain, folder.key)
    with socket.create_server(("127.0.0.1", port)) as listener:

        def answer() -> None:
            with suppress(OSError), listener:  # until it is closed
                while True:
                    line, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(line, server_side=True) as tls:
                        heard.append(tls.recv(100))

        heard: list[bytes] = []
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        assert not any(heard), "something was sent to a server that was not proven"


def impostor(folder: TlsFolder) -> TlsFolder:
    """Another CA for the same address."""
    other = TlsFolder(folder.path.with_name("other"))
    make(other, ["127.0.0.1"], now=NOW)
    return other


def ended(folder: TlsFolder) -> TlsFolder:
    """The right CA, and a certificate whose time is over."""
    renew(folder, [], now=NOW - 2 * SERVER_LIFETIME)
    return folder


def misnamed(folder: TlsFolder) -> TlsFolder:
    """The right CA, and a certificate for another address that it may speak for."""
    renew(folder, ["127.0.0.2"], now=NOW)
    return folder


def test_an_enrolled_counter_believes_its_own_ca_alone(tmp_path: Path) -> None:
    site = TlsSite(tmp_path)
    make(site.tls, ["127.0.0.1", "127.0.0.2"], now=NOW)
    home = tmp_path / "till"
    try:
        url, told = site.start(), site.code()
        asked = ("enrol", "--server", url, "--code", told["code"], "--pin", told["pin"])
        assert mykey(home, *asked).exit_code == 0
        site.stop()
        changes: dict[str, Callable[[TlsFolder], TlsFolder]] = {
            "N-TLS": impostor, "N-TLS-TIME": ended, "N-TLS-NAME": misnamed,
        }  # fmt: skip
        for code, change in changes.items():
            with answering(change(site.tls), site.port):
                answer = mykey(home, "sync", "--json")
            assert (answer.exit_code, answer.json["code"]) == (3, code)
        renew(site.tls, ["127.0.0.1"], now=NOW)
        site.start()
        assert mykey(home, "sync", "--json").json["digest"] == "match"
    finally:
        site.stop()


def test_a_server_whose_certificate_has_ended_does_not_start(tls_site: TlsSite) -> None:
    renew(tls_site.tls, [], now=NOW - 2 * SERVER_LIFETIME)
    with pytest.raises(KeyError, match="url"):
        tls_site.start()


def test_plain_http_goes_to_another_machine_only_where_a_person_wrote_the_word(
    tmp_path: Path,
) -> None:
    home, url = tmp_path / "till", "http://192.0.2.1:9"
    refused = mykey(home, "enrol", "--server", url, "--code", "0000000000")
    assert (refused.exit_code, home.exists()) == (2, False)
    assert "--insecure-http" in refused.err
    for name in ("localhost", "127.0.0.1", "[::1]"):
        tried = ("enrol", "--server", f"http://{name}:1", "--code", "0000000000", "--json")
        assert mykey(home, *tried).json["code"] == "N-LINE"


def test_an_enrolment_without_a_line_told_the_set_up_person_to_go_on_working(
    tmp_path: Path,
) -> None:
    tried = ("enrol", "--server", "http://127.0.0.1:1", "--code", "0000000000")
    answer = mykey(tmp_path / "till", *tried)
    assert (answer.exit_code, "N-LINE" in answer.out) == (3, True)
    assert "Go on working" not in answer.out
    assert "not enrolled yet" in answer.out
    assert "mykey doctor" in answer.out
    assert "http://127.0.0.1:1" in answer.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--server", "https://127.0.0.1:1", "--pin", "short"),
        ("--server", "https://127.0.0.1:1", "--ca", "no-such-file"),
        ("--server", "http://127.0.0.1:1", "--pin", "00000-00000-00000-00000"),
        ("--server", "https://127.0.0.1:1", "--ca", "x", "--pin", "y"),
    ],
)
def test_what_cannot_prove_a_server_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    answer = mykey(tmp_path / "till", "enrol", *arguments, "--code", "0000000000")
    assert answer.exit_code == 2
    assert re.search("pin|ca", answer.err)


def test_no_command_has_a_switch_that_skips_the_check() -> None:
    texts = [
        subprocess.run(
            [sys.executable, "-m", "mykey_tui.cli", *command, "--help"],
            capture_output=True, text=True, check=True, env={**os.environ, **environment()},
        ).stdout
        for command in ((), ("enrol",), ("sync",), ("run",))
    ]  # fmt: skip
    assert not re.search("insecure(?!-http)|no-verify|skip|without-check", "".join(texts))
