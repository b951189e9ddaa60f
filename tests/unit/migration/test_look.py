# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that are shown of a run: what they say about each thing that a server can say."""

from __future__ import annotations

import re

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.look import (
    Holder,
    Look,
    Subject,
    between_line,
    duration,
    first_words,
    hint,
    progress_line,
    subject,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import classified
from hypothesis import given
from hypothesis import strategies as st

DIALECT = Dialect(True, 101100, True, False, False, "utf8mb4")
ORDERS = Subject("shop", "0012_add_index.up.sql", 7, "ALTER TABLE orders", "orders")
START = "shop 0012_add_index.up.sql:7 ALTER TABLE orders: "
IDLE = Holder(12, "app@10.0.0.5:41234", "idle, its transaction open", 725)
BUSY = Holder(13, "app@10.0.0.6:1", "running SELECT id …", 3)

LOOKS = {
    "nothing": (Look(), "running, 1 min 12 s"),
    "a stage": (Look("altering table"), "altering table, 1 min 12 s"),
    "percent": (Look("copy to tmp table", 41), "copy to tmp table 41 %, 1 min 12 s"),
    "rows": (
        Look("copy to tmp table", 41, (82_115, 199_240), "rows", behind=3),
        "copy to tmp table 41 % (82,115 of about 199,240 rows), 1 min 12 s, 3 connections waiting behind it",
    ),
    "more rows than estimated": (
        Look("copy to tmp table", None, (200_000, 199_240), "rows"),
        "copy to tmp table (200,000 rows), 1 min 12 s",
    ),
    "work": (
        Look("read PK and internal sort", 50, (5, 10)),
        "read PK and internal sort 50 % (5 of about 10), 1 min 12 s",
    ),
    "changes": (Look("Updating", changed=1_200_000), "Updating, 1,200,000 row changes in its transaction, 1 min 12 s"),
    "one change": (Look("Updating", changed=1), "Updating, 1 row change in its transaction, 1 min 12 s"),
    "no change yet": (Look("Updating", changed=0), "Updating, 1 min 12 s"),
    "rolling back": (Look(rolling_back=True, changed=5_000), "rolling back, 5,000 row changes left, 1 min 12 s"),
    "a holder": (
        Look(waits_for="a metadata lock", holders=(IDLE,), behind=1),
        "waiting for a metadata lock held by connection 12 (app@10.0.0.5:41234, idle, its transaction open for 12 min "
        "5 s), 1 min 12 s, 1 connection waiting behind it",
    ),
    "perhaps": (
        Look(waits_for="a metadata lock", holders=(IDLE, BUSY), certain=False),
        "waiting for a metadata lock, perhaps held by connection 12 (app@10.0.0.5:41234, idle, its transaction open "
        "for 12 min 5 s), connection 13 (app@10.0.0.6:1, running SELECT id … for 3 s), 1 min 12 s",
    ),
    "nobody": (Look(waits_for="global read lock"), "waiting for global read lock, 1 min 12 s"),
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_line_about_a_statement(name: str) -> None:
    look, expected = LOOKS[name]
    assert progress_line(ORDERS, 72.9, look) == START + expected


TITLES = {
    "ALTER TABLE orders ADD i INT": "ALTER TABLE orders",
    "-- why\n/* and how */ alter table `a b`.`c` ADD i INT": "ALTER TABLE `a b`.`c`",
    "CREATE INDEX x ON orders (i)": "ALTER TABLE orders",
    "UPDATE orders SET name = 'secret'": "UPDATE orders",
    "insert into t SELECT * FROM u": "INSERT INTO t",
    "DELETE FROM t WHERE name = 'secret'": "DELETE FROM t",
    "REPLACE INTO t VALUES ('secret')": "REPLACE INTO t",
    "SET PASSWORD = 'secret'": "SET PASSWORD",
    "CALL p('secret')": "CALL p",
    "SELECT 'secret'": "SELECT",
    "DO SLEEP(3)": "DO SLEEP",
    "CREATE USER 'x'@'y' IDENTIFIED BY 'secret'": "CREATE USER 'x'@'y'",
}


@pytest.mark.parametrize("text", TITLES)
def test_a_statement_is_named_by_its_first_words(text: str) -> None:
    statement = Statement(3, 7, 1, text.encode(), b"", True)
    about = subject("shop", "1_a.up.sql", classified(statement, DIALECT, None))
    assert (about.database, about.file, about.line, about.title) == ("shop", "1_a.up.sql", 7, TITLES[text])


@given(st.text())
def test_first_words_are_words(text: str) -> None:
    assert re.fullmatch(r"(\w+( \w+)?)?", first_words(text))


@pytest.mark.parametrize(
    ("number", "total", "expected"),
    [(412, 1500, "412 of 1,500"), (412, None, "412"), (3, 2, "3"), (2000, 2000, "2,000 of 2,000")],
)
def test_the_line_between_statements(number: int, total: int | None, expected: str) -> None:
    assert between_line("shop", "1_a.up.sql", number, total, 5) == f"shop 1_a.up.sql: statement {expected}, 5 s"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.9, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7384, "2 h 3 min")],
)
def test_durations_are_written_for_people(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_what_would_show_more() -> None:
    assert hint(()) == ""
    assert hint(("PROCESS ON *.*",)) == "To see more about running statements: GRANT PROCESS ON *.* TO the account."
