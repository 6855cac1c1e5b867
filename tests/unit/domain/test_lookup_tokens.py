"""Fixed vectors: a token that changed would unlink every person at every counter."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mykey_tui.domain.ids import CertificateRef, MyKeyId, SubjectCn
from mykey_tui.domain.tokens import binding, chosen_token, default_token, same_secret

KEY = bytes(range(32))
CN = SubjectCn.parse("1C2410DF79DGEL07202002B")
# C=JP as a Name in DER.
ISSUER = bytes.fromhex("300d310b3009060355040613024a50")
UPPER_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def test_the_token_of_a_default_id_is_what_it_always_was() -> None:
    # printf d1C24…B | openssl dgst -sha256 -mac HMAC -macopt hexkey:0001…1f
    assert default_token(KEY, CN).hex() == "d52d52243dee3aed4cc756303c5f096f"


def test_the_token_of_a_chosen_id_is_what_it_always_was() -> None:
    assert chosen_token(KEY, CN.my_key_id).hex() == "f4bdc1fdf70a6ad832cc243987c666ce"


def test_the_binding_of_a_certificate_is_what_it_always_was() -> None:
    assert binding(KEY, CertificateRef(ISSUER, 0x06D18006)).hex() == "6190ee6d28960035"


@pytest.mark.parametrize(
    ("serial", "encoded"), [(127, "7f"), (128, "0080"), (0x86D18006, "0086d18006")]
)
def test_a_serial_goes_into_the_binding_as_der_would_write_it(serial: int, encoded: str) -> None:
    wanted = hmac.digest(KEY, b"b" + ISSUER + bytes.fromhex(encoded), "sha256")[:8]
    assert binding(KEY, CertificateRef(ISSUER, serial)) == wanted


def test_two_providers_tokens_of_one_person_never_match() -> None:
    other = bytes(32)
    assert default_token(KEY, CN) != default_token(other, CN)
    assert chosen_token(KEY, CN.my_key_id) != chosen_token(other, CN.my_key_id)


@given(st.text(UPPER_ALPHANUMERIC, min_size=23, max_size=23))
def test_a_default_and_a_chosen_token_of_one_string_differ(text: str) -> None:
    cn = SubjectCn.parse(text)
    tokens = {default_token(KEY, cn), chosen_token(KEY, cn.my_key_id)}
    assert {len(token) for token in tokens} == {16}
    assert len(tokens) == 2


def test_the_same_14_characters_of_two_municipalities_are_two_people() -> None:
    neighbour = SubjectCn.parse("1C2410DF79DGEL13221003A")

    assert default_token(KEY, CN) != default_token(KEY, neighbour)
    assert chosen_token(KEY, CN.my_key_id) == chosen_token(KEY, neighbour.my_key_id)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_wrong_length_is_never_used(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        chosen_token(bytes(length), MyKeyId.parse("1C2410DF79DGEL"))


def test_secrets_are_compared_whole() -> None:
    assert same_secret(b"abc", b"abc")
    assert not same_secret(b"abc", b"abd")
    assert not same_secret(b"abc", b"ab")
