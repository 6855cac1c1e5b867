"""The card view's words: the same on the screen, on the command line and in the exported file."""

from __future__ import annotations

from dataclasses import dataclass

from mykey_tui.domain.clock import japanese_date
from mykey_tui.domain.prefectures import prefecture_of
from mykey_tui.flows.outcomes import CardDetail
from mykey_tui.i18n.catalog import Catalog, Language


@dataclass(frozen=True, slots=True)
class CardField:
    """One field of the view: what it is called, and what it says."""

    name: str
    value: str


def card_fields(detail: CardDetail, catalog: Catalog) -> list[CardField]:
    """The fields of the certificate that the view has, and no other, then what was judged of it.

    No serial number and no key: they would name the certificate beside its owner's string. What
    kind of card it is comes first, where it was asked: that is the card's, and no person's.
    """
    kind = () if detail.profile is None else (("kind", catalog.text(f"card.{detail.profile}")),)
    pairs = (
        *kind,
        ("random", detail.random_string),
        ("terminal", _terminal(detail, catalog)),
        ("issuer", detail.issuer),
        ("valid", _validity(detail, catalog)),
        ("verdict", _verdict(detail, catalog)),
    )
    return [CardField(catalog.text(f"card.{name}"), value) for name, value in pairs]


def card_lines(detail: CardDetail, catalog: Catalog, *, simulated: bool) -> list[str]:
    """The whole view as lines: title, fields, and that revocation was not checked.

    A sheet goes from hand to hand, so it says itself that nothing on it is real.
    """
    fields = [f"{field.name}: {field.value}" for field in card_fields(detail, catalog)]
    return [card_title(catalog, simulated=simulated), *fields, catalog.text("card.not.checked")]


def card_title(catalog: Catalog, *, simulated: bool) -> str:
    """The title, with SIMULATED beside it where the cards are samples."""
    title = catalog.text("card.title")
    return f"{title}   {catalog.text('simulated')}" if simulated else title


def _terminal(detail: CardDetail, catalog: Catalog) -> str:
    """The code with what is known of the municipality: its prefecture, its number, its name."""
    return f"{detail.terminal_code}   {_municipality(detail, catalog)}"


def _municipality(detail: CardDetail, catalog: Catalog) -> str:
    """The name in Japanese alone: the list has no other, and some consoles cannot draw it."""
    prefecture, code = prefecture_of(detail.municipality_code), detail.municipality_code
    if prefecture is None:
        return catalog.text("card.municipality.unknown")
    if catalog.language is Language.ENGLISH:
        key = "card.municipality.number" if detail.municipality else "card.municipality"
        return catalog.text(key, prefecture=prefecture.english, code=code)
    if not detail.municipality:
        return catalog.text("card.municipality", prefecture=prefecture.japanese, code=code)
    where = prefecture.japanese + detail.municipality
    return catalog.text("card.municipality.number", prefecture=where, code=code)


def _validity(detail: CardDetail, catalog: Catalog) -> str:
    first, last = japanese_date(detail.not_before), japanese_date(detail.not_after)
    if detail.days_left < 0:
        return catalog.text("card.period.over", first=first, last=last, days=-detail.days_left)
    return catalog.text("card.period", first=first, last=last, days=detail.days_left)


def _verdict(detail: CardDetail, catalog: Catalog) -> str:
    if detail.verdict is None:
        return catalog.text("card.good")
    values = {"date": japanese_date(detail.not_after)}
    return f"{catalog.code(detail.verdict, values).say} {detail.verdict.value}"
