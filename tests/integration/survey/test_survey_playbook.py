# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook survey: hosts that are seen, hosts that are not, and what is said about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.roles.support import failure
from parts import CHECKOUT
from parts.process import free_port

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

BOOK = "dbops.migrations.survey"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
QUICK: dict[str, Any] = {"survey_duration": 1, "survey_interval": 0.5}
# It plays sudo, as this machine may have none, and an account without rights neither.
SUDO = """\
#!/bin/sh
echo 'sudo: a password is required' >&2
exit 1
"""
# It plays a Python that fails in words that a terminal and a template would obey.
HOSTILE = """\
#!/bin/sh
printf '{"failed": true, "msg": "\\\\u001b[2J{{ 6 * 7 }} <b>no</b>"}'
"""


def program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def away() -> dict[str, Any]:
    """Return the variables of a host that nobody reaches."""
    return {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": free_port(),
        "ansible_ssh_common_args": "-F none -o ControlMaster=no -o ControlPath=none",
    }


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def lines(result: PlaybookResult, host: str) -> list[str]:
    assert result.rc == 0, result.stdout + result.stderr
    said: list[str] = result.result(host, "Show the report")["msg"]
    return said


def test_each_host_is_in_the_report(playbook: RunPlaybook, tmp_path: Path) -> None:
    hosts: dict[str, dict[str, Any]] = {
        "away": away(),
        "denied": {
            **LOCAL,
            "ansible_become": True,
            "ansible_become_exe": program(tmp_path / "sudo", SUDO),
            # A real sudo comes as another account.
            "ansible_become_user": "nobody",
        },
        "hostile": {**LOCAL, "ansible_python_interpreter": program(tmp_path / "hostile", HOSTILE)},
        "bare": {**LOCAL, "ansible_python_interpreter": "/nowhere/python"},
        "seen": LOCAL,
    }
    # The first host is none that could report.
    inventory = {"all": {"children": {"web": {"hosts": hosts}}}}
    folder = tmp_path / "survey"
    variables = {**QUICK, "survey_dir": str(folder), "awx_job_id": 7}
    result = playbook(BOOK, inventory, "--forks=6", extra_vars=variables)
    said = lines(result, "away")
    assert said[0].startswith("Seen: 2 of 5 hosts, ")
    assert said[2].startswith("Seen without becoming root: denied: ")
    assert "assword" in said[2]
    assert said[-1] == f"The report: {folder}/index.html"
    assert (folder / "index.html").exists()
    reasons = {line.split(": ")[1]: line for line in said if line.startswith("Not seen: ")}
    assert sorted(reasons) == ["away", "bare", "hostile"]
    assert reasons["away"].startswith("Not seen: away: unreachable: ")
    assert "Failed to connect to the host via ssh: " in reasons["away"]
    assert "/nowhere/python" in reasons["bare"]
    assert "{{ 6 * 7 }}" in reasons["hostile"]
    assert all(line.isprintable() for line in said)
    report = result.result("away", "Write the report")
    assert [one["host"] for one in report["not_seen"]] == ["away", "bare", "hostile"]
    # Documents have the inventory's names, and those of one run share its name.
    documents = {one["host"]: one for one in map(read, folder.glob("observations/*/*.json"))}
    assert sorted(documents) == ["away", "bare", "denied", "hostile", "seen"]
    assert len({document["run"] for document in documents.values()}) == 1
    [denied] = [one for one in documents["denied"]["unseen"] if "surveyed without root" in one["why"]]
    assert denied["what"] == "processes"
    assert denied["remedy"].endswith("by sudo.")
    assert not [one for one in documents["seen"]["unseen"] if "surveyed without root" in one["why"]]
    # No text of a host's, and no address, for what follows in a workflow.
    known = report["ansible_stats"]["data"]["infrastructure_survey"]
    assert known["counts"]["hosts"] == 5
    assert known["not_seen"] == ["away", "bare", "hostile"]
    assert all(set(finding) == {"kind", "severity", "component"} for finding in known["findings"])
    assert "{" not in json.dumps(known["findings"]).replace('{"', "")


def test_nobody_is_seen(playbook: RunPlaybook, tmp_path: Path) -> None:
    variables = {**QUICK, "survey_dir": str(tmp_path / "survey")}
    result = playbook(BOOK, {"all": {"hosts": {"away": away()}}}, extra_vars=variables)
    said = failure(result, "away", "Write the report").splitlines()
    assert said[0] == "No host was seen. (DBM-2504)"
    assert said[1].startswith("Seen: 0 of 1 host, 0 components")
    assert any(line.startswith("Not seen: away: unreachable: ") for line in said)


def test_check_mode_looks_as_well_and_writes_nothing(playbook: RunPlaybook, tmp_path: Path) -> None:
    inventory, folder = tmp_path / "hosts.json", tmp_path / "survey"
    inventory.write_text(json.dumps({"all": {"hosts": {"seen": LOCAL}}}))
    result = playbook(BOOK, inventory, "--check", extra_vars=QUICK)
    said = lines(result, "seen")
    assert said[0].startswith("Seen: 1 of 1 host, ")
    assert said[-1] == f"Check mode: {folder}/index.html was not written."
    assert not folder.exists()
    assert result.result("seen", "Survey the host")["survey"]["services"]


def test_variables_that_the_roles_do_not_have(playbook: RunPlaybook) -> None:
    """Nobody is looked at, not even those whose variables are right."""
    hosts = {"right": LOCAL, "wrong": {**LOCAL, "survey_durations": 5, "survey_my_own": 1, "survey_dir": 7}}
    result = playbook(BOOK, {"all": {"hosts": hosts}}, extra_vars={"survey_ref": "main", "survey_hosts": "all"})
    assert failure(result, "wrong", "Check the variables").splitlines() == [
        "survey_durations is not a variable of this role. Did you mean survey_duration? (DBM-1005)",
        "survey_dir is a number to YAML, which reads 1.10 as 1.1 and 0123 as 83. Quote it: '1.10' (DBM-1009)",
    ]
    assert [event for event in result.tasks if "Look at" in event["task"]] == []


def test_no_hosts_are_not_all_of_them(playbook: RunPlaybook) -> None:
    result = playbook(BOOK, {"all": {"hosts": {"seen": LOCAL}}}, extra_vars={"survey_hosts": ""})
    assert result.rc not in (0, 2)
    assert "The host pattern is empty. Name a host or a group, or write all. (DBM-1011)" in " ".join(
        (result.stdout + result.stderr).split()
    )
    assert result.tasks == []


def test_without_a_file_of_an_inventory_the_report_lies_where_ansible_was_started(
    playbook: RunPlaybook, tmp_path: Path
) -> None:
    role = CHECKOUT / "roles" / "survey"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(role / "vars" / "main.yml")],
        "tasks": [{"ansible.builtin.debug": {"msg": "{{ __survey_beside }}"}}],
    }
    (tmp_path / "book.yml").write_text(json.dumps([play]))
    result = playbook(tmp_path / "book.yml", Path("seen,"), env={"PWD": "/somewhere"})
    assert result.result("localhost", "debug")["msg"] == "/somewhere/survey"
