"""Calls that take time: run in a thread, answered on the screen's thread by a message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from textual import on
from textual.app import App
from textual.message import Message

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import MyKeyError, failure_code

T = TypeVar("T")
_log = logging.getLogger(__name__)


class BackgroundCalls(App[None]):
    """Mixed into the app. Daemon threads: a call that hangs does not keep the program alive."""

    class Back(Message):
        """A call came back: run this on the screen's thread."""

        def __init__(self, call: Callable[[], None]) -> None:
            super().__init__()
            self.call = call

    def background(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[Code], None]
    ) -> None:
        """Run `work` in a thread; its result or failure code comes back. A bug ends the program."""

        def run() -> None:
            try:
                result = work()
            except MyKeyError as error:
                code = failure_code(error)
                _log.warning("a background call failed: %s", code.value)
                self.post_message(self.Back(partial(failed, code)))
            except Exception as error:  # noqa: BLE001  # the thread's outermost frame: the app ends
                self.crash_from_thread(error)
            else:
                self.post_message(self.Back(partial(done, result)))

        threading.Thread(target=run, name="background", daemon=True).start()

    def background_each(
        self,
        work: Callable[[], Iterator[T]],
        each: Callable[[T], None],
        done: Callable[[], None],
        failed: Callable[[Code], None],
    ) -> None:
        """Run `work` in a thread; each thing that it yields comes back as soon as it is there."""

        def run() -> None:
            for item in work():
                self.post_message(self.Back(partial(each, item)))

        self.background(run, lambda _: done(), failed)

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` on the screen's thread; from any thread."""
        self.post_message(self.Back(call))

    def crash_from_thread(self, error: Exception) -> None:
        """Let a thread's bug end the program as one of the screen's own does."""

        def again() -> None:
            raise error

        self.post_message(self.Back(again))

    @on(Back)
    def _back_from_background(self, message: Back) -> None:
        message.call()
