# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""awx/configure.yml, run twice: on a stand-in for awx.awx, and on a real AWX where CONTROLLER_HOST names one.

The stand-in is a fake: a server cannot be had here. Its modules know the real ones' options, from argument_specs.yml,
and refuse what those refuse; what they are given they keep in files. They do not know what the server would say to it.
They are actions, which need no process each: that is quicker.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.awx.support import clean_environment, literally, selectable
from parts import CHECKOUT, NotOnThisSystem
from parts.ansible import PROGRAMS

CONFIGURE = CHECKOUT / "awx" / "configure.yml"
FACTS = yaml.safe_load((Path(__file__).parent / "argument_specs.yml").read_text())
ACTION = """
import json
import pathlib

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        checked = ArgumentSpecValidator(**json.loads({facts!r})).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleError(", ".join(checked.error_messages))
        given = {{name: value for name, value in checked.validated_parameters.items() if value is not None}}
        name = given.get("identifier") or given["name"]
        path = pathlib.Path({path!r})
        kept = json.loads(path.read_text())
        links = [node for way in ("success", "failure", "always") for node in given.get(way + "_nodes", [])]
        if links and (given.get("approval_node") or not {{name, *links}} <= set(kept)):
            # A real AWX cannot link a node that is not there, nor one that it makes in the same task.
            raise AnsibleError("could not be found: " + str(links))
        now = {{**kept.get(name, {{}}), **given}}
        changed = kept.get(name) != now
        path.write_text(json.dumps({{**kept, name: now}}))
        return {{"changed": changed}}
"""
Kept = dict[str, dict[str, dict[str, Any]]]


def make_collection(folder: Path) -> None:
    """Write the stand-in, and a file beside it for what each module gets."""
    actions = folder / "ansible_collections" / "awx" / "awx" / "plugins" / "action"
    actions.mkdir(parents=True)
    for name, facts in FACTS["modules"].items():
        kept = folder / f"{name}.json"
        kept.write_text("{}")
        rules = {rule: facts[rule] for rule in ("mutually_exclusive", "required_if") if rule in facts}
        rules["argument_spec"] = {**facts["options"], **FACTS["auth"]}
        (actions / f"{name}.py").write_text(ACTION.format(facts=json.dumps(rules), path=str(kept)))


def configure(folder: Path, **environment: str) -> dict[str, int]:
    """Run the playbook and return the recap's numbers."""
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", CONFIGURE],
        cwd=folder,
        env=clean_environment(ANSIBLE_NOCOLOR="true", **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recap = done.stdout.splitlines()[-2]
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", recap)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What the modules got, by their name and that of the thing; the second run has changed nothing."""
    folder = tmp_path_factory.mktemp("awx")
    make_collection(folder)
    secrets = {
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "DEPLOY_KEY": "a key",
        "AWS_SECRET_ACCESS_KEY": "another",
        "RUNNER_PRIVATE_KEY": "",
    }
    first, second = configure(folder, **secrets), configure(folder, **secrets)
    # The nodes of the workflow take two tasks.
    assert first["ok"] == first["changed"] == second["ok"] == len(FACTS["modules"]) + 1
    assert second["changed"] == 0
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in FACTS["modules"]}


def test_whatever_is_referred_to_is_there(kept: Kept) -> None:
    credentials = {*kept["credential"], ""}
    environments, notifications = set(kept["execution_environment"]), set(kept["notification_template"])
    types = {*kept["credential_type"], "Machine"}
    assert {each["credential_type"] for each in kept["credential"].values()} <= types
    owned = {name: things for name, things in kept.items() if "organization" in FACTS["modules"][name]["options"]}
    assert len(owned) == 9
    for things in owned.values():
        assert {each["organization"] for each in things.values()} == set(kept["organization"])

    for project in kept["project"].values():
        assert project.get("credential", "") in credentials
        assert project["default_environment"] in environments
    for source in kept["inventory_source"].values():
        assert source["inventory"] in kept["inventory"]
        assert source["source_project"] in kept["project"]
        assert source["execution_environment"] in environments
    for template in kept["job_template"].values():
        assert template["project"] in kept["project"]
        assert template["inventory"] in kept["inventory"]
        assert template["execution_environment"] in environments
        assert len(template["credentials"]) == len(kept["credential"])
        assert set(template["credentials"]) <= credentials
        assert selectable(CHECKOUT, CHECKOUT / template["playbook"])
    for template in [*kept["job_template"].values(), *kept["workflow_job_template"].values()]:
        for occasion in ("success", "error", "approvals"):
            assert set(template.get(f"notification_templates_{occasion}", [])) <= notifications


