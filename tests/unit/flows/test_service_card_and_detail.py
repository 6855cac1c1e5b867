"""Step 2's other sources, the card view, and the counter's own questions."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from mykey_tui.card.connection import ReaderState
from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import ServerError
from mykey_tui.domain.ids import ServiceId
from mykey_tui.domain.service_id import ServiceIdFormat
from mykey_tui.flows.card_detail import CardDetailFlow
from mykey_tui.flows.counter import CounterDesk
from mykey_tui.flows.outcomes import CardDetail, LineState, QueueState, ServiceCardRead, Stopped
from mykey_tui.flows.service_card import check_service_id
from mykey_tui.reader.card_file import Fault, FaultName
from mykey_tui.simulated.foreign import Variant, driving_licence


class _Line:
    def __init__(self) -> None:
        self.nudged = 0
        self.trouble = Code.LINE_DOWN

    def line(self) -> Any:
        return LineState.DOWN, 12.0

    def code(self) -> Any:
        return self.trouble

    def nudge(self) -> None:
        self.nudged += 1


@pytest.fixture
def counter(bench: Any) -> Any:
    return CounterDesk(
        store=bench.store,
        line=_Line(),
        handover=bench.till,
        reader=lambda: (ReaderState.READY, "Virtual reader"),
        card_text=lambda detail: f"card {detail.terminal_code}\n",
        clock=bench.clock,
        simulated_reader=True,
    )


def test_typed_text_is_normalised_before_it_is_judged() -> None:
    assert check_service_id(" ａｂｃ123 ", ServiceIdFormat()) == ServiceCardRead(
        ServiceId("ABC123")
    )


def test_the_wrong_character_is_counted_from_one() -> None:
    outcome = check_service_id("AB_C", ServiceIdFormat())
    assert outcome == Stopped(Code.SERVICE_ID_MALFORMED, {"position": "3"})


def test_a_my_number_is_turned_away_and_not_repeated() -> None:
    assert check_service_id("123456789018", ServiceIdFormat()) == Stopped(
        Code.SERVICE_ID_IS_MY_NUMBER
    )


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e123", "", "A" * 33, "[red]A[/]"])
def test_hostile_text_is_no_service_id(text: Any) -> None:
    outcome = check_service_id(text, ServiceIdFormat())
    assert isinstance(outcome, Stopped)
    assert outcome.code is Code.SERVICE_ID_MALFORMED


def show(bench: Any) -> Any:
    return CardDetailFlow(bench.reader, bench.judge, bench.clock).run()


def test_the_card_view_says_what_the_certificate_says(bench: Any) -> None:
    bench.lay()
    detail = show(bench)
    assert isinstance(detail, CardDetail)
    assert (detail.random_string, detail.terminal_code) == ("1C2410DF79DGEL", "07202002B")
    assert detail.municipality_code == "07202"
    assert detail.verdict is None


def test_the_card_view_of_a_refused_card_names_the_failed_check(bench: Any) -> None:
    bench.lay(variant=Variant.EXPIRED)
    detail = show(bench)
    assert isinstance(detail, CardDetail)
    assert detail.verdict is Code.CERTIFICATE_EXPIRED
    assert detail.days_left < 0


def test_the_card_view_has_nothing_to_show_of_another_card(bench: Any) -> None:
    bench.reader.insert(driving_licence())
    assert show(bench) == Stopped(Code.CARD_NOT_JPKI)


def test_the_card_view_of_garbage_is_a_code(bench: Any) -> None:
    bench.lay(fault=Fault(FaultName.GARBAGE_CERTIFICATE))
    assert show(bench) == Stopped(Code.CERTIFICATE_MALFORMED)


def test_nothing_about_the_person_stands_in_a_repr(bench: Any) -> None:
    card = bench.identified()
    detail = show(bench)
    for value in (card, detail, bench.lookup.run()):
        assert "1C2410DF79DGEL" not in repr(value)


def test_the_status_counts_what_waits_and_masks_it(bench: Any, counter: Any) -> None:
    bench.linking.link(bench.identified(), ServiceId("2802121234"))
    status = counter.status()
    assert (status.waiting, status.attention, status.simulated) == (1, 0, True)
    assert status.line is LineState.DOWN
    (item,) = counter.queue()
    assert item.masked_service_id == "******1234"
    assert item.state is QueueState.WAITING


def test_only_a_parked_mutation_can_be_sent_again(bench: Any, counter: Any) -> None:
    bench.linking.link(bench.identified(), ServiceId("2802121234"))
    assert not counter.retry(1)
    for _ in range(3):
        bench.store.count_try([1])
    assert counter.queue()[0].state is QueueState.PARKED
    assert counter.retry(1)
    assert counter.line.nudged == 1


def test_the_test_key_sends_the_marked_value(counter: Any, bench: Any) -> None:
    assert counter.test_handover().code is Code.HANDED_OVER
    assert bench.till.got == ["TEST-0000"]


def test_the_export_is_private_and_written_over(counter: Any, bench: Any) -> None:
    bench.lay()
    detail = show(bench)
    first = counter.export_card(detail)
    second = counter.export_card(detail)
    assert first == second
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert first.read_text() == f"card {detail.terminal_code}\n"


def test_the_status_says_how_old_the_rows_are_and_what_that_means(bench: Any, counter: Any) -> None:
    assert counter.status().age_code is None
    bench.clock.pass_hours(30)
    status = counter.status()
    assert (status.age_code, round(status.revocation_age_seconds)) == (Code.ROWS_OLD, 30 * 3600)
    assert status.line_code is Code.LINE_DOWN
    bench.clock.pass_hours(50)
    assert counter.status().age_code is Code.ROWS_STALE


def test_a_counter_that_was_ended_has_no_status_but_that(counter: Any) -> None:
    counter.line.trouble = Code.SERVER_RETIRED
    with pytest.raises(ServerError) as ended:
        counter.status()
    assert ended.value.code is Code.SERVER_RETIRED


def test_what_the_server_has_not_decided_is_unsent(bench: Any, counter: Any) -> None:
    bench.linking.link(bench.identified(), ServiceId("789"))
    assert (counter.status().unsent, counter.status().waiting) == (1, 1)


def test_a_number_whose_check_digit_does_not_fit_has_a_code_of_its_own() -> None:
    form = ServiceIdFormat.parse("digits:13+ean")
    assert check_service_id("4901234567884", form) == Stopped(Code.SERVICE_ID_CHECK)
    assert check_service_id("490123456788", form) == Stopped(
        Code.SERVICE_ID_MALFORMED, {"position": "13"}
    )


def test_the_card_view_names_the_municipality_where_a_list_lies_in_the_home(bench: Any) -> None:
    bench.lay()
    assert bench.visits.show().municipality == ""
    (bench.store.home.path / "municipalities.csv").write_text("07202,福島県,会津若松市\n")
    assert bench.visits.show().municipality == "会津若松市"
