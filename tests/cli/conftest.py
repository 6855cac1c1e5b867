"""A real server process and real counters on loopback; commands run as a person or script would."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mykey_tui import cli
from mykey_tui.commands.demo_server import DemoServer
from mykey_tui.domain.ids import ServiceId
from mykey_tui.reader.card_file import CardFile
from mykey_tui.settings import load_settings

PROVIDERS = (("A-α1-0001", "さくら商店街ポイント"), ("A-β1-0001", "図書館"))
PROCESS_SECONDS = 60


def environment() -> dict[str, str]:
    """Nothing of the person's own counter, and no screen."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(("server", "."))}


def steady_port() -> int:
    """A free port that stays free while the server is stopped.

    From below the range that the kernel gives to outgoing connections: one of those, from any
    program on this machine, would otherwise take the address of a stopped server now and then.
    """
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port below the ephemeral range")


@dataclass
class Site:
    """A server that can be stopped and started again at one address, and its operator."""

    path: Path
    server: DemoServer | None = field(default=None, repr=False)
    url: str = ""

    def start(self) -> None:
        port = int(self.url.rsplit(":", 1)[1]) if self.url else steady_port()
        self.server = DemoServer(self.path / "server.db", port=port).__enter__()
        self.server.wait_until_ready()
        self.url = self.server.url

    def stop(self) -> None:
        if self.server is not None:
            self.server.__exit__(None, None, None)
            self.server = None

    def operator(self, *arguments: str) -> Any:
        assert self.server is not None
        return self.server.command(*arguments)

    def code(self, provider_id: str) -> str:
        return str(self.operator("terminal", "code", "--provider", provider_id)["code"])

    def links(self) -> list[tuple[str, str, str]]:
        """Person (14 + 9), provider and service ID of each row that is in force."""
        return [
            (row["mykey_id"] + row["terminal_code"], row["provider_id"], row["service_id"])
            for row in self.operator("link", "list")
            if row["status"] == "active"
        ]


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out + self.err
        answer = json.loads(lines[0])
        assert isinstance(answer, dict)
        return answer


def start_mykey(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mykey_tui.cli", "--home", str(home), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def mykey(home: Path, *arguments: str) -> Answer:
    process = start_mykey(home, *arguments)
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    return Answer(process.returncode, out, err)


class Commands:
    """The helpers of this folder, for tests that cannot import a conftest."""

    PROVIDERS = PROVIDERS
    environment = staticmethod(environment)
    mykey = staticmethod(mykey)
    start_mykey = staticmethod(start_mykey)


@pytest.fixture(scope="session")
def commands() -> Commands:
    return Commands()


@pytest.fixture(scope="session")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    site.start()
    for provider_id, name in PROVIDERS:
        site.operator("provider", "add", provider_id, "--name", name)
    yield site
    site.stop()


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own for real cards: it would not start again without their CA's."""
    site = Site(tmp_path_factory.mktemp("real-site"))
    site.start()
    yield site
    site.stop()


@pytest.fixture
def site(_site: Site) -> Site:
    """The server, running again if the last test left it stopped."""
    if _site.server is None:
        _site.start()
    return _site


@pytest.fixture
def enrolled(site: Site, tmp_path: Path, commands: Commands) -> Any:
    """Enrol a counter of one of the providers; returns its home."""

    def enrol(number: int = 0) -> Path:
        provider_id, _ = PROVIDERS[number]
        home = tmp_path / f"counter-{number}"
        answer = mykey(
            home, "enrol", "--server", site.url, "--code", site.code(provider_id), "--json"
        )
        assert answer.exit_code == 0, answer.out + answer.err
        return home

    return enrol


def everything_in(home: Path) -> bytes:
    """Every byte under a counter's home, as `strings` would look at it."""
    return b"\0".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


@pytest.fixture(scope="session")
def bytes_of_home() -> Any:
    return everything_in


@pytest.fixture(scope="session")
def knows_service_id() -> Any:
    """Whether a counter holds a service ID in the clear of its opened store."""

    def knows(home: Path, service_id: str) -> bool:
        from mykey_tui.composition.counter import open_counter

        settings = load_settings(home=str(home), reader=None, environment={})
        with open_counter(settings) as counter:
            return counter.store.token_of(ServiceId(service_id)) is not None

    return knows


@pytest.fixture
def lay(tmp_path: Path) -> Any:
    """Write a card to a file of its own, for `--reader emulator:…`."""

    def write(card: CardFile, name: str = "card") -> str:
        path = tmp_path / f"{name}.json"
        card.save(path)
        return f"emulator:{path}"

    return write


@dataclass(frozen=True)
class Said:
    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


@pytest.fixture
def said(capsys: Any, monkeypatch: Any) -> Any:
    """Run a command in this process; the same `main` that the console script calls."""
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("MYKEY_HOME", raising=False)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        try:
            exit_code = cli.main([str(argument) for argument in arguments])
        except SystemExit as error:
            exit_code = int(error.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Said(exit_code, captured.out, captured.err)

    return run
