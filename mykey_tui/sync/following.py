"""How a counter keeps to the server's keys: each round follows what the greeting proves."""

from __future__ import annotations

from mykey_tui.store.counter_store import CounterStore
from mykey_tui.sync.client import ServerClient
from mykey_tui.wire.messages import HelloReply


def greet(store: CounterStore, client: ServerClient) -> tuple[HelloReply, bool]:
    """Say hello, and take newer keys over where the greeting proves them; whether there were any.

    Raises as `ServerClient.hello`.
    """
    client.believe(store.believed())
    hello = client.hello(store.incarnation())
    changed = store.take_over(hello.server_key, hello.successions or ())
    client.believe(store.believed())
    return hello, changed


def is_known(store: CounterStore, hello: HelloReply) -> bool:
    """Whether the server shows the key that is believed here, or none as before servers signed.

    One that shows another was put back to before it had these keys, or is not ours.
    """
    return hello.server_key in (None, store.believed().server_key)
