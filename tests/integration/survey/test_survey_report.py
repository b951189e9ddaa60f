# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""survey_report in a play: of what its hosts have shown, of what was kept, and of what people wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parts.process import free_port

if TYPE_CHECKING:
    from conftest import RunPlaybook

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
LOOK = {
    "name": "Look",
    "dbops.migrations.host_survey": {"duration": 1, "interval": 0.5},
    "ignore_unreachable": True,
    "register": "__survey_look",
}


def away() -> dict[str, Any]:
    """Return the variables of a host that nobody reaches."""
    return {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}


def write(path: Path, hosts: str, *tasks: dict[str, Any]) -> Path:
    path.write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
    return path


def test_hosts_are_looked_at_and_reported_on(playbook: RunPlaybook, tmp_path: Path) -> None:
    folder = tmp_path / "survey"
    report = {"name": "Report", "dbops.migrations.survey_report": {"directory": str(folder)}, "run_once": True}
    book = write(tmp_path / "book.yml", "all", LOOK, report)
    # The first host is none that could report.
    inventory = {"all": {"children": {"web": {"hosts": {"away": away(), "seen": LOCAL}}}}}
    would = playbook(book, inventory, "--check").result("away", "Report")
    assert would["report"][-1] == f"Check mode: {folder}/index.html was not written."
    assert not folder.exists()

    result = playbook(book, inventory, extra_vars={"awx_job_id": 7}).result("away", "Report")
    assert result["changed"]
    assert result["report"][0].startswith("Seen: 1 of 2 hosts, ")
    assert result["report"][-1] == f"The report: {folder}/index.html"
    [missed] = result["not_seen"]
    assert missed["host"] == "away"
    assert missed["error"].startswith("unreachable: ")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(result["files"])
    assert {"index.html", "map.svg", "map.mmd", "flows.csv", "waves.md"} < files
    assert len([name for name in files if name.startswith("observations/seen/")]) == 1
    known = result["ansible_stats"]["data"]["infrastructure_survey"]
    assert known["not_seen"] == ["away"]
    assert known["counts"]["components"] == result["components"]
    assert "| Groups | web |" in "".join(path.read_text() for path in (folder / "components").glob("*.md"))

    # Without a look it is made again of what is there.
    (folder / "decisions.yml").write_text("components: {gone@nowhere: {owner: Ann}}\n")
    again = playbook(write(tmp_path / "again.yml", "localhost", report), {"all": {"hosts": {"localhost": LOCAL}}})
    told = again.result("localhost", "Report")
    assert told["report"][0].startswith("Seen: 1 of 2 hosts, ")
    assert "observations" not in "".join(told["files"])
    assert [one["component"] for one in told["findings"] if one["kind"] == "gone"] == ["gone@nowhere"]

    (folder / "decisions.yml").write_text("components: 1\n")
    wrong = playbook(write(tmp_path / "again.yml", "localhost", report), {"all": {"hosts": {"localhost": LOCAL}}})
    assert wrong.rc == 2
    assert "decisions.yml: components is not a dictionary." in wrong.result("localhost", "Report")["msg"]


def test_nobody_is_seen(playbook: RunPlaybook, tmp_path: Path) -> None:
    report = {"name": "Report", "dbops.migrations.survey_report": {"directory": "survey"}, "run_once": True}
    book = write(tmp_path / "book.yml", "all", LOOK, report)
    result = playbook(book, {"all": {"hosts": {"away": away()}}})
    assert result.rc == 2
    said = result.result("away", "Report")["msg"].splitlines()
    assert said[:2] == [
        "No host was seen. (DBM-2504)",
        "Seen: 0 of 1 host, 0 components, 0 flows, 0 external peers, 0 waves",
    ]
    assert said[-1].startswith("Not seen: away: unreachable: ")
    # Where Ansible was started.
    [page] = tmp_path.glob("*/survey/index.html")
    assert "away" in page.read_text()
