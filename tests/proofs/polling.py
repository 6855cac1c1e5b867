"""A poll as a counter signs it: with the poll key, where everything else takes the device's own."""

from __future__ import annotations

import httpx

from mykey_tui.wire.poll import sign_poll
from tests.server.conftest import ORIGIN, Counter

POLL = "/v1/poll"


def is_poll(path: str) -> bool:
    """Whether a path, with or without its query, is the poll's."""
    return path.partition("?")[0] == POLL


async def poll(counter: Counter, method: str, path: str) -> httpx.Response:
    """Ask `path`; the signature says GET, whatever the method is."""
    server, device_id = counter.server, counter.identity.device_id
    headers = sign_poll(
        url=ORIGIN + path,
        key=server.core.site.poll_key(device_id),
        key_id=device_id,
        created=server.clock.now(),
    )
    return await server.http.request(method, path, headers=headers)
