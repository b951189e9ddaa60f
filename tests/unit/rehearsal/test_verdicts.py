# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guards find in a plan and its rehearsal, and what is done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.script import read_script
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.guards import GUARDS
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Migration, Plan, Source, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.apply import Rehearsed
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.guards import Rules, judge, refusal, warnings
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.preview import Preview
from ansible_collections.dbops.migrations.plugins.modules.migration_apply import SPEC
from parts import CHECKOUT
from unit.migration.fakes import FakeSession

PLAIN: dict[str, Any] = {
    "rehearsed": True, "why": None, "error": None, "impact": [], "risks": [], "renames": [], "reversible": True,
    "irreversible": None,
}  # fmt: skip
IMPACT: dict[str, Any] = {
    "line": 3, "table": "orders", "algorithm": "COPY", "rebuilds": False, "blocks_writes": False, "rows": 1234567,
    "bytes": 3 * 10**9, "certain": True, "uncertain": None,
}  # fmt: skip
RISK: dict[str, Any] = {
    "kind": "destroy", "named": "orders.note", "line": 3, "certain": True,
    "text": "orders: values lost with the column note: 12",
}  # fmt: skip
WOULD_FAIL: dict[str, Any] = {
    **RISK, "kind": "would_fail", "named": "orders.placed", "text": "orders: rows with NULL in placed: 12",
}  # fmt: skip
RENAME: dict[str, Any] = {"table": "orders", "column": "note", "to": "remark", "line": 3}
COUNTS = "about 1,234,567 rows, 3,000.0 MB"
# Of each guard: what is known of a migration, where it is, what it is done to, and what is said.
FOUND: dict[str, tuple[dict[str, Any], bool, str, str]] = {
    "destroy": ({"risks": [RISK]}, True, "orders.note", "orders: values lost with the column note: 12 (line 3)"),
    "would_fail": ({"risks": [WOULD_FAIL]}, True, "orders.placed", "orders: rows with NULL in placed: 12 (line 3)"),
    "block_writes": (
        {"impact": [{**IMPACT, "blocks_writes": True}]}, True, "orders", f"orders: writes wait, {COUNTS} (line 3)"
    ),
    "rebuild": (
        {"impact": [{**IMPACT, "rebuilds": True}]}, True, "orders",
        f"orders: all rows are rewritten, {COUNTS} (line 3)",
    ),
    "irreversible": (
        {"reversible": False, "irreversible": "its down file does not restore TABLE t"}, False, "",
        "its down file does not restore TABLE t",
    ),
    "not_rehearsed": (
        {"rehearsed": False, "why": "it names VIEW v", "reversible": None}, False, "",
        "it was not rehearsed: it names VIEW v",
    ),
    "rename": (
        {"renames": [RENAME]}, True, "orders.note",
        "orders.note is renamed to remark; a running application still uses the old name (line 3)",
    ),
    "no_down_file": (
        {"reversible": False, "irreversible": "it has no down file"}, False, "", "there is no down file"
    ),
}  # fmt: skip
WARN: dict[str, Any] = {
    **dict.fromkeys(FOUND, "warn"), "block_writes_above": 100 * 2**20, "rebuild_above": 2**30
}  # fmt: skip
NOBODY: dict[str, Any] = dict.fromkeys(FOUND)


def judged(
    *migrations: dict[str, Any],
    guards: Mapping[str, Any] | None = None,
    allow: Mapping[str, list[int]] | None = None,
    text: str = "",
    direction: str = "up",
    no_down: bool = False,
    asserted: bool = False,
    rehearsed: bool = True,
) -> list[dict[str, Any]]:
    """Judge a plan of migrations from 12 on, each of which has this text."""
    numbers = range(12, 12 + len(migrations))
    steps = tuple(Step(number, "x", direction, f"{number}_x.{direction}.sql", number) for number in numbers)
    source = Source("d", tuple(Migration(number, "x", "u", None if no_down else "d") for number in numbers), ())
    return judge(
        Plan(11, numbers[-1], steps),
        source,
        {"migrations": [{**PLAIN, **migration} for migration in migrations]} if rehearsed else None,
        Rules(WARN if guards is None else guards, {**NOBODY, **(allow or {})}, asserted),
        lambda step: read_script(text.encode(), step.direction, Dialect()).directives,
    )


