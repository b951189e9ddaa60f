# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""awx/configure.yml, run twice: on a stand-in for AWX, and on a real one where TEST_CONTROLLER_HOST names it.

The stand-in is a fake, as no AWX is available here: stand_in.py says what it knows of one. The real one is for tests,
as databases are migrated there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
import yaml
from integration.awx.support import clean_environment, literally, selectable
from parts import CHECKOUT, NotOnThisSystem
from parts.ansible import PROGRAMS
from unit.awx.stand_in import Controller, Refused, Things

CONFIGURE = CHECKOUT / "awx" / "configure.yml"
HERE = Path(__file__).parent
FACTS = yaml.safe_load((HERE / "argument_specs.yml").read_text())
SECRETS = {name: f"a value of {name}" for name in ("DEPLOY_KEY", "AWS_SECRET_ACCESS_KEY", "RUNNER_PRIVATE_KEY")}
# What people launch.
RELEASE = "Database plan and release"


def make_collection(folder: Path) -> dict[str, str]:
    """Write the stand-in, and return the environment in which Ansible finds it."""
    actions = folder / "ansible_collections" / "awx" / "awx" / "plugins" / "action"
    actions.mkdir(parents=True)
    for name in FACTS["modules"]:
        (actions / f"{name}.py").symlink_to(HERE / "stand_in.py")
    (folder / "argument_specs.json").write_text(json.dumps(FACTS))
    return {"ANSIBLE_COLLECTIONS_PATH": str(folder), "STAND_IN": str(folder)}


def run(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    """Run the playbook, and return how it ended and what it printed."""
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", CONFIGURE, *options],
        cwd=folder,
        env=clean_environment(ANSIBLE_NOCOLOR="true", **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def changes(folder: Path, *options: str, **environment: str) -> int:
    """Run the playbook, and return how many of its tasks have changed something."""
    code, printed = run(folder, *options, **environment)
    assert code == 0, printed
    return int(re.findall(r"changed=(\d+)", printed)[-1])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Things:
    """What AWX has after two runs; the second changes nothing, and needs no secret."""
    folder = tmp_path_factory.mktemp("awx")
    environment = {**dict.fromkeys([*SECRETS, "AWS_ACCESS_KEY_ID"], ""), **make_collection(folder)}
    assert changes(folder, **{**environment, **SECRETS, "AWS_ACCESS_KEY_ID": "AKIA"}) > 0
    assert changes(folder, **environment) == 0
    things: Things = json.loads((folder / "things.json").read_text())
    # Whatever the modules are needed for is made.
    assert set(things) == set(FACTS["modules"])
    return things


def test_a_secret_that_awx_does_not_have(tmp_path: Path) -> None:
    environment = {**make_collection(tmp_path), **SECRETS, "DEPLOY_KEY": ""}
    code, printed = run(tmp_path, **environment)
    assert code == 2
    # Newer versions of ansible-core redact the word itself.
    assert "$ is a reserved keyword, may not be used for private_key." in " ".join(printed.split())


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        ("job_template", {"credentials": ["Git"]}, "Cannot assign a Credential of kind `scm`"),
        ("job_template", {"credentials": ["Runners", "Runners"]}, "Cannot assign multiple Machine credentials"),
        ("job_template", {"project": "Databases"}, "returned 0 items for Databases"),
        ("project", {"credential": "Runners"}, "Cannot assign a Credential of kind `ssh`"),
        ("project", {"credential": ""}, "returned 0 items for , expected 1"),
        ("workflow_job_template_node", {"success_nodes": ["later"]}, "Could not find success_nodes entry"),
        ("workflow_job_template_node", {"unified_job_template": "Database plans"}, "returned 0 items"),
    ],
)
def test_what_awx_refuses(kept: Things, kind: str, changed: dict[str, Any], message: str) -> None:
    """So that the stand-in would say about configure.yml what a real AWX has said about it."""
    credentials = {**kept["credential"], "Git": {"credential_type": "Source Control"}}
    controller = Controller({**kept, "credential": credentials})
    thing = next(each for each in kept[kind].values() if not each.get("approval_node"))
    with pytest.raises(Refused, match=re.escape(message)):
        controller.keep(kind, {**thing, **changed})


def test_awx_cannot_link_an_approval_that_it_makes(kept: Things) -> None:
    approval = next(each for each in kept["workflow_job_template_node"].values() if each.get("approval_node"))
    with pytest.raises(Refused, match="could not be found"):
        Controller(kept).keep("workflow_job_template_node", {**approval, "success_nodes": ["migrate"]})


