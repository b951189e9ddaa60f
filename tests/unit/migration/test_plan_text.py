# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a person reads it: the two lines that decide, and that nothing in it is treated as anything but text."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.markdown import WIDTH
from ansible_collections.dbops.migrations.plugins.module_utils._migration.listing import Listed
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan_text import decisive, plan_text
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MIGRATION: dict[str, Any] = {
    "version": 12, "title": "add_paid", "direction": "up", "rehearsed": True, "why": None, "error": None,
    "changes": [], "impact": [], "risks": [], "skipped": [], "reversible": True, "irreversible": None,
    "not_restored": [],
}  # fmt: skip
IMPACT: dict[str, Any] = {
    "statement": 1, "line": 3, "table": "orders", "algorithm": "INPLACE", "rebuilds": False, "blocks_writes": False,
    "rows": 297330, "bytes": 24_723_456, "certain": True, "uncertain": None,
}  # fmt: skip
RISK: dict[str, Any] = {
    "kind": "would_fail", "what": "null", "table": "orders", "name": "placed", "line": 3, "rows": 12, "certain": True,
    "text": "orders: rows with NULL in placed, which becomes NOT NULL (1138, 1265): 12",
}  # fmt: skip
COPY = {**IMPACT, "algorithm": "COPY", "rebuilds": True, "blocks_writes": True}
LOST = {**RISK, "kind": "destroy", "what": "column", "table": "customer", "name": "legacy", "rows": 40112}
GUARD: dict[str, Any] = {
    "version": 12, "title": "add_paid", "direction": "up", "guard": "destroy", "verdict": "refuse",
    "text": "It destroys 40,112 values of customer.legacy.", "allowed_by": None,
}  # fmt: skip
RAN = "ran without an error on copies of the tables."
HARMLESS = "No ALTER blocks writes; nothing with rows is dropped or emptied; it is reversible."


def rehearsal(*migrations: dict[str, Any], why: str | None = None) -> dict[str, Any]:
    """Return a rehearsal of migrations that differ in something from a plain one."""
    found = [{**MIGRATION, "version": 12 + place, **migration} for place, migration in enumerate(migrations)]
    complete = all(migration["rehearsed"] for migration in found)
    return {"complete": complete, "why": why, "migrations": found, "cannot_tell": []}


def two_lines(*migrations: dict[str, Any], guards: tuple[dict[str, Any], ...] = (), **more: Any) -> list[str]:
    """Return the two lines on a plan of these."""
    found = rehearsal(*migrations, **more)
    return list(decisive(found["migrations"], found, guards))


def markdown(*migrations: dict[str, Any], guards: tuple[dict[str, Any], ...] = (), **more: Any) -> list[str]:
    """Return the lines of a plan of these, behind its heading and the two lines."""
    found = rehearsal(*migrations, **more)
    steps = [Step(item["version"], item["title"], item["direction"], "a.sql", 1) for item in found["migrations"]]
    files = [Listed("a.sql", ["SELECT 1;"]) for _step in steps]
    lines = plan_text("shop", Plan(11, 14, tuple(steps)), files, found, guards).splitlines()
    return lines[lines.index(f"### {steps[0].direction.capitalize()} {steps[0].version}: {steps[0].title}") :]


def test_what_fails_and_what_it_costs_is_said_first() -> None:
    """An example with all of it."""
    stuck = {"reversible": False, "irreversible": "it has no down file"}
    assert two_lines({"impact": [COPY]}, {"risks": [RISK, LOST]}, stuck) == [
        "3 migrations are pending: 12, 13, 14. **13 will fail** on 12 rows with NULL in `orders.placed`.",
        "Writes to `orders` **wait** while 24.7 MB are copied; 40,112 values of `customer.legacy` are **destroyed**; "
        "14 **cannot be rolled back**.",
    ]


def test_what_is_harmless_is_said_to_be() -> None:
    assert two_lines({"impact": [IMPACT]}) == [f"1 migration is pending: 12. It {RAN}", HARMLESS]
    skips = two_lines({"skipped": ["line 1", "line 2"]})[0]
    assert skips.endswith("ran without an error on copies of the tables, except 2 statements that need rows.")
    assert two_lines({}, {})[0] == f"2 migrations are pending: 12, 13. Each {RAN}"


def test_of_a_rollback_it_is_not_said_that_it_cannot_be_rolled_back() -> None:
    back = {"direction": "down", "reversible": None}
    assert two_lines(back, back) == [
        f"2 migrations are to be rolled back: 12, 13. Each {RAN}",
        "No ALTER blocks writes; nothing with rows is dropped or emptied.",
    ]


