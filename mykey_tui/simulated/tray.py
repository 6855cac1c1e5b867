"""The tray of sample cards that the demo lays on its virtual reader, and what it starts with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mykey_tui.card.allow_list import FILE_AUTH_CERTIFICATE
from mykey_tui.domain.ids import ProviderId, ServiceId, SubjectCn
from mykey_tui.reader.card_file import CardFile, Fault, FaultName
from mykey_tui.simulated.cards import copied_card, make_card, newer_card, phone
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card, mifare_card

SECONDS_PER_COMMAND_OF_SLOW_CARD = 0.4
"""Seven commands: seen to be slow, and done before a person gives up."""
DAYS_LEFT_OF_ENDING_CARD = 10


@dataclass(frozen=True, slots=True)
class DemoProvider:
    """A service provider that the demo's server knows from the start."""

    provider_id: ProviderId
    name: str


SHOPS = DemoProvider(ProviderId.parse("A-α1-0001"), "さくら商店街ポイント")
LIBRARY = DemoProvider(ProviderId.parse("A-β1-0001"), "図書館")
DEMO_PROVIDERS = (SHOPS, LIBRARY)
"""With the concept paper's own IDs; the first is the one whose counter the demo shows."""


@dataclass(frozen=True, slots=True)
class Seed:
    """What the demo's server holds of a card's owner before it starts. Active unless `suspended`."""

    cn: SubjectCn
    certificate: bytes
    """DER, for a sealed link that the server can check."""
    service_ids: tuple[tuple[ProviderId, ServiceId], ...]
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class TrayCard:
    """One card of the tray: the key that lays it, its name, and what should then happen."""

    key: str
    name_ja: str
    name_en: str
    expect_ja: str
    expect_en: str
    card: CardFile
    seed: Seed | None = None


_PAPER = "1C2410DF79DGEL07202002B"


def sample_tray(at: datetime) -> tuple[TrayCard, ...]:
    """The tray, with certificates that are fresh on the day of `at` (aware)."""
    return (*_linked(at), *_refused(at), *_other_kinds(), *_troublesome(at), *_other_makes(at))


def _sample_cn(number: int) -> str:
    """14 + 9 characters that no real card has: there is no municipality 99999."""
    return f"SAMPLE{number:08d}99999{number:03d}A"


def _seed(cn: str, card: CardFile, library: str, shops: str, *, suspended: bool = False) -> Seed:
    return Seed(
        SubjectCn.parse(cn),
        card.files[FILE_AUTH_CERTIFICATE],
        (
            (LIBRARY.provider_id, ServiceId(library)),
            (SHOPS.provider_id, ServiceId(shops)),
        ),
        suspended=suspended,
    )


def _linked(at: datetime) -> tuple[TrayCard, ...]:
    paper, suspended = make_card(_PAPER, at=at), make_card(_sample_cn(3), at=at)
    ending = make_card(_sample_cn(4), at=at, days_left=DAYS_LEFT_OF_ENDING_CARD)
    return (
        TrayCard(
            "1", "登録済みの人", "Linked",
            "サービスIDが出て、引き渡されます", "the service ID appears and is handed over",
            paper, _seed(_PAPER, paper, "2802121234", "ABCDEFGHI"),
        ),
        TrayCard(
            "2", "まだ登録していない人", "Not linked yet",
            "サービスID登録へ進めます", "goes on to linking",
            make_card(_sample_cn(2), at=at),
        ),
        TrayCard(
            "3", "利用停止中の人", "Suspended",
            "停止中と出て、引き渡しません", "says suspended and hands nothing over",
            suspended,
            _seed(_sample_cn(3), suspended, "2802120003", "SAMPLE0003", suspended=True),
        ),
        TrayCard(
            "4", "まもなく期限の人", "Ending soon",
            "引き渡され、残り日数が出ます", "is handed over, and says how many days are left",
            ending, _seed(_sample_cn(4), ending, "2802120004", "SAMPLE0004"),
        ),
    )  # fmt: skip


def _refused(at: datetime) -> tuple[TrayCard, ...]:
    return (
        TrayCard(
            "5", "期限切れのカード", "Expired",
            "有効期限切れと出ます", "says expired",
            make_card(_sample_cn(5), at=at, variant=Variant.EXPIRED),
        ),
        TrayCard(
            "6", "有効期間前のカード", "Not yet valid",
            "まだ有効でないと出ます", "says not yet valid",
            make_card(_sample_cn(6), at=at, variant=Variant.NOT_YET_VALID),
        ),
        TrayCard(
            "7", "知らない発行者のカード", "Unknown issuer",
            "発行者を確認できないと出ます", "says that the issuer is not known",
            make_card(_sample_cn(7), at=at, variant=Variant.WRONG_ISSUER),
        ),
        TrayCard(
            "8", "偽造されたカード", "Forged",
            "署名が正しくないと出ます", "says that the signature is wrong",
            make_card(_sample_cn(8), at=at, variant=Variant.FORGED),
        ),
    )  # fmt: skip


def _other_kinds() -> tuple[TrayCard, ...]:
    return (
        TrayCard(
            "9", "運転免許証", "Driving licence",
            "マイナンバーカードでないと出ます", "says that it is no My Number Card",
            driving_licence(),
        ),
        TrayCard(
            "0", "ポイントカード（FeliCa）", "Point card (FeliCa)",
            "登録の手順２で使えます", "serves in step 2 of linking",
            felica_card(),
        ),
        TrayCard(
            "a", "ポイントカード（MIFARE）", "Point card (MIFARE)",
            "登録の手順２で使えます", "serves in step 2 of linking",
            mifare_card(),
        ),
    )  # fmt: skip


def _troublesome(at: datetime) -> tuple[TrayCard, ...]:
    slow = make_card(
        _sample_cn(12), at=at, fault=Fault(FaultName.SLOW, seconds=SECONDS_PER_COMMAND_OF_SLOW_CARD)
    )
    return (
        TrayCard(
            "b", "早く離したカード", "Pulled too early",
            "もう一度かざすよう出ます", "asks to lay it again",
            make_card(_sample_cn(11), at=at, fault=Fault(FaultName.REMOVED_DURING_READ)),
        ),
        TrayCard(
            "c", "遅いカード", "Slow",
            "読取中が続いてから、引き渡されます", "reads for seconds, then is handed over",
            slow, _seed(_sample_cn(12), slow, "2802120012", "SAMPLE0012"),
        ),
        TrayCard(
            "d", "もう一人、登録していない人", "Another one not linked",
            "通信を切って登録してみる人です", "for linking while the line is cut",
            make_card(_sample_cn(13), at=at),
        ),
    )  # fmt: skip


def _other_makes(at: datetime) -> tuple[TrayCard, ...]:
    """Such as have the application, and are no plastic card of the present kind."""
    return (
        TrayCard(
            "e", "スマートフォン", "A phone",
            "プラスチックのカードを求めます", "asks for the plastic card",
            phone(_sample_cn(14), at=at),
        ),
        TrayCard(
            "f", "新しい種類のカード", "A newer kind of card",
            "まだ対応していないと出ます", "says that it is not known yet",
            newer_card(_sample_cn(15), at=at),
        ),
        TrayCard(
            "g", "写しのカード（登録済み）", "A copy of the first card",
            "暗証番号を求めると、分かります", "is found out where a PIN is asked",
            copied_card(_PAPER, at=at),
        ),
    )  # fmt: skip