def test_workflow(kept: Kept) -> None:
    """Plan, approval, migrate, and the status also after a failure."""
    nodes = kept["workflow_job_template_node"]
    assert {node["workflow_job_template"] for node in nodes.values()} == set(kept["workflow_job_template"])
    ways = {
        name: {way: node[f"{way}_nodes"] for way in ("success", "always", "failure") if node.get(f"{way}_nodes")}
        for name, node in nodes.items()
    }
    assert ways == {
        "plan": {"success": ["approval"]},
        "approval": {"success": ["migrate"]},
        "migrate": {"success": ["status"], "failure": ["after"]},
        "status": {},
        "after": {},
    }
    assert nodes["approval"]["approval_node"]["timeout"] == 86400
    runs = {
        name: kept["job_template"][node["unified_job_template"]] for name, node in nodes.items() if name != "approval"
    }
    assert runs["after"]["extra_vars"] == {"migrate_status_fail": ["always"]}
    assert [(runs[name]["playbook"], runs[name]["job_type"]) for name in ("plan", "migrate", "status")] == [
        ("playbooks/migrate.yml", "check"),
        ("playbooks/migrate.yml", "run"),
        ("playbooks/status.yml", "run"),
    ]
    # Each may run for other databases meanwhile, and a limit of the workflow reaches its jobs.
    for template in [*kept["job_template"].values(), *kept["workflow_job_template"].values()]:
        assert template["allow_simultaneous"] is template["ask_limit_on_launch"] is template["survey_enabled"] is True


def ended(kept: Kept, *failing: str) -> tuple[str, list[str]]:
    """Return how the workflow ends, by AWX's rules, and which nodes run.

    A node runs once one that leads to it has ended so. A workflow has failed if a node has that nothing follows in
    that case (AWX, awx/main/scheduler/dag_workflow.py). That the status after a failure fails is its job's word.
    """
    nodes = kept["workflow_job_template_node"]
    led_to = {
        name
        for node in nodes.values()
        for way in ("success", "failure", "always")
        for name in node.get(f"{way}_nodes", [])
    }
    waiting, ran, failed = [name for name in nodes if name not in led_to], [], False
    while waiting:
        name = waiting.pop(0)
        ran.append(name)
        template = kept["job_template"].get(nodes[name].get("unified_job_template", ""), {})
        fails = name in failing or "always" in (template.get("extra_vars") or {}).get("migrate_status_fail", [])
        ways = ("failure_nodes" if fails else "success_nodes", "always_nodes")
        following = [follower for way in ways for follower in nodes[name].get(way, [])]
        failed = failed or (fails and not following)
        waiting += following
    return ("failed" if failed else "successful"), ran


@pytest.mark.parametrize(
    ("failing", "state", "ran"),
    [
        ((), "successful", ["plan", "approval", "migrate", "status"]),
        (("plan",), "failed", ["plan"]),
        # Denied, or not answered in time.
        (("approval",), "failed", ["plan", "approval"]),
        (("migrate",), "failed", ["plan", "approval", "migrate", "after"]),
        (("status",), "failed", ["plan", "approval", "migrate", "status"]),
    ],
)
def test_a_workflow_ends_as_its_nodes_do(kept: Kept, failing: tuple[str, ...], state: str, ran: list[str]) -> None:
    assert ended(kept, *failing) == (state, ran)


def test_what_awx_renders_arrives_as_it_was_written(kept: Kept) -> None:
    types = literally(CHECKOUT / "awx/credential_types.yml")["awx_credential_types"]
    assert {name: each["injectors"] for name, each in kept["credential_type"].items()} == {
        each["name"]: each["injectors"] for each in types
    }
    assert [each["messages"] for each in kept["notification_template"].values()] == [
        literally(CHECKOUT / "awx/settings.yml")["awx_notification"]["messages"]
    ]
    templates = literally(CHECKOUT / "awx/templates.yml")
    surveys = {each["name"]: each["survey"] for each in [*templates["awx_job_templates"], templates["awx_workflow"]]}
    for name, template in {**kept["job_template"], **kept["workflow_job_template"]}.items():
        assert template["survey_spec"] == {"name": "", "description": "", "spec": surveys[name]}


def test_secrets_come_from_the_environment(kept: Kept) -> None:
    assert kept["credential"]["Deploy key"]["inputs"]["private_key"] == "a key"
    assert kept["credential"]["Secrets"]["inputs"]["secret_key"] == "another"
    # What is not given is left to AWX.
    assert kept["credential"]["Runners"]["inputs"]["ssh_key_data"] == "$encrypted$"
    assert {each["update_secrets"] for each in kept["credential"].values()} == {False}


def test_on_a_real_awx(tmp_path: Path) -> None:
    """It needs the collection awx.awx, CONTROLLER_OAUTH_TOKEN, and awx/settings.yml that fits that AWX."""
    if "CONTROLLER_HOST" not in os.environ:
        raise NotOnThisSystem("CONTROLLER_HOST names no AWX to run it on.")
    configure(tmp_path)
    assert configure(tmp_path)["changed"] == 0
    jobs = [
        {"name": f"Launch {name}", "awx.awx.job_launch": {"job_template": name, "extra_vars": answers, "wait": True}}
        for name, answers in (
            ("Database status", {}),
            ("Database plan", {}),
            ("Database migrate", {"migrate_dry_run": "yes"}),
        )
    ]
    (tmp_path / "launch.yml").write_text(
        json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": jobs}])
    )
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", tmp_path / "launch.yml"],
        env=clean_environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
