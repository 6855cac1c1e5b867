"""A refusal on its way to becoming a reply."""

from __future__ import annotations

from collections.abc import Sequence

from mykey_tui.domain.errors import MyKeyError
from mykey_tui.wire.messages import Succession
from mykey_tui.wire.problems import ProblemType


class ProblemError(MyKeyError):
    """The request as a whole is refused. Carries nothing that the request said."""

    def __init__(
        self,
        problem: ProblemType,
        *,
        epoch: str | None = None,
        action: str | None = None,
        reason: str | None = None,
        proof: bytes | None = None,
        successions: Sequence[Succession] = (),
    ) -> None:
        super().__init__(problem.type_name)
        self.problem = problem
        self.epoch = epoch
        self.action = action
        self.reason = reason
        self.proof = proof
        self.successions = successions


def reset(*, epoch: str, action: str, reason: str) -> ProblemError:
    """The counter's place is not in this server's history; `action` is what it should do."""
    return ProblemError(ProblemType.RESET, epoch=epoch, action=action, reason=reason)
