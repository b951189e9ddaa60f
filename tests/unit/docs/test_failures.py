# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/failures.md has every message that the code can print."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from parts import CHECKOUT

CALLS = ("Error", "DirectoryMissing", "AnsibleLookupError", "warn")
# Shorter pieces are found anywhere.
LEAST = 10


def texts(node: ast.expr) -> Iterator[str]:
    """Give the fixed pieces of a text."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        for value in node.values:
            yield from texts(value) if isinstance(value, ast.Constant) else ["\0"]
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield "\0"
        yield from texts(node.orelse)
    else:
        yield "\0"


def messages() -> Iterator[tuple[str, list[str]]]:
    """Give where each message is made, and the pieces of it that do not differ."""
    for path in sorted((CHECKOUT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in CALLS:
                    whole = "".join(texts(node.args[0]))
                    # A message's first sentence is what people search for.
                    pieces = [piece.strip(" .:'(,") for piece in re.split(r"\0|[.:,] | \(", whole)]
                    if any(len(piece) >= LEAST for piece in pieces):
                        yield f"{path.name}:{node.lineno}", [piece for piece in pieces if len(piece) >= LEAST]


def flat(text: str) -> str:
    return " ".join(text.replace("\\|", "|").split())


MESSAGES = list(messages())
PAGE = flat((CHECKOUT / "docs" / "failures.md").read_text())


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 100


def test_every_message_is_explained() -> None:
    """One of the first pieces of each is in the page."""
    first = {place: [piece[:30] for piece in pieces[:3]] for place, pieces in MESSAGES}
    assert {place: pieces for place, pieces in first.items() if not any(piece in PAGE for piece in pieces)} == {}
