"""No screen of ours sets, by accident, an attribute that Textual keeps its own state in.

A `_closed` of our own once made a screen deaf to the message that ends it: the program waited for
ever, and nothing said why.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from textual.app import App
from textual.screen import Screen

PACKAGE = Path(__file__).parents[2] / "mykey_tui"
MEANT = {
    ("MyKeyApp", "theme"),
    ("MyKeyApp", "_return_code"),
    ("MyKeyApp", "_fatal_error"),
}


def stored(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            yield node.attr


def classes(path: Path) -> Iterator[ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def names_of_textual() -> set[str]:
    names: set[str] = set()
    for base in {*App.__mro__, *Screen.__mro__}:
        if not base.__module__.startswith("textual"):
            continue
        names |= set(vars(base))
        source = Path(inspect.getfile(base))
        for own in classes(source):
            if own.name == base.__name__:
                names |= set(stored(own))
    return names


def test_textuals_own_state_is_known_here() -> None:
    assert {"_closed", "_closing", "_running", "_task", "theme"} <= names_of_textual()


def test_no_screen_stores_where_textual_does() -> None:
    taken = names_of_textual()
    found = set()
    for path in [PACKAGE / "app.py", *(PACKAGE / "screens").glob("*.py")]:
        for own in classes(path):
            methods = {
                node.name
                for node in own.body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name.startswith("_")
                and not node.name.startswith("__")
            }
            found |= {(own.name, name) for name in taken & {*stored(own), *methods}}
    assert found == MEANT