def only(guard: str, **options: Any) -> dict[str, Any]:
    """Judge a migration in which one guard finds something, once."""
    [found] = judged(FOUND[guard][0], no_down=guard == "no_down_file", **options)
    return found


@pytest.mark.parametrize("guard", FOUND)
def test_a_finding_has_one_form(guard: str) -> None:
    assert only(guard) == {
        "version": 12, "title": "x", "direction": "up", "guard": guard, "verdict": "warn", "text": FOUND[guard][3],
        "allowed_by": None,
    }  # fmt: skip


@pytest.mark.parametrize("level", ["allow", "warn", "refuse"])
@pytest.mark.parametrize("guard", FOUND)
def test_a_guard_does_what_it_is_set_to(guard: str, level: str, tmp_path: Path) -> None:
    """What is allowed altogether is not spoken of; what is refused fails a run, and is reported in check mode."""
    no_down, text = guard == "no_down_file", FOUND[guard][3]
    (tmp_path / "12_x.up.sql").write_text("SELECT 1")
    source = Source(str(tmp_path), (Migration(12, "x", "12_x.up.sql", None if no_down else "d"),), ())
    plan = Plan(11, 12, (Step(12, "x", "up", "12_x.up.sql", 12),))
    result = {"migrations": [{**PLAIN, **FOUND[guard][0]}]}
    expected = [] if level == "allow" else [
        {
            "version": 12, "title": "x", "direction": "up", "guard": guard, "verdict": level, "text": text,
            "allowed_by": None,
        }
    ]  # fmt: skip
    warned = [f"up 12, {guard}: {text} (DBM-{2102 + GUARDS.index(guard)})"] if expected else []
    refused = None if level != "refuse" else (
        f"The guards refuse this plan: up 12, {guard}: {text}. Correct the files. Or allow what is meant, with "
        f"{{{guard}: [12]}} in allow, or in the file, above the statement or at its head, with the comment "
        f"-- dbops: allow {guard}. Or set such a guard to warn in guards. Nothing was run."
    )  # fmt: skip
    for check_mode in (True, False):
        warnings: list[str] = []
        params = {"guards": {**WARN, guard: level}, "allow": NOBODY, "assert_impact": False, "keep_destroyed": None}
        session: Any = FakeSession()
        preview = Preview(params, check_mode, warnings.append, source, "d", session, session)
        rehearsed = Rehearsed(result, lambda _step, _resumes, _stopped: {})
        if refused is not None and not check_mode:
            with pytest.raises(Error) as error:
                preview.guard(plan, rehearsed, session)
            assert str(error.value) == refused
            assert error.value.results == {"guards": expected, "rehearsal": result}
            assert warnings == []
        else:
            found = preview.guard(plan, rehearsed, session)
            assert found == {"guards": expected, "refusal": refused and coded(2111, refused)}
            assert warnings == warned


def test_all_guards_are_tested() -> None:
    assert set(FOUND) == set(GUARDS)


def test_would_fail_refuses_unless_it_is_told_otherwise() -> None:
    """The role's defaults, and the page on guards, are the module's."""
    options = SPEC.argument_spec["guards"]["options"]
    levels = {name: option["default"] for name, option in options.items() if name in GUARDS}
    assert levels == {**dict.fromkeys(GUARDS, "warn"), "would_fail": "refuse"}
    sizes = {name: human_to_bytes(option["default"]) for name, option in options.items() if name not in GUARDS}
    assert sizes == {"block_writes_above": WARN["block_writes_above"], "rebuild_above": WARN["rebuild_above"]}
    specs = yaml.safe_load((CHECKOUT / "roles" / "migrate" / "meta" / "argument_specs.yml").read_text())
    of_role = specs["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in of_role["migrate_guards"]["options"].items()} == {
        name: option["default"] for name, option in options.items()
    }
    assert set(of_role["migrate_allow"]["options"]) == set(GUARDS)
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", (CHECKOUT / "docs" / "guards.md").read_text(), re.M)
    assert dict(rows) == levels


