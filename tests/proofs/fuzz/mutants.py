"""Programs without one check each, made from the real one's text; the fuzz must find every one."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

from mykey_tui.card import iso7816, jpki, storage, tlv
from mykey_tui.trust import anchors, certificate, chain, common, possession


@dataclass(frozen=True)
class Mutant:
    """A function's text in which `taken` is replaced, and the violation that this must show as.

    Whatever holds the function by its name is bent: `owner`, and modules that imported it.
    """

    owner: object
    name: str
    taken: str
    instead: str
    breaks: str

    @contextmanager
    def bend(self) -> Iterator[None]:
        """The program without this check. Raises `AssertionError` where the text is not there."""
        function = getattr(self.owner, self.name)
        assert isinstance(function, FunctionType)
        source = _source(function)
        assert source.count(self.taken) == 1, f"{self.name} has changed: {self.taken}"
        made: dict[str, FunctionType] = {}
        text = "from __future__ import annotations\n" + source.replace(self.taken, self.instead)
        exec(text, function.__globals__, made)  # noqa: S102  # the program's own text
        whole = function.__code__
        common._remembered.clear()  # What the real program read, or what this one is about to.
        function.__code__ = made[self.name].__code__
        try:
            yield
        finally:
            function.__code__ = whole
            common._remembered.clear()


def _source(function: FunctionType) -> str:
    """From the module's file, because compiled code may remember another folder."""
    lines = Path(function.__globals__["__file__"]).read_text("utf-8").splitlines()
    found = [
        node
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__
    ]
    (node,) = found
    return textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))


ANOTHER, RAISED = "another certificate was accepted", "came out"

MUTANTS = {
    "takes a certificate of any length": Mutant(
        certificate, "parse_certificate", "len(der) > CERTIFICATE_BYTES_MAX", "False", ANOTHER
    ),
    "takes a serial that is not positive": Mutant(
        certificate, "_read", "decoded.serial_number <= 0", "False", ANOTHER
    ),
    "knows one way only in which a certificate is unreadable": Mutant(
        certificate, "parse_certificate", "except UNREADABLE", "except TypeError", RAISED
    ),
    "takes a critical extension that it does not know": Mutant(
        chain, "read_certificate", "certificate.unknown_critical", "False", ANOTHER
    ),
    "takes a CN of any form": Mutant(
        chain, "judge_certificate", "except MalformedIdError", "except ZeroDivisionError", RAISED
    ),
    "asks for no country": Mutant(
        certificate, "_read_common_name", 'country != "JP"', "False", ANOTHER
    ),
    "verifies no signature": Mutant(
        anchors.Anchor, "signed", "except InvalidSignature:\n        return False", "except InvalidSignature:\n        return True", ANOTHER
    ),
    "lets the two algorithms differ": Mutant(
        anchors.Anchor, "signed", "not certificate.algorithms_agree", "False", ANOTHER
    ),
    "looks at no date": Mutant(chain, "_stop_on_dates", "at > not_after", "False", ANOTHER),
    "takes any usage": Mutant(
        chain, "_refuse_profile", "certificate.key_usage != _DIGITAL_SIGNATURE_ALONE", "False", ANOTHER
    ),
    "takes a CA's own certificate": Mutant(
        chain, "_refuse_profile", " or certificate.is_ca", "", ANOTHER
    ),
    "takes any policy": Mutant(
        chain, "_refuse_profile", "not certificate.policies & anchors.policies", "False", ANOTHER
    ),
    "takes any key": Mutant(
        chain, "_refuse_profile", "not certificate.key_is_accepted", "False", ANOTHER
    ),
    "remembers extensions by their lengths": Mutant(
        common, "common_parts", "_without_key_id(extension) for", "len(extension) for", ANOTHER
    ),
    "reads a length in any form": Mutant(
        tlv, "parse_head", "value_length < 0x80 or field[0] == 0", "False", "a head that does not stand there"
    ),
    "takes more bytes than it asked for": Mutant(
        iso7816.CardSession, "read_binary", "len(response.data) > wanted", "False", RAISED
    ),
    "counts no commands": Mutant(
        iso7816.CardSession, "_exchange", "self._commands_left == 0", "False", "a session without an end"
    ),
    "takes a file that ends too early": Mutant(
        jpki.JpkiApplet, "_read_rest", "parsed.total_length <= _HEAD_LENGTH", "False", RAISED
    ),
    "sends any command again with the length that the card wants": Mutant(
        iso7816.CardSession, "send", " and command.le is not None and not command.data", "", "a command that is never sent"
    ),
    "sends a PIN with the last try": Mutant(
        jpki.JpkiApplet, "_keep_the_last_try", "tries_left < TRIES_LEFT_MIN", "False", "with the last try"
    ),
    "lets a PIN be typed on the reader without a look at the tries": Mutant(
        jpki.JpkiApplet, "verify_on_reader",
        "self._keep_the_last_try(allow_last_try=allow_last_try)", "pass", "with the last try"
    ),
    "takes a signature on its word": Mutant(
        possession, "signed_by", "except InvalidSignature:\n        return False", "except InvalidSignature:\n        return True", "authenticated by a signature of noise"
    ),
    "reads the signature certificate where ours is closed": Mutant(
        jpki.JpkiApplet, "_why_closed", "label = self.token_label()",
        "self._session.select_file(0x0001); label = self.token_label()", "never sent",
    ),
    "takes a number of any length": Mutant(
        storage, "read_uid", "len(response.data) not in _UID_LENGTHS", "False", "a number that is none"
    ),
    "takes a number of the moment": Mutant(
        storage, "read_uid", "is_random_uid(response.data)", "False", "a number of the moment"
    ),
}  # fmt: skip