def test_a_refusal_comes_first() -> None:
    """What is warned of or allowed is not there."""
    others = [{**GUARD, "verdict": "warn", "guard": "rename"}, {**GUARD, "version": 13, "guard": "irreversible"}]
    first, _second = two_lines({}, {}, guards=(GUARD, GUARD, *others))
    assert first.startswith("**Refused**: 12 (destroy); 13 (irreversible). 2 migrations are pending: 12, 13. ")


def test_without_a_rehearsal_nothing_is_known() -> None:
    first, second = decisive([MIGRATION], None)
    assert first == "1 migration is pending: 12."
    assert second == "**Not rehearsed**: what the migrations do to tables and rows is unknown."


@pytest.mark.parametrize(
    ("migration", "fate"),
    [
        ({"error": "a.sql:2 (statement 2): (1060) Duplicate column name 'note'", "reversible": None},
         "will fail**: a.sql:2 (statement 2): (1060) Duplicate column name 'note'"),
        ({"error": "x" * 200, "reversible": None}, f"will fail**: {'x' * 160}…"),
        ({"risks": [{**RISK, "certain": False}]}, "may fail** on perhaps 12 rows with NULL in `orders.placed`"),
        ({"risks": [{**RISK, "rows": None, "certain": False}, RISK]},
         "will fail** on 12 rows with NULL in `orders.placed` and 1 other reason"),
        ({"risks": [{**RISK, "rows": None, "certain": False}]},
         "may fail** on an unknown number of rows with NULL in `orders.placed`"),
        ({"risks": [{**RISK, "what": "duplicate", "rows": 1}]},
         "will fail** on 1 value that occurs more than once under the unique key `orders.placed`"),
        ({"risks": [{**RISK, "what": "orphan", "name": "of"}]},
         "will fail** on 12 rows without a parent under the foreign key `orders.of`"),
        ({"risks": [{**RISK, "what": "a_new_one"}]},
         "will fail**: orders: rows with NULL in placed, which becomes NOT NULL (1138, 1265): 12"),
    ],
)  # fmt: skip
def test_why_a_migration_will_fail(migration: dict[str, Any], fate: str) -> None:
    assert two_lines(migration)[0] == f"1 migration is pending: 12. **12 {fate}."


@pytest.mark.parametrize(
    ("migration", "effect"),
    [
        ({"risks": [{**LOST, "what": "table", "name": ""}]},
         "The table `customer` with 40,112 rows is **destroyed**."),
        ({"risks": [{**LOST, "what": "partition", "name": "p0", "rows": 1}]},
         "1 row of the partition `p0` of `customer` is **destroyed**."),
        ({"risks": [{**LOST, "what": "rows", "name": ""}]}, "40,112 rows of `customer` are **destroyed**."),
        ({"risks": [{**LOST, "what": "values", "name": ""}]}, "40,112 rows of `customer` are **overwritten**."),
        ({"risks": [{**LOST, "rows": None, "certain": False}]},
         "An unknown number of values of `customer.legacy` are **destroyed**."),
        ({"risks": [{**LOST, "name": f"c{number}", "rows": number} for number in range(1, 6)]},
         "5 values of `customer.c5` are **destroyed**; 4 values of `customer.c4` are **destroyed**; "
         "3 values of `customer.c3` are **destroyed**; and 2 more."),
        ({"impact": [{**COPY, "bytes": None, "rows": None, "table": "a"}]},
         "Writes to `a` **wait** while it is copied."),
        ({"impact": [COPY, {**COPY, "table": "lines", "algorithm": "INPLACE", "bytes": 16384}, COPY]},
         "Writes to `orders` **wait** while 24.7 MB are copied 2 times; "
         "writes to `lines` **wait** while 16.4 kB are read."),
        ({"impact": [{**COPY, "table": f"t{number}", "bytes": 10**number} for number in (2, 6, 9, 12)]},
         "Writes to `t12` **wait** while 1.0 TB are copied; writes to `t9` **wait** while 1.0 GB are copied; "
         "writes to `t6` **wait** while 1.0 MB are copied; and 1 more."),
        ({"impact": [{**IMPACT, "certain": False, "uncertain": "x"}]},
         "Writes to `orders` may **wait**."),
        ({"impact": [{**IMPACT, "algorithm": None, "blocks_writes": None, "certain": False, "uncertain": "x"}]},
         "Writes to `orders` may **wait**."),
        ({"reversible": None, "irreversible": "its down file is not rehearsed: x"},
         "Whether 12 can be rolled back is unknown."),
        ({"error": "no", "reversible": None}, "What else 12 would do is unknown."),
        ({"rehearsed": False, "why": "it names VIEW v", "reversible": None}, "12 is **not rehearsed**."),
    ],
)  # fmt: skip
def test_what_a_plan_does(migration: dict[str, Any], effect: str) -> None:
    assert two_lines(migration)[1] == effect