@pytest.mark.parametrize("guard", FOUND)
def test_a_version_is_allowed_for_one_guard(guard: str) -> None:
    """Other versions, and other guards, are not."""
    found = only(guard, allow={guard: [7, 12]}, guards={**WARN, guard: "refuse"})
    assert (found["verdict"], found["allowed_by"]) == ("allowed", "migrate_allow")
    others = {name: [12] for name in FOUND if name != guard}
    found = only(guard, allow={**others, guard: [7]}, guards={**WARN, guard: "refuse"})
    assert (found["verdict"], found["allowed_by"]) == ("refuse", None)


@pytest.mark.parametrize("guard", FOUND)
def test_a_comment_allows_what_it_is_about(guard: str) -> None:
    """Above the statement, or the whole file; for all of it, or by its name."""
    of_statement, name = FOUND[guard][1], FOUND[guard][2]
    cases = {
        f"-- dbops: allow {guard}\n\nSELECT 1;": 1,
        f"SELECT 1;\n-- dbops: allow {guard}\nSELECT 2;\nSELECT 3;": 2 if of_statement else None,
        f"SELECT 1;\nSELECT 2;\nSELECT 3;\n-- dbops: allow {guard}\nSELECT 4;": None,
        f"\n-- dbops: allow {guard} {name} more\n\nSELECT 1;": 2 if name else None,
        f"-- dbops: allow {guard} another\n\nSELECT 1;": None,
        f"-- dbops: allow {next(other for other in FOUND if other != guard)}\n\nSELECT 1;": None,
        "SELECT 1; -- a file without such a comment": None,
    }
    for text, line in cases.items():
        found = only(guard, text=text, guards={**WARN, guard: "refuse"})
        expected = ("refuse", None) if line is None else ("allowed", f"line {line} of 12_x.up.sql")
        assert (found["verdict"], found["allowed_by"]) == expected, text


def test_what_may_be_several_statements_is_allowed_for_the_whole_file_only() -> None:
    risk = {"risks": [{**RISK, "line": None}]}
    for text in ("SELECT 1;\n-- dbops: allow destroy\nSELECT 2", "-- dbops: allow destroy\nSELECT 1;\nSELECT 2"):
        [found] = judged(risk, text=text)
        assert (found["verdict"], found["text"]) == ("warn", RISK["text"])
    assert judged(risk, text="-- dbops: allow destroy orders.note\n\nSELECT 1")[0]["verdict"] == "allowed"


def test_a_table_has_its_own_name_in_a_comment() -> None:
    found = judged({"risks": [{**RISK, "named": "orders"}]}, text="-- dbops: allow destroy orders\n\nSELECT 1")
    assert found[0]["verdict"] == "allowed"
    assert judged({"risks": [RISK]}, text="-- dbops: allow destroy orders\n\nSELECT 1")[0]["verdict"] == "warn"


@pytest.mark.parametrize(("guard", "key"), [("block_writes", "blocks_writes"), ("rebuild", "rebuilds")])
def test_a_table_counts_above_a_size(guard: str, key: str) -> None:
    """One whose size is not known does, too."""
    rules = {**WARN, f"{guard}_above": 1000}
    assert judged({"impact": [{**IMPACT, key: True, "bytes": 1000}]}, guards=rules) == []
    [found] = judged({"impact": [{**IMPACT, key: True, "bytes": 1001}]}, guards=rules)
    assert found["guard"] == guard
    unknown = {**IMPACT, key: True, "bytes": None, "rows": None, "certain": False, "uncertain": "no such table"}
    texts = [item["text"] for item in judged({"impact": [unknown]}, guards=rules) if item["guard"] == guard]
    assert len(texts) == 1
    assert "its size is not known" in texts[0]


