# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory's findings together, and the forms in which pipelines read them, whatever the files are called."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import check_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.finding import Finding
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.github import workflow_commands
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.junit import junit

HOSTILE = "1_%::error file=x,line=1::y::set-env name=a::b\r\x1b[2J<&\"'>]]>\u202e\ufffe.up.sql"
ALMOST = "2-x\r::set-env name=a::b\r.up.sql"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_findings_by_file_and_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"2_b.up.sql": "USE a;\nDROP TABLE b;", "1_a.up.sql": "SELECT (", "1_a.down.sql": "SELECT 1", "3-c.sql": ""},
    )
    checked = check_directory(str(tmp_path))
    assert [(os.path.basename(finding.file), finding.line, finding.rule) for finding in checked.findings] == [
        ("1_a.up.sql", 1, "incomplete"),
        ("2_b.up.sql", 1, "no_down_file"),
        ("2_b.up.sql", 1, "other_schema"),
        ("2_b.up.sql", 2, "destroy"),
        ("3-c.sql", 1, "not_a_migration"),
    ]
    assert [os.path.basename(file) for file in checked.files] == ["1_a.down.sql", "1_a.up.sql", "2_b.up.sql", "3-c.sql"]


def test_rules_that_do_not_apply(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.up.sql": "USE a;", "2-b.sql": ""})
    ignored = ["no_down_file", "other_schema", "not_a_migration"]
    assert check_directory(str(tmp_path), ignored).findings == []


def test_what_is_known_by_the_name_is_allowed_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.up.sql": "-- dbops: allow no_down_file\nSELECT 1;"})
    assert check_directory(str(tmp_path)).findings == []


def test_a_merge_request_knows_files_by_their_path_in_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    write(folder, {"1_a.up.sql": "SELECT 1"})
    assert check_directory(str(folder)).findings[0].file == str(folder / "1_a.up.sql")
    (tmp_path / ".git").mkdir()
    checked = check_directory(str(folder))
    assert (checked.directory, checked.findings[0].file) == ("db/migrations", "db/migrations/1_a.up.sql")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"The migrations' directory .* cannot be read: No such file or directory"):
        check_directory(str(tmp_path / "nowhere"))
    (tmp_path / "1_a.up.sql").symlink_to("nowhere")
    with pytest.raises(Error, match=r"1_a\.up\.sql cannot be read: No such file or directory\."):
        check_directory(str(tmp_path))


def test_names_on_the_disk_that_are_not_text(tmp_path: Path) -> None:
    (Path(os.fsdecode(bytes(tmp_path) + b"/1_\xff.up.sql"))).write_text("SELECT 1")
    checked = check_directory(str(tmp_path))
    assert [finding.file for finding in checked.findings] == [f"{tmp_path}/1_\\udcff.up.sql"]
    assert b"1_\\udcff.up.sql" in junit(checked, ["warning"])


def test_hostile_names_and_texts_stay_in_their_place(tmp_path: Path) -> None:
    write(tmp_path, {HOSTILE: "DROP TABLE `a%0A\n::error::x`;\nUSE `<b>&amp;]]>`;", ALMOST: ""})
    checked = check_directory(str(tmp_path))
    assert len(checked.findings) == 4
    for finding in checked.findings:
        assert all(value.isprintable() for value in (finding.file, finding.what))
    lines = workflow_commands(checked.findings).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", "::warning", "::warning", "::warning"]
    for line in lines:
        # One end of the properties, which nothing in them can be mistaken for.
        properties, end, _message = line.removeprefix("::").partition("::")
        assert end == "::"
        assert [part.partition("=")[0] for part in properties.split(" ", 1)[1].split(",")] == ["file", "line", "title"]
    [suite] = ElementTree.fromstring(junit(checked, ["error"]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "3")
    assert {case.get("file") for case in suite} == {*checked.files}
    texts = {skipped.get("message") for skipped in suite.iter("skipped")}
    assert texts == {finding.text for finding in checked.findings if finding.severity == "warning"}


def test_workflow_commands() -> None:
    findings = [
        Finding("a,b:c%.sql", 3, "destroy", "warning", "50 % of it, gone:", "Look."),
        Finding("d.sql", 1, "incomplete", "error", "Open.", "Close it."),
    ]
    assert workflow_commands(findings) == (
        "::error file=d.sql,line=1,title=incomplete::Open. Close it.\n"
        "::warning file=a%2Cb%3Ac%25.sql,line=3,title=destroy::50 %25 of it, gone: Look.\n"
    )
    assert workflow_commands([]) == ""


@pytest.mark.parametrize(("failing", "failures"), [(["error"], 1), (["error", "warning"], 2)])
def test_junit_has_a_test_for_each_finding_and_each_file_without(
    tmp_path: Path, failing: list[str], failures: int
) -> None:
    write(tmp_path, {"1_a.up.sql": "DROP TABLE a; SELECT (", "1_a.down.sql": "SELECT 1"})
    [suite] = ElementTree.fromstring(junit(check_directory(str(tmp_path)), failing))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", str(failures), str(2 - failures))
    assert [[child.tag for child in case] for case in suite][2] == []
    assert len(suite.findall("testcase/failure")) == failures
