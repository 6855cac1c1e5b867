"""The proof process says what this process says, and whatever becomes of it, a push is answered."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack
from msgspec.structs import replace

from mykey_server import proofs
from mykey_server.proof_process import READY, answer, proofs_of, receive, send
from mykey_server.proofs import ProofProcess
from mykey_server.services.cards import TrustedCards, cards_from_bytes, cards_to_bytes
from mykey_server.services.proof import UNDECIDABLE, Flawed, Proof, Proven
from mykey_server.services.prove import Job, prove
from mykey_tui.domain import tokens
from mykey_tui.domain.ids import SubjectCn
from mykey_tui.simulated.foreign import Variant
from mykey_tui.wire.messages import FIRST_PREV, Origin, PushItem, SealedLink
from mykey_tui.wire.seal import context_of, seal
from tests.server.conftest import certificate

PEOPLE = [f"M{number:013d}07202002B" for number in range(3)]
PLACE: dict[str, Any] = {"device": "d" * 36, "incarnation": b"i" * 16, "scope": "A-alpha1-0001"}
LOOKUP_KEY = b"L" * 32
NEWEST, FORMER, STRANGE = (X25519PrivateKey.generate() for _ in range(3))
NOW = datetime.now(UTC)
START_SECONDS_MAX = 60
CARDS = TrustedCards.load(None)


@cache
def item(
    cn: str, variant: Variant, token: str, sealed_to: X25519PrivateKey, fault: str
) -> PushItem:
    """A pushed item with at most one thing wrong, or several."""
    subject = SubjectCn.parse(cn)
    named = {
        "default": tokens.default_token(LOOKUP_KEY, subject),
        "chosen": tokens.chosen_token(LOOKUP_KEY, subject.my_key_id),
        "wrong": b"\xff" * 16,
    }[token]
    plain = PushItem(1, "link", 1, named, "S1", 0, FIRST_PREV, b"-")
    if fault == "moved":
        plain = replace(plain, origin=Origin(b"o" * 16, 7, "link"))
    der = {"no DER": b"\x30\x03abc", "cut": certificate(cn, variant)[:-9]}.get(
        fault, certificate(cn, variant)
    )
    to = sealed_to.public_key().public_bytes_raw()
    sealed = seal(SealedLink(der), seal_key=to, context=context_of(plain, **PLACE))
    sealed = {"short": sealed[:20], "changed": sealed[:-1] + bytes([sealed[-1] ^ 1])}.get(
        fault, sealed
    )
    return replace(plain, sealed=sealed, **({"sid": "S2"} if fault == "other sid" else {}))


def good(count: int) -> list[PushItem]:
    one = item(PEOPLE[0], Variant.GOOD, "default", NEWEST, "")
    return [replace(one, mid=mid) for mid in range(1, count + 1)]


def job_of(items: list[PushItem], *, at: datetime = NOW, profile: str = "simulated") -> Job:
    return Job(
        items=items,
        **PLACE,
        profile=profile,
        lookup_key=LOOKUP_KEY,
        tag_key=b"T" * 32,
        seal_keys=(NEWEST.private_bytes_raw(), FORMER.private_bytes_raw()),
        at=at,
    )


here = partial(prove, cards=CARDS)
items = st.builds(
    item,
    st.sampled_from(PEOPLE),
    st.sampled_from(Variant),
    st.sampled_from(["default", "default", "chosen", "wrong"]),
    st.sampled_from([NEWEST, NEWEST, FORMER, STRANGE]),
    st.sampled_from(["", "", "moved", "no DER", "cut", "short", "changed", "other sid"]),
)
jobs = st.builds(
    job_of,
    st.lists(items, max_size=8),
    at=st.sampled_from([NOW, NOW + timedelta(days=3650), datetime(1970, 1, 2, tzinfo=UTC)]),
    profile=st.sampled_from(["simulated", "simulated", "jpki"]),
)


def until(true: Callable[[], object]) -> None:
    """Wait for the other process. Fails after a minute."""
    end = time.monotonic() + START_SECONDS_MAX
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def started(process: ProofProcess) -> int:
    """Ask until the process takes jobs; its id."""

    def asked() -> int | None:
        process.prove(job_of(good(2)), here=here, alone=True)
        return process.pid

    until(asked)
    assert process.pid is not None
    return process.pid


@pytest.fixture(scope="module")
def running() -> Iterator[ProofProcess]:
    process = ProofProcess(CARDS)
    started(process)
    yield process
    process.close()


@pytest.fixture
def process() -> Iterator[ProofProcess]:
    process = ProofProcess(CARDS, step_seconds=1.0)
    yield process
    process.close()


def test_the_samples_are_of_every_kind() -> None:
    """Otherwise the property below would compare little."""
    kinds = [
        here(job_of([item(PEOPLE[0], variant, token, key, fault)]))[0]
        for variant, token, key, fault in (
            (Variant.GOOD, "default", NEWEST, ""),
            (Variant.GOOD, "chosen", FORMER, "moved"),
            (Variant.GOOD, "wrong", NEWEST, ""),
            (Variant.GOOD, "default", STRANGE, ""),
            (Variant.FORGED, "default", NEWEST, ""),
            (Variant.WRONG_ISSUER, "default", NEWEST, ""),
        )
    ]
    assert isinstance(kinds[0], Proven)
    assert kinds[0].binding is None
    assert isinstance(kinds[1], Proven)
    assert kinds[1].binding is not None
    assert kinds[2:] == [Flawed("token"), Flawed("seal"), Flawed("certificate"), UNDECIDABLE]


@settings(max_examples=150, deadline=None)
@given(job=jobs, alone=st.booleans())
def test_two_processes_say_of_good_and_hostile_items_what_one_says(
    running: ProofProcess, job: Job, alone: bool
) -> None:
    pid = running.pid
    assert running.prove(job, here=here, alone=alone) == here(job)
    assert running.pid == pid is not None


@settings(max_examples=50, deadline=None)
@given(job=jobs)
def test_an_answer_on_the_way_is_byte_for_byte_the_same(job: Job) -> None:
    there = answer(msgpack.encode(job), cards_from_bytes(cards_to_bytes(CARDS)))
    assert there == answer(msgpack.encode(job), CARDS)
    assert proofs_of(there, len(job.items)) == here(job)


def test_a_process_that_is_killed_at_work_delays_a_push_and_changes_nothing(
    process: ProofProcess,
) -> None:
    pid = started(process)
    job = job_of(good(100))
    os.kill(pid, signal.SIGSTOP)  # So that it is surely killed with the job at hand.
    killer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
    killer.start()
    assert process.prove(job, here=here, alone=False) == here(job)
    killer.join()
    assert process.pid is None
    assert is_gone(pid)  # Not even a zombie is left.
    assert started(process) != pid


def test_a_process_that_hangs_is_ended_within_its_time(process: ProofProcess) -> None:
    pid = started(process)
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    job = job_of(good(20))
    assert process.prove(job, here=here, alone=True) == here(job)
    assert time.monotonic() - begun < 10
    assert is_gone(pid)


def test_a_process_that_fails_again_and_again_is_started_more_and_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    seconds = [0.0]
    process = ProofProcess(CARDS, now=lambda: seconds[0])
    started_at = []
    start = ProofProcess._start

    def starting(self: ProofProcess) -> None:
        started_at.append(seconds[0])
        start(self)

    monkeypatch.setattr(ProofProcess, "_start", starting)
    job = job_of(good(2))
    while seconds[0] < 300:
        assert process.prove(job, here=here, alone=False) == here(job)
        if process._running is not None:
            process._running.process.wait()  # It is dead by then, in every run alike.
        assert process.prove(job, here=here, alone=False) == here(job)
        seconds[0] += 0.5
    pauses = [b - a for a, b in pairwise(started_at)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    process.close()


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\xc1", msgpack.encode([None]), msgpack.encode([[1, 2, 3, 4]] * 2), b"x" * 100],
)
def test_nonsense_from_the_process_is_no_proof(process: ProofProcess, nonsense: bytes) -> None:
    ours, theirs = socket.socketpair()
    impostor = subprocess.Popen(["sleep", "60"])
    process._running = proofs._Running(impostor, ours, time.monotonic(), is_ready=True)
    send(theirs, nonsense)
    job = job_of(good(2))
    assert process.prove(job, here=here, alone=False) == here(job)
    assert process.pid is None
    assert impostor.returncode is not None
    theirs.close()


def test_a_frame_longer_than_the_limit_is_not_even_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\xff\xff\xff\xff")
        with pytest.raises(ValueError, match="too long"):
            receive(ours)


def test_the_keys_of_a_job_are_not_shown() -> None:
    assert repr(job_of(good(1))) == "<Job>"


def test_the_process_ends_when_the_other_end_closes_and_heeds_no_signal_before() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "mykey_server.proof_process"],
            stdin=theirs.fileno(),
            stderr=subprocess.PIPE,
        )
    send(ours, cards_to_bytes(CARDS))
    assert receive(ours) == READY
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGINT)
    job = job_of(good(3))
    send(ours, msgpack.encode(job))
    made: list[Proof] = proofs_of(receive(ours), 3)
    assert made == here(job)
    ours.close()
    _, said = child.communicate(timeout=START_SECONDS_MAX)
    assert (child.returncode, said) == (0, b"")
