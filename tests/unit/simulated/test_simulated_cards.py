from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from mykey_tui.card.allow_list import FILE_AUTH_CA_CERTIFICATE, FILE_AUTH_CERTIFICATE
from mykey_tui.card.jpki import JpkiApplet
from mykey_tui.card.storage import is_storage_card, read_uid
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MalformedIdError, WrongCardError
from mykey_tui.domain.verdict import Accepted, Refused
from mykey_tui.reader.card_file import CardFile
from mykey_tui.reader.emulator import EmulatedReader
from mykey_tui.simulated import DATA, anchors_dir
from mykey_tui.simulated.ca import CARD_KEYS, GENERATIONS, generation, load_private_key
from mykey_tui.simulated.cards import make_card
from mykey_tui.simulated.foreign import Variant, driving_licence, felica_card, mifare_card
from mykey_tui.simulated.make_ca import make_all
from mykey_tui.trust.anchors import load_anchors
from mykey_tui.trust.certificate import parse_certificate
from mykey_tui.trust.chain import judge

CN = "1C2410DF79DGEL07202002B"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

REFUSALS = {
    Variant.EXPIRED: Code.CERTIFICATE_EXPIRED,
    Variant.NOT_YET_VALID: Code.CERTIFICATE_NOT_YET_VALID,
    Variant.WRONG_ISSUER: Code.CERTIFICATE_UNKNOWN_ISSUER,
    Variant.FORGED: Code.CERTIFICATE_FORGED,
    Variant.WRONG_KEY_USAGE: Code.CERTIFICATE_WRONG_USAGE,
    Variant.WRONG_POLICY: Code.CERTIFICATE_WRONG_POLICY,
    Variant.CN_OF_WRONG_LENGTH: Code.CERTIFICATE_MALFORMED,
}


def read(card: CardFile) -> bytes:
    """The certificate as a counter gets it: through the emulated reader, APDU by APDU."""
    reader = EmulatedReader()
    reader.insert(card)
    try:
        with reader.session() as connection:
            applet = JpkiApplet(connection)
            applet.select()
            return applet.read_auth_certificate()
    finally:
        reader.close()


def test_a_sample_card_is_read_and_believed() -> None:
    card = make_card(CN, at=AT)
    verdict = judge(read(card), load_anchors(anchors_dir()), at=AT)

    assert isinstance(verdict, Accepted)
    assert verdict.cn.text == CN


@pytest.mark.parametrize("variant", [v for v in Variant if v is not Variant.GOOD])
def test_each_wrong_variant_is_refused_for_its_own_reason(variant: Variant) -> None:
    card = make_card(CN, at=AT, variant=variant)
    verdict = judge(read(card), load_anchors(anchors_dir()), at=AT)

    assert isinstance(verdict, Refused)
    assert verdict.reason is REFUSALS[variant]


@pytest.mark.parametrize("hours", range(0, 24, 3))
def test_a_sample_card_is_good_at_every_hour_of_the_day_it_is_made(hours: int) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=hours)
    anchors = load_anchors(anchors_dir())

    for variant, code in REFUSALS.items():
        verdict = judge(read(make_card(CN, at=at, variant=variant)), anchors, at=at)
        assert isinstance(verdict, Refused)
        assert verdict.reason is code
    assert isinstance(judge(read(make_card(CN, at=at)), anchors, at=at), Accepted)


@pytest.mark.parametrize("ca_generation", [2, 3])
def test_two_ca_generations_of_one_name_vouch_side_by_side(ca_generation: int) -> None:
    card = make_card(CN, at=AT, ca_generation=ca_generation)

    assert isinstance(judge(read(card), load_anchors(anchors_dir()), at=AT), Accepted)
    assert len({generation(number).certificate.subject for number in GENERATIONS}) == 1


def test_the_first_ca_generation_has_ended_and_vouches_for_no_new_card() -> None:
    card = make_card(CN, at=AT, ca_generation=1)
    assert judge(read(card), load_anchors(anchors_dir()), at=AT) == Refused(
        Code.CERTIFICATE_UNKNOWN_ISSUER
    )


def test_the_same_day_gives_the_same_card_and_another_person_another_serial() -> None:
    card = make_card(CN, at=AT)

    assert make_card(CN, at=AT + timedelta(hours=5)).encode() == card.encode()
    other = make_card("SAMPLE0000000299999002A", at=AT)
    serials = {parse_certificate(read(one)).serial for one in (card, other)}
    assert len(serials) == 2
    assert all(0 < serial < 2**31 for serial in serials)