def test_what_the_modules_are_given(kept: Things) -> None:
    owned = {
        name: [each for each in things.values() if "organization" in each]
        for name, things in kept.items()
        if "organization" in FACTS["modules"][name]["options"] and name != "credential"
    }
    assert len(owned) == 8
    for things in owned.values():
        assert {each["organization"] for each in things} == set(kept["organization"])
    made = {name for name, each in kept["credential"].items() if each.get("organization")}
    for template in kept["job_template"].values():
        assert set(template["credentials"]) == made
        assert selectable(CHECKOUT, CHECKOUT / template["playbook"])


def workflows(kept: Things) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the nodes of each workflow, by their names."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in kept["workflow_job_template"]}
    for node in kept["workflow_job_template_node"].values():
        found[node["workflow_job_template"]][node["identifier"]] = node
    return found


def test_workflows(kept: Things) -> None:
    """Plan; approval, migrate, and the status also after a failure."""
    assert list(kept["workflow_job_template"]) == [RELEASE, "Database approval and migration"]
    ways = {
        f"{name}: {node['identifier']}": {
            way: node[f"{way}_nodes"] for way in ("success", "always", "failure") if node.get(f"{way}_nodes")
        }
        for name, nodes in workflows(kept).items()
        for node in nodes.values()
    }
    second = "Database approval and migration"
    assert ways == {
        f"{RELEASE}: plan": {"success": ["release"]},
        f"{RELEASE}: release": {},
        f"{second}: approval": {"success": ["migrate"]},
        f"{second}: migrate": {"success": ["status"], "failure": ["after"]},
        f"{second}: status": {},
        f"{second}: after": {},
    }
    nodes = {name: node for each in workflows(kept).values() for name, node in each.items()}
    assert nodes["release"]["unified_job_template"] == second
    assert nodes["approval"]["approval_node"]["timeout"] == 86400
    runs = {
        name: kept["job_template"][nodes[name]["unified_job_template"]]
        for name in ("plan", "migrate", "status", "after")
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


def test_who_is_told_what(kept: Things) -> None:
    """Each thing once: what was done, what has failed and why, and what there is to approve."""
    occasions = ("success", "error", "approvals")
    templates = {**kept["job_template"], **kept["workflow_job_template"]}
    told = {
        name: [each for each in occasions if template.get(f"notification_templates_{each}")]
        for name, template in templates.items()
    }
    assert told == {
        "Database status": ["error"],
        # The job before it has said what failed.
        "Database status after a failure": [],
        # The request for approval has the plan.
        "Database plan": ["error"],
        "Database migrate": ["success", "error"],
        "Database rollback": ["success", "error"],
        "Database resume": ["success", "error"],
        "Database force": ["success", "error"],
        "Database baseline": ["success", "error"],
        "Database runners": ["error"],
        "Infrastructure survey": ["error"],
        RELEASE: ["error"],
        "Database approval and migration": ["approvals"],
    }


def test_only_the_survey_becomes_root(kept: Things) -> None:
    """What the others do is the inventory's and the runner's account's matter, as before."""
    templates = kept["job_template"]
    assert [name for name, each in templates.items() if "become_enabled" in each] == ["Infrastructure survey"]
    assert templates["Infrastructure survey"]["become_enabled"] is True


def test_a_plan_is_one_job(tmp_path: Path) -> None:
    """Of jobs that are slices AWX hands on what the last one says, and no approval would have the whole plan."""
    environment = {**make_collection(tmp_path), **SECRETS, "AWS_ACCESS_KEY_ID": "AKIA"}
    changes(tmp_path, "-e", "awx_slices=3", **environment)
    templates = json.loads((tmp_path / "things.json").read_text())["job_template"]
    assert templates["Database migrate"]["job_slice_count"] == 3
    assert templates["Database migrate"]["extra_vars"] == {"migrate_sliced": True}
    assert templates["Database plan"]["job_slice_count"] == 1
    assert templates["Database plan"]["extra_vars"] == {}


def ended(kept: Things, *failing: str, workflow: str = RELEASE) -> tuple[str, list[str]]:
    """Return how a workflow ends, by AWX's rules, and which nodes run.

    A node runs once one that leads to it has ended so. A workflow has failed if a node has that nothing follows in
    that case (AWX, awx/main/scheduler/dag_workflow.py). That the status after a failure fails is its job's word.
    """
    nodes = workflows(kept)[workflow]
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
        runs = nodes[name].get("unified_job_template", "")
        if runs in workflows(kept):
            state, more = ended(kept, *failing, workflow=runs)
            ran, fails = [*ran, *more], state == "failed"
        else:
            extra = kept["job_template"].get(runs, {}).get("extra_vars") or {}
            fails = name in failing or "always" in extra.get("migrate_status_fail", [])
        ways = ("failure_nodes" if fails else "success_nodes", "always_nodes")
        following = [follower for way in ways for follower in nodes[name].get(way, [])]
        failed = failed or (fails and not following)
        waiting += following
    return ("failed" if failed else "successful"), ran


@pytest.mark.parametrize(
    ("failing", "state", "ran"),
    [
        ((), "successful", ["plan", "release", "approval", "migrate", "status"]),
        (("plan",), "failed", ["plan"]),
        # Denied, or not answered in time.
        (("approval",), "failed", ["plan", "release", "approval"]),
        (("migrate",), "failed", ["plan", "release", "approval", "migrate", "after"]),
        (("status",), "failed", ["plan", "release", "approval", "migrate", "status"]),
    ],
)
def test_a_workflow_ends_as_its_nodes_do(kept: Things, failing: tuple[str, ...], state: str, ran: list[str]) -> None:
    assert ended(kept, *failing) == (state, ran)


def test_what_awx_renders_arrives_as_it_was_written(kept: Things) -> None:
    types = literally(CHECKOUT / "awx/credential_types.yml")["awx_credential_types"]
    made = {name: each for name, each in kept["credential_type"].items() if "injectors" in each}
    assert {name: each["injectors"] for name, each in made.items()} == {
        each["name"]: each["injectors"] for each in types
    }
    assert [each["messages"] for each in kept["notification_template"].values()] == [
        literally(CHECKOUT / "awx/settings.yml")["awx_notification"]["messages"]
    ]
    templates = literally(CHECKOUT / "awx/templates.yml")
    surveys = {each["name"]: each["survey"] for each in [*templates["awx_job_templates"], *templates["awx_workflows"]]}
    for name, template in {**kept["job_template"], **kept["workflow_job_template"]}.items():
        assert template["survey_spec"] == {"name": "", "description": "", "spec": surveys[name]}


def test_secrets_come_from_the_environment(kept: Things) -> None:
    inputs = {name: each["inputs"] for name, each in kept["credential"].items() if "inputs" in each}
    assert inputs["Deploy key"]["private_key"] == SECRETS["DEPLOY_KEY"]
    assert inputs["Secrets"]["secret_key"] == SECRETS["AWS_SECRET_ACCESS_KEY"]
    assert inputs["Runners"]["ssh_key_data"] == SECRETS["RUNNER_PRIVATE_KEY"]
    assert {each["update_secrets"] for each in kept["credential"].values() if "inputs" in each} == {False}


# Calls AWX's API: a method, a path, and what is sent.
Api = Callable[..., Any]
WAYS_TO_END = ("successful", "failed", "error", "canceled")


def real_api(host: str, token: str) -> Api:
    def call(method: str, path: str, **data: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(data).encode() if method == "POST" else None
        request = urllib.request.Request(urljoin(host, path), body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    return call


def launch(api: Api, kind: str, name: str, **answers: str) -> str:
    """Launch a template, and return the path of the job that comes of it."""
    [template] = api("GET", f"/api/v2/{kind}/?name={quote(name)}")["results"]
    path: str = api("POST", f"/api/v2/{kind}/{template['id']}/launch/", extra_vars=answers)["url"]
    return path


def wait(look: Callable[[], Any], seconds: float = 600, pause: float = 2) -> Any:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(pause)
    return found


def end(api: Api, path: str) -> Any:
    """Wait for a job's end, and return what AWX says about it."""
    return wait(lambda: (job := api("GET", path))["status"] in WAYS_TO_END and job)


def jobs_of(api: Api, path: str) -> dict[str, Any]:
    """Return the jobs of a workflow's job and of the workflows in it, by their templates' names."""
    found = {}
    for node in api("GET", f"{path}workflow_nodes/?page_size=200")["results"]:
        if node["related"].get("job"):
            job = api("GET", node["related"]["job"])
            found[job["name"]] = job
            found.update(jobs_of(api, job["url"]) if job["type"] == "workflow_job" else {})
    return found


def release(api: Api, answer: str, **answers: str) -> tuple[str, dict[str, Any]]:
    """Launch a release, approve or deny it, and return how it ended and its jobs."""
    path = launch(api, "workflow_job_templates", RELEASE, **answers)

    def asked() -> Any:
        assert api("GET", path)["status"] not in WAYS_TO_END
        jobs = jobs_of(api, path).values()
        return [job for job in jobs if job["type"] == "workflow_approval" and job["status"] == "pending"]

    [approval] = wait(asked)
    api("POST", f"{approval['url']}{answer}/")
    state: str = end(api, path)["status"]
    return state, jobs_of(api, path)


def check_releases(api: Api) -> None:
    """Deny one and approve one; what was approved is what ran."""
    state, jobs = release(api, "deny")
    assert (state, "Database migrate" in jobs) == ("failed", False)
    state, jobs = release(api, "approve")
    assert state == "successful"
    assert {jobs[name]["status"] for name in ("Database plan", "Database migrate", "Database status")} == {"successful"}
    assert "Database status after a failure" not in jobs
    planned, done = jobs["Database plan"]["artifacts"], jobs["Database migrate"]["artifacts"]
    assert {host: plan["commit"] for host, plan in planned["database_plans"].items()} == {
        host: entry["commit"] for host, entry in done["database_migrations"].items()
    }
    # Where the approval's message finds the plan.
    variables = json.loads(jobs["Database approval and migration"]["extra_vars"])
    assert variables["database_report"] == planned["database_report"]


class FakeAwx:
    """Answers as AWX does to what check_releases asks, as no AWX is available here."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, list[str]] = {}

    def add(self, kind: str, name: str, within: str = "", status: str = "successful", **more: Any) -> str:
        path = f"/api/v2/{kind}s/{len(self.jobs) + 1}/"
        self.jobs[path] = {"url": path, "name": name, "type": kind, "status": status, **more}
        self.nodes.setdefault(within, []).append(path)
        return path

    def __call__(self, method: str, path: str, **data: Any) -> Any:
        if "?name=" in path:
            return {"results": [{"id": 3}]}
        if path.endswith("/launch/"):
            self.outer = self.add("workflow_job", RELEASE, status="running")
            return {"url": self.outer}
        if "workflow_nodes" in path:
            within = path.partition("workflow_nodes")[0]
            nodes = [{"related": {"job": job}} for job in self.nodes.get(within, [])]
            if within == self.outer and not nodes:
                self.plan()
            # A node that has not run has no job.
            return {"results": [*nodes, {"related": {}}]}
        if method == "POST":
            self.answer(path)
            return None
        return self.jobs[path]

    def plan(self) -> None:
        artifacts = {"database_report": "shop: …\n", "database_plans": {"shop": {"commit": "c", "plan": "d"}}}
        self.add("job", "Database plan", self.outer, artifacts=artifacts)
        inner = self.add(
            "workflow_job",
            "Database approval and migration",
            self.outer,
            "running",
            extra_vars=json.dumps(artifacts),
        )
        self.inner = inner
        self.add("workflow_approval", "Migrate the databases?", inner, "pending")

    def answer(self, path: str) -> None:
        approval, _slash, word = path.rstrip("/").rpartition("/")
        state = "successful" if word == "approve" else "failed"
        assert self.jobs[f"{approval}/"]["type"] == "workflow_approval"
        for each in (f"{approval}/", self.inner, self.outer):
            self.jobs[each]["status"] = state
        if state == "successful":
            artifacts = {"database_migrations": {"shop": {"commit": "c"}}}
            self.add("job", "Database migrate", self.inner, artifacts=artifacts)
            self.add("job", "Database status", self.inner)


def test_the_check_of_a_real_awx(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs on a real one rarely."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    check_releases(FakeAwx())


def test_on_a_real_awx(tmp_path: Path) -> None:
    """It needs TEST_CONTROLLER_OAUTH_TOKEN, the collection awx.awx, and awx/settings.yml that fits that AWX.

    Whatever this AWX can reach is migrated: it must be one for tests, and its inventory must have databases.
    """
    if "TEST_CONTROLLER_HOST" not in os.environ:
        raise NotOnThisSystem("TEST_CONTROLLER_HOST names no AWX to run it on.")
    host, token = os.environ["TEST_CONTROLLER_HOST"], os.environ["TEST_CONTROLLER_OAUTH_TOKEN"]
    found = {name: os.environ[name] for name in ("ANSIBLE_COLLECTIONS_PATH",) if name in os.environ}
    environment = {**found, "CONTROLLER_HOST": host, "CONTROLLER_OAUTH_TOKEN": token}
    changes(tmp_path, **environment)
    assert changes(tmp_path, **environment) == 0
    api = real_api(host, token)
    for name, answers in (("Database status", {}), ("Database migrate", {"migrate_dry_run": "yes"})):
        assert end(api, launch(api, "job_templates", name, **answers))["status"] == "successful"
    check_releases(api)
