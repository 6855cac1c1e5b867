"""The steps of サービスID登録 and their buttons: what is known, what is shown, what a key does."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import ServiceId
from mykey_tui.flows.outcomes import IdentifiedCard, ServiceCardOutcome, Stopped
from mykey_tui.screens import actions
from mykey_tui.screens.actions import Action
from mykey_tui.screens.base import CounterScreen
from mykey_tui.screens.field import NumberField
from mykey_tui.screens.host import Host
from mykey_tui.screens.layout import Line, left
from mykey_tui.screens.link_view import LinkState, Step, link_stage
from mykey_tui.screens.two_typings import TwoTypings

_FINAL = frozenset(
    {
        Code.LINK_DUPLICATE, Code.SERVICE_ID_TAKEN, Code.NOT_REGISTERED, Code.SUSPENDED,
        Code.RENEWED, Code.PIN_BLOCKED, Code.CARD_NOT_PROVEN,
    }
)  # fmt: skip
"""Answers that trying again with the same two cards will not change."""


class LinkSteps(CounterScreen):
    """The three steps. Keyboard: at most Enter, the number, Enter."""

    heading = "place.link"

    def __init__(self, host: Host, card: IdentifiedCard | None) -> None:
        super().__init__(host)
        self.state = LinkState()
        self._card: IdentifiedCard | None = None
        self._number: ServiceId | None = None
        self._typings = TwoTypings()
        self._service_card_lies = False
        self._commit_when_taken = False
        if card is not None:
            self._take_card(card)

    # What is shown

    def offered(self) -> tuple[Action, ...]:
        """Enter means the step's own button."""
        step = self.state.step
        if step is Step.REGISTER:
            first: tuple[Action, ...] = (actions.REGISTER, actions.AGAIN)
        else:
            first = (actions.ENTER,)
        ends = (actions.BACK, actions.HELP, actions.LANGUAGE, actions.DOCTOR)
        return (*first, *ends, *self.demo_hands())

    def stage(self) -> list[Line]:
        """The steps or the answer."""
        return link_stage(
            self.state,
            self.host.status,
            self.face,
            card_lies=self.host.card_lies,
            scanner_missing=self.host.scanner_missing,
        )

    def next_step(self) -> Line:
        """One sentence for the step at hand."""
        key = f"link.next.{self.state.step.value}"
        if isinstance(self.state.outcome, Stopped):
            final = self.state.outcome.code in _FINAL
            key = "link.next.refused" if final else "link.next.retry"
        elif self.state.wanted:
            key = "link.next.swap" if self.state.swap else "link.next.wanted"
        return left(self.face.text(key), indent=1)

    @property
    def wants_a_card(self) -> bool:
        """In step 3, where a card left lying is the wrong one: the hint says which is needed."""
        return self.state.wanted

    @property
    def takes_text(self) -> bool:
        """Step 2 has the field."""
        return self.state.step is Step.SERVICE_CARD

    def over_the_stage(self) -> Iterable[Widget]:
        """The field of step 2."""
        yield NumberField()

    def repaint(self) -> None:
        """The field is there in step 2 alone, and has the keys then."""
        super().repaint()
        if not self.is_mounted:
            return
        field, wanted = self.query_one(NumberField), self.takes_text
        if field.display != wanted:
            field.display = wanted
        if wanted and self.focused is not field:
            field.focus()
        elif not wanted and self.focused is not None:
            self.set_focus(None)

    # Steps

    def entered(self) -> None:
        """Tell the desk what the next card is for."""
        services = self.host.services
        if services is None:
            return
        if self.state.step in (Step.STORING, Step.DONE) and not self._is_final:
            self._back_to_register()
        if self.state.step is Step.MY_CARD:
            services.desk.expect_lookup(handover=False)
        elif self.state.step is Step.DONE:
            services.desk.expect_lookup()
        elif self.state.step is Step.SERVICE_CARD:
            services.desk.expect_service_card()
        elif self.state.step is Step.REGISTER:
            services.desk.expect_nothing()
        self.repaint()

    def forget(self) -> None:
        """Nothing of the person stays behind."""
        self._card = self._number = None
        self._typings.forget()
        self.state = LinkState()

    def _take_card(self, card: IdentifiedCard, *, not_loaded: bool = False) -> None:
        self._card = card
        self.state.my_key_id = card.cn.my_key_id.text
        self.state.not_loaded = not_loaded
        self.state.step = Step.SERVICE_CARD
        self.state.message = None

    def _take_number(self, outcome: ServiceCardOutcome) -> None:
        if isinstance(outcome, Stopped):
            self.state.message = outcome
        else:
            self._number = outcome.service_id
            self.state.number = outcome.service_id.text
            self.state.step = Step.REGISTER
            self.state.message = None
        self._typings.forget()
        self.state.typed_once = False
        self._empty_field()
        self.entered()

    def _empty_field(self) -> None:
        if self.is_mounted:
            self.query_one(NumberField).value = ""

    def do_enter(self) -> None:
        """The button of step 1 or 2, or away from the answer."""
        step = self.state.step
        if step is Step.MY_CARD:
            self.entered()
            self.flash(self.face.text("link.next.my-card"))
        elif step is Step.SERVICE_CARD:
            self._typed(self.query_one(NumberField).value)
        elif step is Step.DONE:
            self._after_answer()

    def _typed(self, text: str) -> None:
        services = self.host.services
        if services is None:
            return
        if not text.strip():
            self.flash(self.face.text("link.next.service-card"))
            return
        checked = services.counter.check_service_id(text)
        outcome = self._typings.take(checked)
        if outcome is None:
            self.state.typed_once, self.state.message = True, None
            self._empty_field()
        elif outcome is checked and isinstance(checked, Stopped):
            self.state.message = checked  # The text stays in the field, to be put right.
        else:
            self._take_number(outcome)

    def scanned(self, text: str) -> None:
        """A barcode is the service ID, wherever the focus is, but only in step 2."""
        services = self.host.services
        if services is None or self.state.step is not Step.SERVICE_CARD:
            super().scanned(text)
            return
        self._take_number(services.counter.check_service_id(text))
        self.repaint()

    def do_again(self) -> None:
        """Step 2 once more."""
        self._number, self.state.number = None, ""
        self.state.step = Step.SERVICE_CARD
        self.entered()

    def do_register(self) -> None:
        """The button of step 3: read the card again, compare, store."""
        self.state.step, self.state.message = Step.STORING, None
        self._commit()

    def _commit(self) -> None:
        """Ask for step 3; a service card that still lies there is asked back first."""
        services = self.host.services
        if services is None or self._card is None or self._number is None:
            return
        self._commit_when_taken = self.state.swap = self._service_card_lies
        if self._commit_when_taken:
            self.state.wanted = True
        else:
            services.desk.commit_link(self._card, self._number)

    def _after_answer(self) -> None:
        if self._may_be_tried_again:
            self._back_to_register()
            self.entered()
        else:
            self.host.back()

    def _back_to_register(self) -> None:
        self.state.outcome, self.state.step = None, Step.REGISTER
        self.state.wanted = self._commit_when_taken = False

    @property
    def _is_final(self) -> bool:
        return self.state.outcome is not None and not self._may_be_tried_again

    @property
    def _may_be_tried_again(self) -> bool:
        outcome = self.state.outcome
        return isinstance(outcome, Stopped) and outcome.code not in _FINAL

    @property
    def gives_way(self) -> bool:
        """After the last word the next card is the next person's."""
        return self.state.step is Step.DONE and not self._may_be_tried_again

    def why_not(self, action: Action) -> str | None:
        """While step 3 stores, Enter has nothing to do."""
        if action is actions.ENTER and self.state.step is Step.STORING:
            return "why.storing"
        if action is actions.DOCTOR and self.state.reading:
            return "why.reading"
        return super().why_not(action)
