"""The card view's words, line by line: the same on the command line and in the exported file."""

from __future__ import annotations

from mykey_tui.flows.identify import japanese_date
from mykey_tui.flows.outcomes import CardDetail
from mykey_tui.i18n.catalog import Catalog


def card_lines(detail: CardDetail, catalog: Catalog) -> list[str]:
    """What the certificate says, what was checked, and that revocation was not."""
    tries = detail.pin_tries_left
    pairs = [
        ("random", detail.random_string),
        ("terminal", detail.terminal_code),
        ("municipality", detail.municipality_code),
        ("issuer", detail.issuer),
        ("serial", detail.serial),
        ("from", japanese_date(detail.not_before)),
        ("until", japanese_date(detail.not_after)),
        ("days", str(detail.days_left)),
        ("key", detail.key),
        ("tries", catalog.text("cli.card.tries-unknown") if tries is None else str(tries)),
    ]
    lines = [f"{catalog.text(f'cli.card.{name}')}: {value}" for name, value in pairs]
    if detail.verdict is None:
        lines.append(catalog.text("cli.card.accepted"))
    else:
        lines.append(f"{catalog.code(detail.verdict).say} {detail.verdict.value}")
    return [*lines, catalog.text("cli.card.revocation")]
