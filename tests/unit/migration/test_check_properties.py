# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is in a file, and whatever files are called: rules answer, and point into the file."""

from __future__ import annotations

from ansible_collections.dbops.migrations.plugins.module_utils._migration.check import names
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import RULES, check_script
from hypothesis import given, settings
from hypothesis import strategies as st

PIECES = (
    b"ALTER TABLE|CREATE TABLE|DROP TABLE|DROP|ADD|COLUMN|INDEX|PARTITION|RENAME|CONVERT TO CHARACTER SET|COLLATE"
    b"|FOREIGN KEY|REFERENCES|CONSTRAINT|PRIMARY KEY|UNIQUE|IF EXISTS|IF NOT EXISTS|OR REPLACE|TEMPORARY|WAIT|ALGORITHM"
    b"|DELETE|UPDATE|WITH|SET|WHERE|TRUNCATE|USE|DATABASE|START TRANSACTION|BEGIN|COMMIT|END|SET STATEMENT|FOR|NAMES"
    b"|sql_mode|'ANSI_QUOTES'|'NO_BACKSLASH_ESCAPES'|'ORACLE'|sjis|gbk|DEFAULT|@@|@|a|`b`|\"c\"|'d'|a.b|1.5|=|:=|,|(|)|;"
    b"|.|*|\n|\n\n|-- dbops: allow destroy a\n|-- dbops:\n|-- x\n|#|/*|*/|/*!|/*M!100100|/*!80000|'|\"|`|\\|$$"
    b"|\0|\xff|\x95\\|\r\n|\nDELIMITER //\n|//|\nDELIMITER ;\n|\xef\xbb\xbf|CREATE PROCEDURE p()"
    b"|CREATE TRIGGER t BEFORE INSERT ON a"
).split(b"|")
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map(b" ".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join),
    st.binary(max_size=200),
)


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.sampled_from(["up", "down"]))
def test_rules_answer_and_point_into_the_file(text: bytes, direction: str) -> None:
    lines = max(1, text.count(b"\n") + (not text.endswith(b"\n")))
    found = check_script(text, direction)
    for rule, one in found:
        assert 1 <= one.line <= lines
        assert one.statement is None or 1 <= one.statement <= lines
        assert one.what.isprintable()
        assert RULES[rule.name] is rule
    assert len(found) == len({*found})


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.from_regex(r"\A[0-9]{1,25}[_-][a-b\n\x1b]?\.(up|down|Up)\.(sql|SQL|txt)\Z"),
        ),
        unique=True,
        max_size=12,
    )
)
def test_rules_about_names_answer(some: list[str]) -> None:
    for name, rule, found in names.judge(some):
        assert name in some
        assert rule in names.RULES
        assert found.what.isprintable()
