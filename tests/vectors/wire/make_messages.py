"""Makes the messages beside it: `python -m tests.vectors.wire.make_messages`.

`first/` holds one message of each kind as the first form of v1 wrote it, `now/` those of today, each
as JSON and as msgpack. Values are fixed, so the same files come out at every run; files of a form
that was published are never made anew with other bytes.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec

from mykey_tui.wire import messages
from tests.vectors.wire import first_v1

HERE = Path(__file__).parent
DEVICE = "0b54d1f2-7a8e-4c1c-9d39-5f3a7b1e2c4d"
INCARNATION = bytes(range(16))
TOKEN = bytes(range(16, 32))
DIGEST = bytes(range(32, 48))
KEY = bytes(range(48, 80))
TIME = "2026-11-22T00:00:00+00:00"
EPOCH = "0123456789abcdef"
SCOPE = "A-alpha1-0001"


def samples(form: ModuleType) -> dict[str, msgspec.Struct]:
    """One message of each kind that both forms have, with the fields that both have."""
    item = form.PushItem(7, "link", 1, TOKEN, "A-100", 41, KEY, b"sealed")
    place = form.Position(EPOCH, 41, DIGEST)
    row = (TOKEN, bytes(8), "A-100", 0, 42)
    return {
        "EnrolRequest": form.EnrolRequest("ABCD123456", KEY, "counter 1"),
        "EnrolReply": form.EnrolReply(
            DEVICE, "A-α1-0001", "図書館", SCOPE, KEY, KEY, KEY, "digits:10", TIME, "simulated"
        ),
        "HelloReply": form.HelloReply(
            [1], 1, 1, EPOCH, TIME, form.Limits(10_000, 100, 262_144), 30.0, 0, 7, "simulated"
        ),
        "HeadReply": form.HeadReply(EPOCH, 42, 0, DIGEST, TIME),
        "LogReply": form.LogReply(42, False, [row], form.ScopeHead(42, DIGEST)),
        "PushItem": item,
        "PushRequest": form.PushRequest(DEVICE, INCARNATION, SCOPE, place, place, [item]),
        "PushReply": form.PushReply(
            EPOCH,
            42,
            DIGEST,
            TIME,
            [
                form.ItemVerdict(7, "applied", None, row),
                form.ItemVerdict(8, "conflict", "key_linked", row),
                form.ItemVerdict(9, "retry", None, None, 1.0),
            ],
            8,
        ),
        "Problem": form.Problem("reset", "Reset", 409, TIME, EPOCH, "snapshot"),
    }


def later_samples() -> dict[str, msgspec.Struct]:
    """Messages, and fields of messages, that the first form does not have."""
    state = messages.to_msgpack(
        messages.SuspensionState("S:" + SCOPE, EPOCH, 3, DIGEST, 2, 1_795_305_600, 1_795_564_800)
    )
    origin = messages.Origin(INCARNATION, 7, "link")
    return {
        "EnrolReply.later": messages.EnrolReply(
            DEVICE, "A-1", "A", "A-1", KEY, KEY, KEY, "digits:10", TIME, "jpki", KEY
        ),
        "HelloReply.later": messages.HelloReply(
            [1],
            1,
            1,
            EPOCH,
            TIME,
            messages.Limits(10_000, 100, 262_144),
            30.0,
            40,
            7,
            "simulated",
            [feature.value for feature in messages.Feature],
            KEY,
            messages.Staleness(86_400, 259_200, 2_000),
            KEY,
        ),
        "HelloReply.keys": messages.HelloReply(
            [1],
            1,
            1,
            EPOCH,
            TIME,
            messages.Limits(10_000, 100, 262_144),
            30.0,
            40,
            7,
            server_key=KEY[::-1],
            successions=[messages.Succession(KEY[::-1], KEY, KEY + KEY)],
        ),
        "Problem.keys": messages.Problem(
            "device-retired",
            "Retired",
            401,
            proof=KEY + KEY,
            successions=[messages.Succession(KEY[::-1], KEY, KEY + KEY)],
        ),
        "PollReply": messages.PollReply(EPOCH, 42, 3),
        "HeadReply.later": messages.HeadReply(EPOCH, 3, 0, DIGEST, TIME, state, KEY + KEY),
        "PushItem.later": messages.PushItem(
            8, "replace", 1, TOKEN, "A-200", 42, KEY, b"sealed", origin, "A-100"
        ),
        "Problem.later": messages.Problem(
            "reset", "Reset", 409, TIME, EPOCH, "snapshot", "horizon", None
        ),
        "SnapshotReply": messages.SnapshotReply(
            0, 128, 42, DIGEST, TOKEN + TOKEN, "A-100\nA-200\n", b"\x00\x02", {1: bytes(8)}
        ),
        "DigestReply": messages.DigestReply(EPOCH, 42, DIGEST, DIGEST + bytes(4080)),
        "RecoverRequest": messages.RecoverRequest(
            DEVICE, INCARNATION, SCOPE, [messages.KnownItem(7, KEY)]
        ),
        "RecoverReply": messages.RecoverReply(
            EPOCH,
            42,
            DIGEST,
            [
                messages.RecoveredItem(7, "same", messages.ItemVerdict(7, "applied")),
                messages.RecoveredItem(8, "other"),
                messages.RecoveredItem(9, "unknown"),
            ],
        ),
    }


def _write(folder: str, messages_by_name: dict[str, msgspec.Struct]) -> None:
    (HERE / folder).mkdir(exist_ok=True)
    for name, message in messages_by_name.items():
        path = HERE / folder / name
        path.with_name(f"{name}.json").write_bytes(msgspec.json.encode(message) + b"\n")
        path.with_name(f"{name}.msgpack").write_bytes(msgspec.msgpack.encode(message))


if __name__ == "__main__":
    _write("first", samples(first_v1))
    _write("now", samples(messages) | later_samples())
