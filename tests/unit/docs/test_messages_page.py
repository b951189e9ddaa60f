# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/messages.yml has every message of the code, and docs/messages.md is made of it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from parts import CHECKOUT
from parts.messages import PAGE, page, table

# What takes a message's number and its text.
CALLS = ("Busy", "DirectoryMissing", "Error", "Message", "coded")
# What a person reads without it being one of these.
WARNERS = ("AnsibleConnectionFailure", "AnsibleLookupError", "fail_json", "warn", "warning")
# Shorter pieces are found anywhere.
LEAST = 4
ENTRIES = [entry for group in table() for entry in group["messages"]]
CODES = [entry["code"] for entry in ENTRIES]


class Made(NamedTuple):
    """Where a message is made: its number if it is a figure, and its text, with a zero byte for what differs."""

    place: str
    number: int | None
    text: str


def fixed(node: ast.expr) -> str:
    """Return a text with a zero byte for whatever is not certain."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(fixed(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return fixed(node.left) + fixed(node.right)
    return "\0"


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    """Give each call of a name in the plugins."""
    for path in sorted((CHECKOUT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, node, getattr(node.func, "id", getattr(node.func, "attr", ""))


def made() -> Iterator[Made]:
    """Give each message that the plugins make."""
    for path, node, name in calls():
        if name in CALLS and node.args and not isinstance(node.args[0], ast.Starred):
            number = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            assert number is None or isinstance(number, int)
            yield Made(f"{path.name}:{node.lineno}", number, fixed(node.args[1]))


def first_sentence(text: str) -> str:
    """Return what people search for."""
    plain = re.sub(r"\{\w+\}", "\0", text)
    return re.split(r"\.(?: |\0 )|; (?![\0 ])", plain)[0]


MADE = list(made())
IN_YAML = [
    int(code)
    for folder in ("roles", "playbooks")
    for path in (CHECKOUT / folder).rglob("*.yml")
    for code in re.findall(r"\(DBM-(\d{4})\)", path.read_text())
]


def test_there_are_messages() -> None:
    assert len(MADE) > 400


def test_every_message_is_in_the_table() -> None:
    made_here = {found.number for found in MADE if found.number is not None} | set(IN_YAML)
    assert made_here - set(CODES) == set()


def test_every_row_is_a_message() -> None:
    assert set(CODES) - {found.number for found in MADE} - set(IN_YAML) == set()


def test_no_code_is_there_twice() -> None:
    assert [code for code, times in Counter(CODES).items() if times > 1] == []


def test_every_row_has_the_words_of_its_message() -> None:
    rows = {entry["code"]: entry["message"] for entry in ENTRIES}
    wrong = []
    for place, number, text in MADE:
        pieces = [piece.strip(" .:'(),") for piece in first_sentence(text).split("\0")]
        row, lacks = rows.get(number or 0, ""), []
        for piece in pieces:
            if number is not None and len(piece) >= LEAST and piece not in row:
                lacks.append(piece)
        if lacks:
            wrong.append((place, number, lacks))
    assert wrong == []


def test_every_row_is_explained() -> None:
    assert [entry["code"] for entry in ENTRIES if len(entry["why"]) < LEAST] == []


def test_a_code_is_of_its_group() -> None:
    """The groups share no hundred, so that a code tells what it is about."""
    hundreds = [{entry["code"] // 100 for entry in group["messages"]} for group in table()]
    assert [len(found) for found in hundreds] == [1] * len(hundreds)
    assert len(set.union(*hundreds)) == len(hundreds)


def test_nothing_without_a_code_is_shown() -> None:
    """Whoever warns or fails gives no text of its own, but one with its code."""
    bare = [
        f"{path.name}:{node.lineno}"
        for path, node, name in calls()
        if name in WARNERS and node.args and isinstance(node.args[0], (ast.Constant, ast.JoinedStr))
    ]
    assert bare == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "make messages"
