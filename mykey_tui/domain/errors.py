"""Everything that can go wrong, drawn before it is written.

    MyKeyError
    ├── MalformedIdError          text that is no identifier, with the position
    │   └── CheckDigitError       a number whose check digit does not fit
    ├── MyNumberTypedError        a 12-digit My Number where it must not go
    ├── CardError
    │   ├── TransmissionError     no answer: pulled card, unplugged reader, dead service
    │   ├── StatusError           the card answered, and the answer was not 9000
    │   ├── MalformedResponseError  the card's bytes do not follow their own format
    │   ├── ForbiddenApduError    a command that this product never sends
    │   ├── MalformedCertificateError  bytes that are no certificate, or too many of them
    │   ├── WrongCardError        no JPKI application: another card
    │   ├── PinNotGivenError      nobody typed one on the reader: nothing was sent
    │   └── PinError              wrong or blocked PIN, with the tries left
    │       └── PinNotSentError   the last try was kept: nothing was sent
    ├── AnchorsError              the folder of trusted CA certificates cannot be used
    ├── ReaderError               the reader or its service; carries a failure code
    ├── StoreError                the counter's file; carries a failure code
    ├── LineError                 the server was not reached
    ├── ServerError               the server answered no, or not understandably; carries a code
    └── HandOverError             the till's side did not take it; carries a failure code

A failure that a person can meet carries a `Code` (see `domain.codes`), and the code has a page.
"""

from __future__ import annotations

from mykey_tui.domain.codes import Code


class MyKeyError(Exception):
    """Root of all errors that the product raises on purpose."""


def failure_code(error: MyKeyError) -> Code:
    """The code of a failure that a person can meet; X-BUG for one that nobody should."""
    code = getattr(error, "code", None)
    return code if isinstance(code, Code) else Code.BUG


class MalformedIdError(MyKeyError):
    """Text that is no identifier. The text itself is not kept: it may be a person's."""

    def __init__(self, what: str, *, position: int) -> None:
        super().__init__(f"not a {what}: wrong at character {position}")
        self.what = what
        self.position = position


class CheckDigitError(MalformedIdError):
    """A number whose check digit does not fit: somewhere in it a character is wrong."""

    def __init__(self) -> None:
        super().__init__("service ID with its check digit", position=1)


class MyNumberTypedError(MyKeyError):
    """12 digits with a My Number's check digit were typed where they must not go."""

    def __init__(self) -> None:
        super().__init__("a 12-digit My Number is never taken here")


class CardError(MyKeyError):
    """The card or its answer."""

    code = Code.CARD_UNREADABLE


class TransmissionError(CardError):
    """The card did not answer. `removed` when the driver says that it was taken away."""

    def __init__(self, message: str, *, removed: bool = False, code: Code | None = None) -> None:
        super().__init__(message)
        self.removed = removed
        self.code = code or (Code.CARD_REMOVED if removed else Code.CARD_UNREADABLE)


class StatusError(CardError):
    """The card answered with a status word other than 9000."""

    def __init__(self, command: str, status_word: int) -> None:
        super().__init__(f"{command}: status word {status_word:04X}")
        self.status_word = status_word


class MalformedResponseError(CardError):
    """The card's bytes do not follow their own format (lying length, short answer)."""


class ForbiddenApduError(CardError):
    """A command outside the allow-list was about to be sent. A bug of ours, stopped in time."""


class WrongCardError(CardError):
    """Not the card for this step: a driving licence, a point card, a phone; `code` says which."""

    def __init__(self, code: Code) -> None:
        super().__init__(f"not the card for this step: {code.value}")
        self.code = code


class MalformedCertificateError(CardError):
    """Bytes that are no certificate we can read. Nothing of them is in the message."""

    code = Code.CERTIFICATE_MALFORMED


class AnchorsError(MyKeyError):
    """The folder of trusted CA certificates holds something unusable; `entry` is the file's name."""

    code = Code.TRUST_NO_ANCHORS

    def __init__(self, entry: str, message: str) -> None:
        super().__init__(f"{entry}: {message}")
        self.entry = entry


class PinError(CardError):
    """Wrong or blocked PIN. `tries_left` is 0 when it is blocked."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"PIN refused, {tries_left} tries left")
        self.tries_left = tries_left
        self.code = Code.PIN_WRONG if tries_left else Code.PIN_BLOCKED


class PinNotSentError(PinError):
    """The PIN was kept back, because one more mistake would block it (or it is blocked)."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        if tries_left:
            self.code = Code.PIN_LAST


class PinNotGivenError(CardError):
    """The resident gave up at the reader's own keys, or took too long. Nothing was sent."""

    code = Code.PIN_NEEDED


class ReaderError(MyKeyError):
    """The reader or the PC/SC service."""

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(message or code.value)
        self.code = code


class StoreError(MyKeyError):
    """The counter's own file: key, disk, schema, damage."""

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(message or code.value)
        self.code = code


class LineError(MyKeyError):
    """The server was not reached: no line, wrong address, time-out. Nothing is known of it."""

    code = Code.LINE_DOWN


class ServerError(MyKeyError):
    """The server was reached and refused, or could not be understood."""

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(message or code.value)
        self.code = code


class HandOverError(MyKeyError):
    """The existing system did not take the service ID."""

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(message or code.value)
        self.code = code