def test_days_left_are_what_was_asked_for() -> None:
    certificate = parse_certificate(read(make_card(CN, at=AT, days_left=10)))
    assert (certificate.not_after - AT).days == 10


def test_the_card_s_key_belongs_to_its_certificate() -> None:
    card = make_card(CN, at=AT)
    assert card.auth_key is not None
    signature = load_private_key(card.auth_key.encode()).sign(b"challenge", PKCS1v15(), SHA256())

    public_key = parse_certificate(read(card)).decoded.public_key()
    assert isinstance(public_key, RSAPublicKey)
    public_key.verify(signature, b"challenge", PKCS1v15(), SHA256())


def test_a_card_file_survives_the_disk(tmp_path: Path) -> None:
    card = make_card(CN, at=AT)
    card.save(tmp_path / "card.json")
    assert CardFile.load(tmp_path / "card.json") == card


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "１２３４"])
def test_a_pin_has_four_digits(pin: str) -> None:
    with pytest.raises(ValueError, match="four digits"):
        make_card(CN, at=AT, pin=pin)


def test_a_card_for_no_cn_is_not_made() -> None:
    with pytest.raises(MalformedIdError):
        make_card(CN[:-1], at=AT)


def test_no_card_file_shows_its_owner_by_accident() -> None:
    card = make_card(CN, at=AT)
    assert "1C2410" not in repr(card)
    assert "1C2410" not in card.name


def test_a_driving_licence_is_told_from_a_my_number_card() -> None:
    with pytest.raises(WrongCardError) as caught:
        read(driving_licence())
    assert caught.value.code is Code.CARD_NOT_JPKI


@pytest.mark.parametrize(("card", "length"), [(felica_card(), 8), (mifare_card(), 7)])
def test_a_point_card_gives_its_number(card: CardFile, length: int) -> None:
    reader = EmulatedReader()
    reader.insert(card)
    with reader.session() as connection:
        assert is_storage_card(connection.atr)
        assert read_uid(connection) == card.uid
    reader.close()
    assert card.uid is not None
    assert len(card.uid) == length


@pytest.mark.parametrize("card", [driving_licence(), felica_card(), mifare_card()])
def test_the_check_byte_of_each_answer_to_reset_is_right(card: CardFile) -> None:
    check = 0
    for byte in card.atr[1:]:
        check ^= byte
    assert check == 0


def test_everything_that_a_person_may_meet_says_simulated() -> None:
    certificate = parse_certificate(read(make_card(CN, at=AT)))

    assert "SIMULATED" in certificate.issuer_text
    assert "SIMULATED" in (DATA / "README.md").read_text()
    for card in (make_card(CN, at=AT), driving_licence(), felica_card(), mifare_card()):
        assert card.simulated
        assert "SIMULATED" in card.name


def test_the_script_beside_the_test_ca_makes_the_same_kind_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not 16 new keys of 2048 bits in every test run.
    key = load_private_key((DATA / "keys" / "card-00.pem").read_bytes())
    monkeypatch.setattr(
        "mykey_tui.simulated.make_ca.rsa.generate_private_key", lambda **_wanted: key
    )

    make_all(tmp_path)

    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(DATA) for path in DATA.rglob("*") if path.is_file()}
    assert made == kept
    assert (tmp_path / "README.md").read_bytes() == (DATA / "README.md").read_bytes()
    assert load_anchors(tmp_path / "anchors").policies == load_anchors(anchors_dir()).policies
    with pytest.raises(FileExistsError):
        make_all(tmp_path)


def test_a_real_anchor_folder_would_not_believe_a_sample_card(tmp_path: Path) -> None:
    folder = tmp_path / "anchors"
    folder.mkdir()
    for number in GENERATIONS:
        name = f"test-ca-{number}.pem"
        (folder / name).write_bytes((anchors_dir() / name).read_bytes())

    # Even with the test CA put in by mistake: the policy is another.
    verdict = judge(read(make_card(CN, at=AT)), load_anchors(folder), at=AT)
    assert verdict == Refused(Code.CERTIFICATE_WRONG_POLICY)


def test_the_key_pool_has_the_keys_it_promises() -> None:
    assert len(list((DATA / "keys").glob("card-*.pem"))) == CARD_KEYS


def test_the_card_carries_the_ca_certificate_that_signed_it() -> None:
    card = make_card(CN, at=AT)
    ca = card.files[FILE_AUTH_CA_CERTIFICATE]
    assert parse_certificate(ca).is_ca
    assert parse_certificate(card.files[FILE_AUTH_CERTIFICATE]).issuer_der == (
        parse_certificate(ca).issuer_der
    )
