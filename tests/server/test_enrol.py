"""A counter enrols by a one-time code, once, within its time."""

from __future__ import annotations

from datetime import timedelta

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mykey_server.database import reading, writing
from mykey_server.rate import ADDRESSES_MAX, REFUSED_MAX, WINDOW_SECONDS, RefusedTries
from mykey_server.services import admin
from mykey_server.services.enrol import ALPHABET, CODE_LENGTH, WRONG_TRIES_MAX
from mykey_server.tables.terminal import TERMINAL_RETIRED
from mykey_tui.wire.messages import EnrolReply, Problem
from tests.server.conftest import Counter, Server


def problem(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    decoded = msgspec.json.decode(answer.content, type=Problem)
    assert decoded.status == answer.status_code
    return decoded.type


def new_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def wrong(code: str) -> str:
    """The same code with another last character."""
    return code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % len(ALPHABET)]


async def test_a_code_has_ten_characters_that_cannot_be_misread(server: Server, scope: str) -> None:
    code = server.make_code(scope)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


async def test_an_enrolled_counter_knows_its_provider(counter: Counter) -> None:
    identity = counter.identity
    assert (identity.provider_id, identity.scope) == ("A-α1-0001", "A-alpha1-0001")
    assert identity.profile == "simulated"
    assert (await counter.head()).seq == 0


async def test_a_code_may_be_typed_with_hyphen_lower_case_and_lookalikes(
    server: Server, scope: str
) -> None:
    code = server.make_code(scope)
    typed = f"{code[:5]}-{code[5:]}".lower().replace("1", "l").replace("0", "o")
    assert (await server.ask_to_enrol(typed, new_key())).status_code == 200


async def test_a_lost_reply_is_given_again_to_the_same_key(server: Server, scope: str) -> None:
    code, key = server.make_code(scope), new_key()
    first = await server.ask_to_enrol(code, key)
    again = await server.ask_to_enrol(code, key)
    assert msgspec.json.decode(first.content, type=EnrolReply) == msgspec.json.decode(
        again.content, type=EnrolReply
    )


async def test_a_used_code_is_refused_to_another_key(server: Server, scope: str) -> None:
    code = server.make_code(scope)
    await server.ask_to_enrol(code, new_key())
    answer = await server.ask_to_enrol(code, new_key())
    assert (answer.status_code, problem(answer)) == (403, "enrolment-code-refused")


async def test_a_code_ends_after_its_time(server: Server, scope: str) -> None:
    code, key = server.make_code(scope), new_key()
    server.clock.pass_by(timedelta(minutes=15, seconds=1))
    assert problem(await server.ask_to_enrol(code, key)) == "enrolment-code-refused"


async def test_a_used_code_gives_nothing_after_its_time_even_to_its_counter(
    server: Server, scope: str
) -> None:
    code, key = server.make_code(scope), new_key()
    await server.ask_to_enrol(code, key)
    server.clock.pass_by(timedelta(minutes=15, seconds=1))
    assert problem(await server.ask_to_enrol(code, key)) == "enrolment-code-refused"


async def test_five_wrong_tries_end_a_code(server: Server, scope: str) -> None:
    code = server.make_code(scope)
    for _ in range(WRONG_TRIES_MAX):
        assert problem(await server.ask_to_enrol(wrong(code), new_key())) == (
            "enrolment-code-refused"
        )
    answer = await server.ask_to_enrol(code, new_key())
    assert (answer.status_code, problem(answer)) == (429, "too-many-tries")


async def test_wrong_tries_at_one_code_leave_another_alone(server: Server, scope: str) -> None:
    first, second = server.make_code(scope), server.make_code(scope)
    for _ in range(WRONG_TRIES_MAX):
        await server.ask_to_enrol(wrong(first), new_key())
    assert (await server.ask_to_enrol(second, new_key())).status_code == 200


async def test_an_address_that_guesses_is_slowed_down_and_then_forgiven(
    server: Server, scope: str
) -> None:
    for _ in range(REFUSED_MAX):
        await server.ask_to_enrol("0000000000", new_key())
    code = server.make_code(scope)
    assert (await server.ask_to_enrol(code, new_key())).status_code == 429
    server.clock.pass_by(timedelta(seconds=WINDOW_SECONDS))
    assert (await server.ask_to_enrol(code, new_key())).status_code == 200


def test_the_list_of_guessing_addresses_is_bounded() -> None:
    tries = RefusedTries()
    for number in range(ADDRESSES_MAX + 10):
        tries.count(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(tries._tries) == ADDRESSES_MAX


async def test_a_code_enrols_for_its_own_provider_alone(server: Server) -> None:
    server.add_provider("A-1")
    second = server.add_provider("B-1")
    assert (await server.enrol(second)).identity.provider_id == "B-1"


async def test_a_counter_stands_where_the_operator_said_whatever_it_calls_itself(
    server: Server, scope: str
) -> None:
    code = server.make_code(scope, "駅前店\x1b[2J")
    assert (await server.ask_to_enrol(code, new_key(), name="本店")).status_code == 200
    with reading(server.core.engine) as connection:
        (terminal,) = admin.list_terminals(connection)
    assert (terminal["site"], terminal["name"]) == ("駅前店␦[2J", "本店")


async def test_a_code_for_no_place_enrols_a_counter_of_no_place(
    server: Server, counter: Counter
) -> None:
    with reading(server.core.engine) as connection:
        (terminal,) = admin.list_terminals(connection)
    assert terminal["site"] is None


async def test_a_retired_counter_is_told_so_at_its_next_request(counter: Counter) -> None:
    await counter.head()
    with writing(counter.server.core.engine) as connection:
        admin.set_terminal_status(connection, counter.identity.device_id, TERMINAL_RETIRED)
    answer = await counter.send("GET", f"/v1/heads?scope={counter.scope}")
    assert (answer.status_code, problem(answer)) == (401, "device-retired")
    answer = await counter.try_push(counter.batch([counter.link("1C2410DF79DGEL07202002B", "A1")]))
    assert (answer.status_code, problem(answer)) == (401, "device-retired")


async def test_a_retired_counters_code_gives_nothing_any_more(server: Server, scope: str) -> None:
    code, key = server.make_code(scope), new_key()
    answer = await server.ask_to_enrol(code, key)
    device_id = msgspec.json.decode(answer.content, type=EnrolReply).device_id
    with writing(server.core.engine) as connection:
        admin.set_terminal_status(connection, device_id, TERMINAL_RETIRED)
    assert problem(await server.ask_to_enrol(code, key)) == "enrolment-code-refused"


async def test_only_the_holder_of_the_key_learns_that_a_counter_was_retired(
    counter: Counter,
) -> None:
    with writing(counter.server.core.engine) as connection:
        admin.set_terminal_status(connection, counter.identity.device_id, TERMINAL_RETIRED)
    answer = await counter.send("GET", "/v1/hello", key=new_key())
    assert problem(answer) == "signature-refused"


@pytest.mark.parametrize("code", ["0000000000", "IIIIIIIIII", "ＡＢＣＤＥＦＧＨＩＪ", "----------"])
async def test_a_code_that_was_never_made_is_refused(server: Server, code: str) -> None:
    assert problem(await server.ask_to_enrol(code, new_key())) == "enrolment-code-refused"


async def test_a_counters_name_is_made_safe_to_show(server: Server, scope: str) -> None:
    await server.ask_to_enrol(server.make_code(scope), new_key(), name="till\x1b[31m\u202e1")
    with writing(server.core.engine) as connection:
        (terminal,) = admin.list_terminals(connection)
    assert terminal["name"] == "till␦[31m␦1"
