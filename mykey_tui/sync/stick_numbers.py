"""What a stick says became of mutation numbers, for a counter that gave more of them meanwhile."""

from __future__ import annotations

import msgspec

from mykey_tui.wire.messages import KnownItem, RecoveredItem, RecoverReply, RecoverRequest


class RecordedNumbers:
    """The recorded questions about numbers, and what was answered to each of them."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._answers: dict[bytes, dict[KnownItem, RecoveredItem]] = {}
        self._reply: RecoverReply | None = None

    def note(self, asked: RecoverRequest, reply: RecoverReply) -> None:
        """Remember one question and its reply."""
        told = {item.mid: item for item in reply.items}
        series = self._answers.setdefault(asked.incarnation, {})
        series.update((item, told[item.mid]) for item in asked.items if item.mid in told)
        self._reply = reply

    def answer(self, asked: RecoverRequest) -> RecoverReply:
        """Answer item by item; `unknown` for what was queued after the recorded question.

        A number behind the newest of that question, in a file that still has that one, was given
        since. While the question is open nothing is sent, and what answers it draws another
        incarnation: so the server cannot have it.

        Raises:
            ValueError: another number, or another content. It is asked with the next stick.
        """
        series = self._answers.get(asked.incarnation)
        if not series or self._reply is None:
            raise ValueError("nothing was asked of these numbers")
        newest = max(series, key=lambda item: item.mid)
        has_newest = newest in asked.items
        items: list[RecoveredItem] = []
        for item in asked.items:
            known = series.get(item)
            if known is None and not (has_newest and item.mid > newest.mid):
                raise ValueError("this number was not asked about")
            items.append(known or RecoveredItem(item.mid, "unknown"))
        return msgspec.structs.replace(self._reply, items=items)
