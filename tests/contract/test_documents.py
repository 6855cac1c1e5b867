"""What the documents tell people to type is understood, and what they point to is there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mykey_server import cli as server_cli
from mykey_tui import cli as counter_cli
from mykey_tui.handover.settings import HandOverSettings
from mykey_tui.settings import ReaderChoice

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "README.ja.md", *sorted(ROOT.glob("docs/**/*.md"))]
_FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:\.venv/bin/)?mykey(?:-server)? [^`]*)`")
_PLACEHOLDERS = {"DEVICE_ID": "00000000-0000-0000-0000-000000000000", "SECONDS": "5"}


def typed(document: Path) -> Iterator[str]:
    """Each whole command of ours; one with an ellipsis or a choice is a description."""
    text = document.read_text(encoding="utf-8")
    lines = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    for line in [*lines, *_INLINE.findall(text)]:
        command = line.split("#")[0].rstrip(" &").strip()
        if re.match(r"(?:\.venv/bin/)?mykey(?:-server)? ", command) and not re.search(
            r"[…|\[]", command
        ):
            yield command


COMMANDS = [(document.name, command) for document in DOCUMENTS for command in typed(document)]


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_what_people_are_told_to_type_is_understood(
    document: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    arguments = [_PLACEHOLDERS.get(argument, argument) for argument in arguments]
    parser = server_cli if program.endswith("-server") else counter_cli
    try:
        parser._parser().parse_args(arguments)
    except SystemExit as refused:
        # In a sentence a command may be named without what it needs.
        if "are required" not in capsys.readouterr().err:
            pytest.fail(f"{document}: {command!r} ends with {refused.code}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_settings_that_are_shown_can_be_used() -> None:
    text = (ROOT / "docs" / "counter.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) == 4
    for block in blocks:
        HandOverSettings.from_json(block.get("handover", {}))
        ReaderChoice.parse(block.get("reader", "pcsc"))
