# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of several hosts in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.markdown import said
from ansible_collections.dbops.migrations.plugins.plugin_utils.plan_file import PlanFile, document
from markdown_it import MarkdownIt


def planned(host: str, text: str = "It ran.", **more: Any) -> dict[str, Any]:
    """Return an entry for a host whose database has a name like its own."""
    database = f"{host}_db"
    name = said(database)
    data = {"host": host, "failed": False, "database": database, "msg": f"{database}: would go", **more}
    return {"text": text and f"## {name}: from version 1 to version 2\n\n{text}\n", "data": data}


def test_equal_plans_are_one() -> None:
    """Where there are many, the heading has the first, and all are below it."""
    assert document([planned("a"), planned("b", "It did not."), planned("c")]) == (
        "## a (a_db), c (c_db): from version 1 to version 2\n\nIt ran.\n\n"
        "## b (b_db): from version 1 to version 2\n\nIt did not.\n"
    )
    same = [planned(name) for name in "abcdefg"]
    assert document(same).splitlines()[:3] == [
        "## a (a_db), b (b_db), c (c_db), d (d_db), e (e_db) and 2 more: from version 1 to version 2",
        "",
        "The same for a (a_db), b (b_db), c (c_db), d (d_db), e (e_db), f (f_db), g (g_db).",
    ]
    done = [planned(name, "", msg=f"{name}_db: nothing to do, at version 2 (last: up 2 at {name})") for name in "ab"]
    assert document(done) == "## a (a_db), b (b_db): nothing to do, at version 2\n"


def test_what_has_no_plan_has_a_reason() -> None:
    """A failure is above the plan, if there is one."""
    assert document([planned("a", "")]) == "## a (a_db): would go\n"
    assert document([planned("a", "", failed=True)]) == "## a (a_db): failed\n\n**Failed**: would go\n"
    assert document([planned("a", failed=True)]) == (
        "## a (a_db): from version 1 to version 2\n\n**Failed**: would go\n\nIt ran.\n"
    )
    nobody = {"text": None, "data": {"host": "a", "failed": True, "msg": "no\nPython"}}
    assert document([nobody]) == "## a: failed\n\n**Failed**: no Python\n"


def test_many_schemas_of_one_host_are_below_it() -> None:
    text = "## x, y: from version 1 to version 2\n\nIt ran.\n"
    entry = {"text": text, "data": {"host": "all", "failed": False, "msg": "2 databases: check mode"}}
    assert document([entry]) == f"## all: 2 databases: check mode\n\n{text}"


def test_names_are_not_markup() -> None:
    text = document([planned("<b>`|"), planned("a\n# x", "", failed=True)])
    tokens = MarkdownIt("commonmark").parse(text)
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2", "h2"]
    inner = {child.type for token in tokens for child in token.children or ()}
    assert inner == {"text", "code_inline", "strong_open", "strong_close"}


def test_a_task_leaves_its_last_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run begins again; both files are in the order of the hosts' names."""
    file, data = tmp_path / "plan.md", tmp_path / "plan.json"
    for number, runs in enumerate(([("t1", "b", 1), ("t1", "a", 2), ("t1", "b", 3), ("t2", "b", 4)], [("t1", "c", 5)])):
        monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path / str(number)))
        (tmp_path / str(number)).mkdir()
        for task, host, plan in runs:
            PlanFile(str(file)).keep(task, host, {"msg": f"{plan} ran", "plan": f"{plan}", "secret": "no"})
        found = json.loads(data.read_text())["databases"]
        assert sorted((item["host"], item["plan"]) for item in found) == (
            [("c", "5")] if number else [("a", "2"), ("b", "3"), ("b", "4")]
        )
        assert [item["host"] for item in found] == sorted(item["host"] for item in found)
        assert "secret" not in data.read_text()
    assert file.read_text() == "## c: 5 ran\n"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        Error, match=r"plan_file: .*/plan\.md cannot be written .*: No such file or directory\. Nothing"
    ):
        PlanFile(f"{tmp_path}/gone/plan.md")
    with pytest.raises(Error, match=r"plan_file plan\.json must not end in"):
        PlanFile("plan.json")
