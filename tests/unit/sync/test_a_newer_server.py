"""A server that serves our form of the protocol no longer: said by its own code, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.wire.messages import MSGPACK, PROTOCOL_VERSION, SCHEMA

NEWER = ({"proto": [PROTOCOL_VERSION + 1]}, {"schema": SCHEMA + 9, "min_schema": SCHEMA + 1})


@pytest.mark.parametrize("newer", NEWER, ids="-".join)
def test_a_server_that_is_newer_is_named_and_the_queue_and_the_rows_stay(
    site: Any, counter: Any, newer: dict[str, Any]
) -> None:
    counter.queue(1)
    counter.sync()
    counter.queue(2)

    def spoil(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        answer = send()
        if not request.url.path.endswith("/hello"):
            return answer
        hello = msgspec.msgpack.decode(answer.read()) | newer
        body = httpx.ByteStream(msgspec.msgpack.encode(hello))
        return httpx.Response(200, headers={"content-type": MSGPACK}, stream=body)

    site.line.spoil = spoil
    with pytest.raises(ServerError) as caught:
        counter.sync()
    assert caught.value.code is Code.SERVER_NEWER
    assert counter.store.counts().waiting == 1
    assert counter.finds(1) == "0000000001"
    site.line.spoil = None
    assert counter.sync().applied == 1
