"""The judgement of a certificate: a closed set of outcomes, never a bool."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from mykey_tui.domain.codes import Code
from mykey_tui.domain.ids import CertificateRef, SubjectCn


@dataclass(frozen=True, slots=True)
class Accepted:
    """Every check passed. Says nothing about revocation: a counter cannot ask for that."""

    cn: SubjectCn
    certificate: CertificateRef
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """One check failed; `reason` is the failure code, `not_after` is set for C-EXPIRED."""

    reason: Code
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """We could not tell: no anchors installed, or no clock to compare dates with."""

    reason: Code


Verdict: TypeAlias = Accepted | Refused | Undecided
