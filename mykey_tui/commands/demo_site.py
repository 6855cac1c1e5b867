"""What the demo starts with: two counters, and the sample cards' people linked for real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from mykey_tui.commands.demo_folder import DemoFolder
from mykey_tui.commands.demo_server import DemoError, DemoServer
from mykey_tui.composition.counter import Counter, open_counter, reconcile
from mykey_tui.domain.clock import SystemClock
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.identify import identify
from mykey_tui.flows.link import LinkFlow
from mykey_tui.flows.outcomes import Linked, Stopped
from mykey_tui.flows.timings import Timings
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.settings import Settings, load_settings
from mykey_tui.simulated.tray import LIBRARY, SHOPS, DemoProvider, TrayCard
from mykey_tui.store.home import Home
from mykey_tui.sync.enrol import enrol

COUNTERS = ((SHOPS, "2号レジ"), (LIBRARY, "貸出カウンター"))
"""The first is the one whose screen the demo opens; the other shows that it stays apart."""


def set_up(folder: DemoFolder, server: DemoServer, tray: Sequence[TrayCard]) -> None:
    """Two service providers with a counter each, and the cards' people linked at both.

    Raises:
        DemoError: a step failed; it is named.
    """
    for provider, name in COUNTERS:
        text = provider.provider_id.text
        server.command("provider", "add", text, "--name", provider.name)
        code = server.command("terminal", "code", "--provider", text)["code"]
        _enrol(folder, server, provider, name=name, code=str(code))
        with open_counter(settings_of(folder, provider)) as counter:
            _link_all(counter, tray)
    for card in tray:
        if card.seed is not None and card.seed.suspended:
            cn = card.seed.cn
            server.command("suspend", cn.my_key_id.text, cn.terminal_code.text)
    with open_counter(settings_of(folder, SHOPS)) as counter:
        _send(counter)


def settings_of(folder: DemoFolder, provider: DemoProvider) -> Settings:
    """The settings of one of the demo's counters, whatever the environment says."""
    home = str(folder.home(provider.provider_id.alias))
    return load_settings(home=home, reader=None, environment={})


def _enrol(
    folder: DemoFolder, server: DemoServer, provider: DemoProvider, *, name: str, code: str
) -> None:
    home = Home(folder.home(provider.provider_id.alias))
    store = enrol(
        home,
        server_url=server.url,
        code=code,
        profile=None,
        counter_name=name,
        clock=SystemClock(),
    )
    store.close()
    folder.till.parent.mkdir(exist_ok=True)
    handover = {"kind": "file", "mode": "append", "path": str(folder.till)}
    values = {
        "provider": provider.provider_id.text,
        "handover": handover if provider is SHOPS else {"kind": "off"},
    }
    content = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
    home.write_private(home.settings, content.encode())


def _link_all(counter: Counter, tray: Sequence[TrayCard]) -> None:
    """Link each person's card by the same steps that a visit takes, then send all at once."""
    own = counter.store.identity.provider_id
    for card in tray:
        service_ids = dict(card.seed.service_ids) if card.seed is not None else {}
        if own in service_ids:
            # The owner's card in a good moment: not slow, not pulled.
            _link(counter, replace(card.card, fault=None), service_ids[own])
    _send(counter)


class _NoHurry:
    """All of them are sent in one round at the end."""

    def deliver(self, mid: int) -> None:
        """Nothing yet."""


def _link(counter: Counter, card_file: CardFile, service_id: ServiceId) -> None:
    reader = EmulatedReader()
    reader.insert(card_file)
    card = identify(reader, counter.judge, Timings(counter.clock))
    if isinstance(card, Stopped):
        raise DemoError(f"read {card.code.value}")
    flow = LinkFlow(reader, counter.judge, counter.store, _NoHurry(), counter.clock)
    outcome = flow.read_again(card) or flow.commit_link(card, service_id)
    if not isinstance(outcome, Linked):
        raise DemoError(f"link {outcome.code.value}")


def _send(counter: Counter) -> None:
    report = reconcile(counter)
    if report.digest != "match" or counter.store.counts().waiting:
        raise DemoError("sync")