def test_why_nothing_was_rehearsed_is_said_once() -> None:
    left = {"rehearsed": False, "why": "no schema", "reversible": None}
    assert two_lines(left, left, why="no schema")[1] == "**Not rehearsed**: no schema."
    assert "no schema" not in "\n".join(markdown(left, left, why="no schema"))


def test_each_migration_has_what_was_found_its_sql_and_its_difference() -> None:
    change = {
        "type": "TABLE",
        "name": "orders",
        "change": "changed",
        "diff": "@@ -3,2 +3,3 @@\n   `a` int,\n+  `b` int,\n",
    }
    doubt = {**IMPACT, "line": 4, "certain": False, "uncertain": "partitions"}
    lines = markdown(
        {
            "changes": [change], "impact": [COPY, doubt, {**doubt, "line": 5}], "risks": [LOST, RISK],
            "skipped": ["line 1"], "reversible": False, "irreversible": "its down file does not restore TABLE orders",
            "not_restored": [change],
        },
        guards=(
            {**GUARD, "verdict": "warn", "text": f"{LOST['text']} (line 3)"},
            {**GUARD, "guard": "block_writes", "text": "orders: writes wait, about 297,330 rows (line 3)"},
            {**GUARD, "verdict": "allowed", "allowed_by": "line 3 of 12_a.up.sql", "guard": "irreversible",
             "text": "its down file does not restore TABLE orders"},
            {**GUARD, "verdict": "warn", "guard": "rename", "text": "orders becomes bills"}, {**GUARD, "version": 13},
        ),
    )  # fmt: skip
    assert lines == [
        "### Up 12: add_paid",
        "",
        "- **refused** (block_writes): `orders`: COPY, **writes wait**, all rows are rewritten, about",
        "  297,330 rows, 24.7 MB (line 3)",
        "- **warning** (destroy): 40,112 values of `customer.legacy` are **destroyed** (line 3)",
        "- **warning** (rename): orders becomes bills",
        "- allowed by line 3 of 12_a.up.sql (irreversible): **cannot be rolled back**: its down file does",
        "  not restore TABLE orders",
        "- **will fail** on 12 rows with NULL in `orders.placed` (line 3)",
        "- `orders`: INPLACE, writes continue, about 297,330 rows, 24.7 MB (line 4)",
        "- `orders`: INPLACE, writes continue, about 297,330 rows, 24.7 MB (line 5)",
        "- not certain, line 4, 5: partitions",
        "- left out, because the copies have no rows: line 1",
        "",
        "The file a.sql:",
        "",
        "  ```sql",
        "  SELECT 1;",
        "  ```",
        "",
        "TABLE orders is changed:",
        "",
        "  ```diff",
        "  @@ -3,2 +3,3 @@",
        "     `a` int,",
        "  +  `b` int,",
        "  ```",
        "",
        "After its down file, TABLE orders is changed:",
        "",
        "  ```diff",
        "  @@ -3,2 +3,3 @@",
        "     `a` int,",
        "  +  `b` int,",
        "  ```",
    ]


def test_a_plan_has_a_heading_and_an_end() -> None:
    """And what there is no file for, or not all of, is said."""
    steps = (Step(3, "a", "up", "3_a.up.sql", 3), Step(4, "b", "up", None, 4))
    found = plan_text("shop", Plan(None, 4, steps), [Listed("3_a.up.sql", [], 25_000), Listed(None, [])])
    assert found == (
        "## shop: from no version yet to version 4\n\n2 migrations are pending: 3, 4.\n\n"
        "**Not rehearsed**: what the migrations do to tables and rows is unknown.\n\n"
        "### Up 3: a\n\nThe file 3_a.up.sql:\n\nTruncated: the file has 25,000 bytes.\n\n"
        "### Up 4: b\n\nThere is no file: only the version is set.\n"
    )


