"""Which code a failure has: the one place where errors become what a person is told."""

from __future__ import annotations

import traceback
from pathlib import Path

from mykey_tui.domain.codes import Code
from mykey_tui.domain.errors import (
    AnchorsError,
    CardError,
    ForbiddenApduError,
    HandOverError,
    LineError,
    MyKeyError,
    MyNumberTypedError,
    PinError,
    ReaderError,
    ServerError,
    StoreError,
)
from mykey_tui.flows.outcomes import Stopped

_FRAMES_IN_REPORT = 6


def stopped_by(error: MyKeyError) -> Stopped:
    """The outcome of `error`. What no person can bring about is ours: X-BUG."""
    match error:
        case ForbiddenApduError():
            return Stopped(Code.BUG)
        case PinError():
            return Stopped(error.code, {"count": str(error.tries_left)})
        case CardError() | ReaderError() | StoreError() | AnchorsError():
            return Stopped(error.code)
        case LineError() | ServerError() | HandOverError():
            return Stopped(error.code)
        case MyNumberTypedError():
            return Stopped(Code.SERVICE_ID_IS_MY_NUMBER)
        case _:
            return Stopped(Code.BUG)


def describe_bug(error: BaseException) -> str:
    """Where it broke, for the log: types, files and lines, and no word of any message.

    A message may quote what a person typed or what a card said, so none is kept.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_IN_REPORT:]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {places or 'unknown place'}"
