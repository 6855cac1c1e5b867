from mykey_tui.card.connection import CardArrived, CardLeft, ReaderEvent
from mykey_tui.reader.slots import CHANGED, MUTE, PRESENT, Slots

EMPTY = 0x0010
ATR = b"\x3b\x88"


def state(count: int, flags: int) -> int:
    return count << 16 | flags | CHANGED


def events(slots: Slots) -> list[ReaderEvent]:
    return list(iter(slots.next_event, None))


def two_readers() -> Slots:
    slots = Slots()
    slots.keep(["A", "B"])
    slots.update("A", state(0, EMPTY), b"")
    slots.update("B", state(0, EMPTY), b"")
    return slots


def test_a_card_that_lies_there_at_the_first_look_has_arrived() -> None:
    slots = Slots()
    slots.keep(["A"])
    slots.update("A", state(7, PRESENT), ATR)
    assert events(slots) == [CardArrived("A", ATR)]


def test_the_same_state_again_is_no_news() -> None:
    slots = two_readers()
    for flags in (PRESENT, PRESENT | 0x0100, PRESENT):  # another program connects and goes
        slots.update("A", state(1, flags), ATR)
    assert events(slots) == [CardArrived("A", ATR)]


def test_a_card_swapped_between_two_looks_is_noticed() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    events(slots)
    slots.update("A", state(3, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("A", ATR)]


def test_the_counter_may_wrap_round() -> None:
    slots = two_readers()
    slots.update("A", state(0xFFFF, PRESENT), ATR)
    events(slots)
    slots.update("A", state(0x0001, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("A", ATR)]


def test_the_newest_of_two_cards_counts() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    assert events(slots) == [CardArrived("A", ATR)]
    slots.update("B", state(1, PRESENT), ATR)
    assert events(slots) == [CardArrived("B", ATR)]
    assert slots.newest == "B"
    slots.update("B", state(2, EMPTY), b"")
    assert events(slots) == [CardLeft("B")]
    assert slots.newest == "A"


def test_of_two_cards_that_come_together_one_is_reported_and_the_other_follows() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    slots.update("B", state(1, PRESENT), ATR)
    assert events(slots) == [CardArrived("B", ATR)]
    slots.update("B", state(2, EMPTY), b"")
    assert events(slots) == [CardLeft("B"), CardArrived("A", ATR)]


def test_a_card_that_came_and_went_between_two_looks_leaves_no_trace() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    slots.update("A", state(2, EMPTY), b"")
    assert events(slots) == []
    assert slots.newest is None


def test_a_reader_that_is_unplugged_takes_its_card_along() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    events(slots)
    slots.keep(["B"])
    assert events(slots) == [CardLeft("A")]
    slots.keep(["A", "B"])
    slots.update("A", state(5, PRESENT), ATR)
    assert events(slots) == [CardArrived("A", ATR)]


def test_a_mute_card_has_no_atr() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT | MUTE), b"\x00")
    assert events(slots) == [CardArrived("A", b"")]


def test_a_hostile_reader_name_is_cleaned_in_events_and_kept_for_calls() -> None:
    name = "Reader\x1b[31m\u202e 00"
    slots = Slots()
    slots.keep([name])
    slots.update(name, state(1, PRESENT), ATR)
    (event,) = events(slots)
    assert event.reader.isprintable()
    assert slots.newest == name
    assert slots.known_states()[0][0] == name


def test_a_state_of_a_reader_that_nobody_knows_is_ignored() -> None:
    slots = two_readers()
    slots.update("C", state(1, PRESENT), ATR)
    assert events(slots) == []


def test_a_card_that_stays_while_the_service_is_away_arrives_again() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    events(slots)
    slots.lose_sight()
    slots.lose_sight()  # a watcher that stays away is counted at each question
    slots.keep([])  # the new service has not found its readers yet
    slots.keep(["A", "B"])
    slots.update("A", state(0, 0), b"")  # and powers them up
    slots.update("A", state(0, PRESENT), ATR)
    slots.update("B", state(0, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("B", ATR)], "B's card is new"
    slots.update("B", state(1, EMPTY), b"")
    assert events(slots) == [CardLeft("B"), CardArrived("A", ATR, again=True)]


def test_a_reader_that_is_empty_at_the_first_look_begins_anew() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    events(slots)
    slots.lose_sight()
    slots.keep(["A"])
    slots.update("A", state(0, EMPTY), b"")
    slots.update("A", state(1, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("A", ATR)]


def test_a_card_that_nobody_was_told_of_is_not_again() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    slots.lose_sight()
    slots.keep(["A"])
    slots.update("A", state(0, PRESENT), ATR)
    assert events(slots) == [CardArrived("A", ATR)]


def test_a_card_is_again_as_often_as_sight_is_lost() -> None:
    slots = two_readers()
    slots.update("A", state(1, PRESENT), ATR)
    events(slots)
    for _ in range(3):
        slots.lose_sight()
        slots.keep(["A"])
        slots.update("A", state(0, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("A", ATR, again=True)]
    slots.update("A", state(1, EMPTY), b"")
    slots.update("A", state(2, PRESENT), ATR)
    assert events(slots) == [CardLeft("A"), CardArrived("A", ATR)], "laid again"
