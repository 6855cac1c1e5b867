from datetime import UTC, datetime

import pytest

from mykey_tui.reader.card_file import CardFile, CardKind
from mykey_tui.simulated.cards import make_card


@pytest.fixture(scope="session")
def card() -> CardFile:
    return make_card("1C2410DF79DGEL07202002B", at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def other_card() -> CardFile:
    return make_card("ABCDEFGHIJKLMN07202002B", at=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def point_card() -> CardFile:
    return CardFile(
        kind=CardKind.STORAGE,
        name="FeliCa",
        atr=bytes.fromhex("3B8F8001804F0CA00000030611003B0000000042"),
        uid=bytes.fromhex("0123456789ABCDEF"),
    )
