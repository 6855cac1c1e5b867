"""The proof that a counter was retired: the server's signature over the counter's own name.

A counter destroys its keys on it, so nothing less will do: whoever can answer in the server's place
(a broken proxy, a hostile network) could otherwise destroy every counter of a town with one word.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mykey_tui.wire.messages import RETIRED_CONTEXT, Succession
from mykey_tui.wire.succession import follow


def retirement_proof(sign_key: Ed25519PrivateKey, device_id: str) -> bytes:
    """What the server adds to `device-retired`: 64 bytes."""
    return sign_key.sign(RETIRED_CONTEXT + device_id.encode("ascii"))


def proves_retirement(
    proof: bytes | None,
    *,
    server_key: bytes | None,
    device_id: str,
    successions: Sequence[Succession] = (),
) -> bool:
    """Whether the server of this enrolment says that this counter has ended. Never raises.

    A counter that was away while the server's keys changed believes the newest of the chain.
    """
    if proof is None or server_key is None:
        return False
    newest = follow(successions, known=server_key)
    if newest is not None:
        server_key = newest.server_key
    try:
        key = Ed25519PublicKey.from_public_bytes(server_key)
        key.verify(proof, RETIRED_CONTEXT + device_id.encode("ascii"))
    except (InvalidSignature, ValueError):
        return False
    return True
