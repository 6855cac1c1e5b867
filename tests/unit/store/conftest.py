"""Real SQLCipher files in a folder of their own, and rows as a server would send them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from mykey_tui.domain.digest import EMPTY_DIGEST, replace, weight
from mykey_tui.domain.ids import DeviceId, Incarnation, LookupToken, ProviderId
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.store.counter_store import CounterStore
from mykey_tui.store.freshness import BootTime
from mykey_tui.store.home import Home
from mykey_tui.store.identity import Identity
from mykey_tui.wire.messages import Row

DIGEST_KEY = b"D" * 32


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self.seconds = 1000.0
        self.boot = "first"

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def boot_time(self) -> BootTime:
        return BootTime(self.boot, self.seconds)

    def reboot(self) -> None:
        self.boot += "'"
        self.seconds = 0.0

    def pass_seconds(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "counter")


@pytest.fixture
def identity() -> Identity:
    return Identity(
        device_id=DeviceId(UUID("7a1cf3f2-4b0a-4f0f-9a52-3d5a7a0f5c11")),
        incarnation=Incarnation(b"I" * 16),
        provider_id=ProviderId.parse("A-α1-0001"),
        provider_name="図書館",
        scope="A-alpha1-0001",
        provider_key=b"P" * 32,
        digest_key=DIGEST_KEY,
        seal_key=b"S" * 32,
        device_key=b"K" * 32,
        server_url="http://127.0.0.1:9",
        profile="simulated",
        counter_name="窓口1",
        service_id_format=ServiceIdFormat.parse("alnum:1-32"),
    )


@pytest.fixture
def store(home: Home, identity: Identity, clock: HandClock) -> Iterator[CounterStore]:
    store = CounterStore.create(home, identity, clock=clock, boot_time=clock.boot_time)
    yield store
    store.close()


@pytest.fixture
def row() -> Callable[..., Row]:
    def make(name: str, service_id: str = "1111358665", *, seq: int = 1, status: int = 0) -> Row:
        return (token(name), None, service_id if status != 9 else "", status, seq)

    return make


@pytest.fixture
def token_of_name() -> Callable[[str], LookupToken]:
    return token


@pytest.fixture
def digest_of() -> Callable[[list[Row]], bytes]:
    def digest(rows: list[Row]) -> bytes:
        value = EMPTY_DIGEST
        for token_, binding, service_id, status, _ in rows:
            added = weight(DIGEST_KEY, token_, binding, service_id, status)
            value = replace(value, removed=0, added=added)
        return value

    return digest


def token(name: str) -> LookupToken:
    return LookupToken(hashlib.sha256(name.encode()).digest()[:16])