def test_what_is_not_certain_may_be_so() -> None:
    """Unless the server is to refuse it."""
    doubtful = {"impact": [{**IMPACT, "certain": False, "uncertain": "without PROCESS"}]}
    assert [item["text"] for item in judged(doubtful)] == [
        f"orders: writes may wait, {COUNTS}; without PROCESS (line 3)",
        f"orders: all rows may be rewritten, {COUNTS}; without PROCESS (line 3)",
    ]
    assert judged(doubtful, asserted=True) == []
    unknown = {**IMPACT, "blocks_writes": None, "rebuilds": None, "certain": False, "uncertain": "partitions"}
    assert [item["guard"] for item in judged({"impact": [unknown]}, asserted=True)] == ["block_writes", "rebuild"]


def test_a_failure_on_the_copies_would_be_one() -> None:
    [found] = judged({"error": "12_x.up.sql:1 (statement 1): (1060) Duplicate", "reversible": None})
    assert (found["guard"], found["text"]) == (
        "would_fail",
        "it fails on copies of the tables: 12_x.up.sql:1 (statement 1): (1060) Duplicate",
    )


def test_what_the_plan_may_fix_itself_is_not_refused() -> None:
    """Nor what could not be counted; what may go is."""
    rules = {**WARN, "would_fail": "refuse", "destroy": "refuse"}
    risks = [{**WOULD_FAIL, "certain": False}, {**RISK, "certain": False}, WOULD_FAIL]
    assert [item["verdict"] for item in judged({"risks": risks}, guards=rules)] == ["warn", "refuse", "refuse"]


def test_a_down_file_that_was_not_rehearsed_is_said() -> None:
    [found] = judged({"reversible": None, "irreversible": "its down file is not rehearsed: line 1 has USE"})
    assert (found["guard"], found["text"]) == ("not_rehearsed", "its down file is not rehearsed: line 1 has USE")


def test_in_a_rollback_some_look_for_nothing() -> None:
    all_of_it: dict[str, Any] = {
        "impact": [{**IMPACT, "blocks_writes": True, "rebuilds": True}], "risks": [RISK, WOULD_FAIL],
        "renames": [RENAME], "reversible": None,
    }  # fmt: skip
    found = judged(all_of_it, {"rehearsed": False, "why": "so"}, direction="down", no_down=True)
    assert [(item["version"], item["guard"]) for item in found] == [
        (12, "destroy"), (12, "would_fail"), (12, "block_writes"), (12, "rebuild"), (13, "not_rehearsed")
    ]  # fmt: skip


def test_without_a_rehearsal_there_is_the_plan() -> None:
    """Nothing is said about what nobody asked for."""
    assert judged({}, {}, rehearsed=False) == []
    found = judged({}, {}, rehearsed=False, no_down=True)
    assert [(item["version"], item["guard"]) for item in found] == [(12, "no_down_file"), (13, "no_down_file")]


def test_a_text_is_one_harmless_line() -> None:
    [found] = judged({"rehearsed": False, "why": "near 'a\n\tb\x1b[2J'"})
    assert found["text"] == "it was not rehearsed: near 'a b\\x1b[2J'"


def test_what_migrations_have_in_common_is_said_once() -> None:
    found = judged({}, {}, {}, {"risks": [RISK]}, {}, {}, {}, rehearsed=True, no_down=True)
    assert [message.text for message in warnings(found)] == [
        "up 12, up 13, up 14, up 15, up 16 and 2 more, no_down_file: there is no down file",
        "up 15, destroy: orders: values lost with the column note: 12 (line 3)",
    ]


def test_a_refusal_says_what_and_each_way_on() -> None:
    rules = {**WARN, "destroy": "refuse", "no_down_file": "refuse"}
    found = judged({"risks": [RISK]}, {}, guards=rules, no_down=True)
    refused = refusal(found)
    assert refused is not None
    assert refused.text == (
        "The guards refuse this plan: up 12, destroy: orders: values lost with the column note: 12 (line 3); up 12, "
        "up 13, no_down_file: there is no down file. Correct the files. Or allow what is meant, with {destroy: [12], "
        "no_down_file: [12, 13]} in allow, or in the file, above the statement or at its head, with the comment "
        "-- dbops: allow destroy. Or set such a guard to warn in guards. Nothing was run."
    )
    assert refusal(judged({"risks": [RISK]}, {}, no_down=True)) is None
