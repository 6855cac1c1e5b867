"""The card view's words, line by line: on the command line and in the exported file."""

from __future__ import annotations

from mykey_tui.flows.identify import japanese_date
from mykey_tui.flows.outcomes import CardDetail
from mykey_tui.i18n.catalog import Catalog


def card_lines(detail: CardDetail, catalog: Catalog) -> list[str]:
    """What the certificate says, what was checked, and that revocation was not."""
    text = catalog.text
    municipality = text("card.municipality", code=detail.municipality_code)
    first, last = japanese_date(detail.not_before), japanese_date(detail.not_after)
    tries = detail.pin_tries_left
    pairs = [
        ("random", detail.random_string),
        ("terminal", f"{detail.terminal_code}   {municipality}"),
        ("issuer", detail.issuer),
        ("serial", detail.serial),
        ("valid", text("card.period", first=first, last=last, days=detail.days_left)),
        ("key", detail.key),
        (
            "tries",
            text("card.tries.unknown") if tries is None else text("card.tries.left", count=tries),
        ),
        ("verdict", _verdict(detail, catalog)),
    ]
    lines = [f"{text(f'card.{name}')}: {value}" for name, value in pairs]
    return [text("card.title"), *lines, text("card.not.checked")]


def _verdict(detail: CardDetail, catalog: Catalog) -> str:
    if detail.verdict is None:
        return catalog.text("card.good")
    values = {"date": japanese_date(detail.not_after)}
    return f"{catalog.code(detail.verdict, values).say} {detail.verdict.value}"