def test_a_long_plan_is_cut() -> None:
    """How much is left out is said: of a difference, of all differences, and of what was found."""
    change = {"type": "TABLE", "name": "t", "change": "added", "diff": "+x\n" * 300}
    lines = markdown({"changes": [change]})
    assert (lines.count("  +x"), lines[-1]) == (200, "Truncated: the diff has 100 more lines.")
    large = {**change, "diff": f"+{'x' * 15_000}\n"}
    lines = markdown({"changes": [large] * 20})
    assert (lines.count(f"  +{'x' * 15_000}"), lines[-1]) == (13, "Truncated: the diff has 1 more line.")
    lines = markdown({"impact": [IMPACT] * 60})
    assert (lines.count(lines[2]), "- and 11 more" in lines) == (50, True)


def test_lines_are_no_longer_than_needed() -> None:
    found = rehearsal({"impact": [COPY] * 2, "risks": [LOST, RISK], "reversible": False, "irreversible": "word " * 40})
    text = plan_text("shop", Plan(1, 2, (Step(12, "a", "up", "a.sql", 12),)), [Listed("a.sql", ["x" * 300])], found)
    assert [line for line in text.splitlines() if len(line) > WIDTH] == ["  " + "x" * 300]


TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("`~*_#-+>|<&[]()!\\:./@$1 \n\t\u202e\x1b")),
    max_size=60,
)
_IMPACTS = st.fixed_dictionaries({**{name: st.just(value) for name, value in COPY.items()}, "table": TEXTS,
                                  "uncertain": TEXTS, "certain": st.booleans()})  # fmt: skip
_RISKS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["would_fail", "destroy"]), "table": TEXTS, "name": TEXTS, "text": TEXTS,
     "what": st.sampled_from(["null", "duplicate", "column", "table", "partition", "rows", "values", "other"]),
     "rows": st.none() | st.integers(1), "certain": st.booleans(), "line": st.none() | st.just(3)}
)  # fmt: skip
_CHANGES = st.fixed_dictionaries({"type": st.just("VIEW"), "name": TEXTS, "change": st.just("added"), "diff": TEXTS})
MIGRATIONS = st.fixed_dictionaries(
    {
        "version": st.just(7), "direction": st.just("up"), "title": TEXTS, "rehearsed": st.booleans(),
        "why": TEXTS, "error": st.none() | TEXTS, "changes": st.lists(_CHANGES, max_size=2),
        "impact": st.lists(_IMPACTS, max_size=2), "risks": st.lists(_RISKS, max_size=2),
        "skipped": st.lists(TEXTS, max_size=1), "reversible": st.none() | st.booleans(), "irreversible": TEXTS,
        "not_restored": st.lists(_CHANGES, max_size=1),
    }
)  # fmt: skip
GUARDS = st.fixed_dictionaries(
    {"version": st.just(7), "direction": st.just("up"), "guard": TEXTS, "text": TEXTS, "allowed_by": st.none() | TEXTS,
     "verdict": st.sampled_from(["warn", "refuse", "allowed"])}
)  # fmt: skip
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
OURS = {"heading", "paragraph", "bullet_list", "list_item", "strong"}


@given(TEXTS, TEXTS, TEXTS, st.lists(MIGRATIONS, min_size=1, max_size=2), st.lists(GUARDS, max_size=2), TEXTS)
def test_any_text_anywhere_stays_text(
    name: str, file: str, sql: str, migrations: list[dict[str, Any]], guards: list[dict[str, Any]], last: str
) -> None:
    """A parser finds the headings and blocks that we have written, and nothing else but words and code."""
    steps = tuple(Step(7, item["title"], "up", file, 7) for item in migrations)
    files = [Listed(file, sql.split("\n")) for _step in steps]
    complete = all(item["rehearsed"] for item in migrations)
    found = {"complete": complete, "why": name, "migrations": migrations, "cannot_tell": [last]}
    text = plan_text(name, Plan(None, 7, steps), files, found, guards)
    tokens = PARSER.parse(text)
    blocks = [token.info for token in tokens if token.type == "fence"]
    known = migrations if any(item["rehearsed"] for item in migrations) else []
    changes = sum(len(item["changes"]) + len(item["not_restored"]) for item in known)
    assert (blocks.count("sql"), blocks.count("diff"), len(blocks)) == (len(steps), changes, len(steps) + changes)
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2", *["h3"] * len(steps)]
    children = [child for token in tokens for child in token.children or ()]
    opened = {token.type.removesuffix("_open") for token in (*tokens, *children) if token.nesting == 1}
    assert opened <= OURS
    assert {token.type for token in tokens if token.nesting == 0} <= {"inline", "fence"}
    assert {token.type for token in children if token.nesting == 0} <= {"text", "code_inline", "softbreak"}
    assert not [char for char in text if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    assert not DIRECTIONS & {unicodedata.bidirectional(char) for char in text}
