# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages on how it works: the history's columns are the code's, terms are unique, and every link leads somewhere."""

from __future__ import annotations

import re

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.applied import known
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Move, Source, State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables import history_table
from parts import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = (
    "glossary.md",
    "history.md",
    "how-a-run-works.md",
    "locks.md",
    "questions.md",
    "recording.md",
    "security.md",
)
# The anchor may be missing, and so may the page: then it is in this one.
LINK = re.compile(r"\]\(([\w.-]*\.md)?(?:#([\w-]+))?\)")


def headings(page: str) -> list[str]:
    """Return the headings of a page, without what only looks like one in a block of code."""
    text = re.sub(r"^```.*?^```", "", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """Return a heading's anchor, as GitHub and MyST make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    _before, text = (DOCS / page).read_text().split(f"\n## {heading}\n")
    lines = [line for line in text.split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_page_has_the_columns_of_the_history() -> None:
    columns = {name.strip("`| "): kind.strip("`") for name, kind, _meaning in rows("history.md", "Columns")}
    assert list(columns.items()) == list(history_table.COLUMNS.items())


def test_the_page_has_the_outcomes_and_the_directions() -> None:
    page = {name: meaning for name, _kind, meaning in rows("history.md", "Columns")}
    outcomes = ("running", "applied", "failed", "interrupted")
    assert outcomes == (history_table.RUNNING, *(getattr(history_table, name.upper()) for name in outcomes[1:]))
    assert re.findall(r"`(\w+)`", page["`outcome`"]) == list(outcomes)
    directions = re.findall(r"`(\w+)`", page["`direction`"])
    assert directions == [
        name for names, _meaning in rows("history.md", "Directions") for name in re.findall(r"`(\w+)`", names)
    ]
    assert {"up", "down", history_table.FORCE} < {*directions}


@pytest.mark.parametrize(
    ("moves", "direction"),
    [
        # Before the history begins; after golang-migrate; the first run after a force.
        ([], "external"),
        ([Move(1, "up", 1, None, None)], "external"),
        ([Move(2, "force", 2, None, None)], "baseline"),
    ],
)
def test_the_page_says_when_a_move_is_recorded(moves: list[Move], direction: str) -> None:
    row = known(moves).moved(Source("", (), ()), State(2, False))
    assert row is not None
    assert row["direction"] == direction
    assert direction in [name.strip("`") for name, _when in rows("history.md", "Directions")]


def test_each_term_is_explained_once_and_in_order() -> None:
    _title, *terms = headings("glossary.md")
    assert len({term.lower() for term in terms}) == len(terms)
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = []
    for target, name in LINK.findall((DOCS / page).read_text()):
        there = target or page
        if not (DOCS / there).exists() or (name and name not in map(anchor, headings(there))):
            broken.append(f"{target}#{name}")
    assert broken == []


def test_twenty_questions_have_a_source_an_answer_and_a_page() -> None:
    [head] = re.findall(r"^\| tool .*$", (DOCS / "questions.md").read_text(), re.MULTILINE)
    text = (DOCS / "questions.md").read_text().split(head)[1]
    lines = [line.strip("|").split(" | ") for line in text.strip().splitlines()[1:]]
    assert len(lines) == 20
    sources = [source for source, _question, _answer, _more in lines]
    for source in sources:
        tool, number, link = re.findall(r"\[([\w/-]+) (\d+)\]\(https://github.com/(.+)\)", source)[0]
        assert link.endswith(f"/issues/{number}")
        assert tool.lower().split("/")[0] in link
    assert len(set(sources)) == 20
    assert all(LINK.search(more) for _source, _question, _answer, more in lines)
    assert {re.findall(r"\[([\w-]+)", source)[0] for source in sources} == {
        "golang-migrate",
        "mattes",
        "Flyway",
        "Atlas",
    }
