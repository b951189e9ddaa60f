# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX's part, without AWX: a project's update, a job's private data directory, and ansible-runner's run of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import TOLD_LATER
from integration.roles.support import lines_of, reasons_in
from jinja2.sandbox import ImmutableSandboxedEnvironment
from parts import CHECKOUT
from parts.ansible import PROGRAMS, ansible_runner

# What AWX's own settings put into a job's environment.
JOB_ENVIRONMENT = {
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "MAX_EVENT_RES": "700000",
}
TEMPLATES = {
    template["name"]: template
    for template in yaml.safe_load((CHECKOUT / "awx/templates.yml").read_text())["awx_job_templates"]
}
# A line that begins a play, or brings in a playbook; and one that an inventory may begin with.
_PLAY = re.compile(r"\s*-?\s*(hosts|(ansible\.builtin\.)?(import_playbook|include)):")
_HOST = re.compile(r"[\w.=\[\]]", re.ASCII)


class _Unsafe(yaml.SafeDumper):
    """Tags every text, keys included, so that Ansible takes none for a template."""

    def represent_data(self, data: Any) -> yaml.Node:
        if isinstance(data, str):
            return self.represent_scalar("!unsafe", data)
        return super().represent_data(data)


class _Literal(yaml.SafeLoader):
    """Takes ``!unsafe`` for what it is: a text."""


_Literal.add_constructor("!unsafe", lambda _loader, node: node.value)


def names_in_git() -> list[str]:
    """Return the files of this checkout that git has, or would have."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in filter(None, names) if (CHECKOUT / name).exists())


def literally(path: Path) -> Any:
    """Read a YAML file of Ansible's without rendering anything."""
    return yaml.load(path.read_text(), _Literal)


def _passed_over(project: Path, path: Path) -> bool:
    """Tell whether AWX looks into the folder of a file at all."""
    folders = path.relative_to(project).parts[:-1]
    own = {"roles", "tasks", "group_vars", "host_vars"}
    return bool(own & set(folders)) or any(part.startswith(".") for part in folders)


def selectable(project: Path, path: Path) -> bool:
    """Tell whether AWX offers a file of a project as a playbook: by its folder, its ending, and a line in it.

    The rules are those of awx/main/utils/ansible.py, could_be_playbook.
    """
    if path.suffix not in (".yml", ".yaml") or _passed_over(project, path):
        return False
    lines = path.read_text(errors="ignore").splitlines()
    return "".join(lines[:1]).startswith("$ANSIBLE_VAULT;") or any(map(_PLAY.match, lines))


def listed(project: Path, path: Path) -> bool:
    """Tell whether AWX offers a file of a project as an inventory; folders it offers none.

    The rules are those of could_be_inventory in the same file: by the name, or by how the first lines begin.
    """
    if _passed_over(project, path):
        return False
    if path.name in ("hosts", "inventory") or path.suffix == ".ini" or os.access(path, os.X_OK):
        return True
    return not path.suffix and any(map(_HOST.match, path.read_text(errors="ignore").splitlines()[:11]))


def injected(credential_type: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, str]:
    """Return the extra variables that AWX makes of a credential; a field without an input becomes empty."""
    given = {name: value for name, value in inputs.items() if value}
    for each in credential_type["inputs"]["fields"]:
        if each.get("format") == "ssh_private_key" and each["id"] in given:
            given[each["id"]] = given[each["id"]].rstrip("\n") + "\n"
    environment = ImmutableSandboxedEnvironment()
    return {
        name: environment.from_string(template).render(**given)
        for name, template in credential_type["injectors"]["extra_vars"].items()
    }


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without anybody's settings for Ansible."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWX_"))}
    return {**own, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", **more}


def run_program(name: str, *arguments: str | Path, folder: Path, env: Mapping[str, str]) -> str:
    """Run a program of Ansible's in a folder and return what it printed."""
    done = subprocess.run(
        [PROGRAMS / name, *arguments],
        cwd=folder,
        env=clean_environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Project:
    """A project as AWX's update leaves it: the files of the repository, and beside them what they require."""

    folder: Path
    collections: Path

    @classmethod
    def update(cls, folder: Path, stage: Path) -> Project:
        """Install what a project requires, with the command, folder and environment of AWX's own playbook."""
        paths = str(stage / "requirements_collections")
        settings = {
            # AWX of 2024 sets the first, which ansible-core reads up to 2.18; a later AWX sets the second.
            "ANSIBLE_COLLECTIONS_PATHS": paths,
            "ANSIBLE_COLLECTIONS_PATH": paths,
            "ANSIBLE_ROLES_PATH": str(stage / "requirements_roles"),
            "ANSIBLE_LOCAL_TEMP": str(stage / "tmp"),
            "ANSIBLE_FORCE_COLOR": "false",
            # The Galaxy credential of the organization; nothing answers there.
            "ANSIBLE_GALAXY_SERVER_LIST": "server0",
            "ANSIBLE_GALAXY_SERVER_SERVER0_URL": "http://127.0.0.1:9/",
            "HOME": str(stage),
        }
        stage.mkdir(parents=True)
        requirements = folder / "collections" / "requirements.yml"
        command = ["collection", "install", "-r", str(requirements)]
        printed = run_program("ansible-galaxy", *command, folder=folder, env=settings)
        assert "was installed successfully" in printed
        return cls(folder, stage / "requirements_collections")


@dataclass
class Outcome:
    """What AWX learns of a job from ansible-runner.

    :param printed: the whole of what Ansible printed.
    """

    rc: int
    status: str
    printed: str
    events: list[dict[str, Any]]
    folder: Path

    @property
    def artifacts(self) -> Any:
        """What set_stats handed on, read where AWX reads it; None if nothing was."""
        found = [event.get("event_data", {}).get("artifact_data") for event in self.events]
        return next((data for data in found if data), None)

    @property
    def stats(self) -> dict[str, dict[str, int]]:
        """The recap, for each host the numbers that are not 0."""
        data = next(event["event_data"] for event in self.events if event["event"] == "playbook_on_stats")
        hosts: dict[str, dict[str, int]] = {host: {} for host in data["processed"]}
        for what in ("ok", "changed", "failures", "rescued", "dark", "ignored"):
            for host, count in data[what].items():
                hosts[host][what] = count
        return hosts

    def results(self, host: str, kind: str = "runner_on_ok") -> list[dict[str, Any]]:
        """Return the results of a host's tasks, in order."""
        chosen = [event["event_data"] for event in self.events if event["event"] == kind]
        return [data["res"] for data in chosen if data["host"] == host]

    def last_message(self, host: str) -> Any:
        """Return what the last task that did not fail said about a host."""
        chosen = [event["event_data"] for event in self.events if event["event"] == "runner_on_ok"]
        last = [data["res"]["msg"] for data in chosen if data["task"] == chosen[-1]["task"]]
        return lines_of(last, host) or self.results(host)[-1]["msg"]

    def failure(self, host: str) -> str:
        """Return the message of the last task that failed for a host, or what the report says about it."""
        message: str = self.results(host, "runner_on_failed")[-1]["msg"]
        if message != TOLD_LATER:
            return message
        [report] = [
            event["event_data"]["res"]["msg"]
            for event in self.events
            if event["event"] == "runner_on_ok" and event["event_data"]["task"] == "Report the result"
        ]
        return reasons_in(report)[host]


@dataclass
class Job:
    """A job of AWX's, and the directory that AWX makes for it.

    :param template: the name of a job template in awx/templates.yml.
    :param inventory: as a script of Ansible's prints it.
    :param answers: to the survey; a question that is not answered gets its default.
    :param extra: further variables, as a job template or an earlier job of the workflow gives them.
    :param credentials: for each credential the extra variables that it injects.
    :param environment: what AWX's own types of credentials put there.
    """

    project: Project
    folder: Path
    template: str
    inventory: Mapping[str, Any]
    answers: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    credentials: Sequence[Mapping[str, str]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    ssh_key: str = ""
    number: int = 17
    playbook: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Write the directory and start ansible-runner on it."""
        self._write()
        playbook = self.playbook or TEMPLATES[self.template]["playbook"]
        command = ["run", self.folder, "--ident", str(self.number), "--playbook", playbook]
        self.process = subprocess.Popen(
            [ansible_runner(), *command, "--inventory", self.folder / "inventory" / "hosts"],
            env=clean_environment(HOME=str(self.folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def stop(self) -> None:
        """End a run that is still running; ansible-runner then ends what it has started."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.communicate(timeout=60)

    def end(self) -> Outcome:
        """Wait for the run and read what it left."""
        assert self.process is not None
        printed = self.process.communicate(timeout=120)[0]
        artifacts = self.folder / "artifacts" / str(self.number)
        assert (artifacts / "rc").exists(), printed
        files = [path for path in (artifacts / "job_events").glob("*.json") if "partial" not in path.name]
        events = sorted((json.loads(path.read_text()) for path in files), key=lambda event: int(event["counter"]))
        # AWX lets the runner print nothing; here the events' own text is what a person sees.
        text = "\n".join(event["stdout"] for event in events)
        outcome = Outcome(self.process.returncode, (artifacts / "status").read_text(), text, events, artifacts)
        assert str(outcome.rc) == (artifacts / "rc").read_text()
        return outcome

    def run(self) -> Outcome:
        """Run the job."""
        self.start()
        return self.end()

    def _write(self) -> None:
        for name in ("env", "inventory", "cp"):
            (self.folder / name).mkdir(mode=0o700, parents=True)
        (self.folder / "project").symlink_to(self.project.folder)
        (self.folder / "requirements_collections").symlink_to(self.project.collections)
        template = TEMPLATES[self.template]
        options = ["--check"] if template["job_type"] == "check" else []
        options += ["-u", "deploy", *(["--diff"] if template["diff_mode"] else []), "--forks=20", *self.options]
        for credential in self.credentials:
            path = self._file(f"tmp{uuid.uuid4().hex[:8]}", _tagged(credential), 0o400)
            options += ["-e", f"@{path}"]
        answers = {question["variable"]: question["default"] for question in template["survey"]}
        given = {**self.extra, **answers, **self.answers, **self._about_the_job()}
        self._file("extravars", _tagged(given), 0o600)
        self._file("cmdline", " ".join(options), 0o600)
        self._file("settings", json.dumps({"suppress_ansible_output": True, "suppress_output_file": True}), 0o600)
        collections = [self.folder / "requirements_collections", "~/.ansible/collections"]
        environment = {
            **JOB_ENVIRONMENT,
            **self.environment,
            "JOB_ID": str(self.number),
            "AWX_PRIVATE_DATA_DIR": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, collections)),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
        }
        self._file("envvars", json.dumps(environment), 0o600)
        if self.ssh_key:
            self._file("ssh_key", self.ssh_key, 0o600)
        script = f"#! /usr/bin/env python3\nprint({json.dumps(self.inventory)!r})\n"
        self._file("hosts", script, 0o700, "inventory")

    def _about_the_job(self) -> dict[str, Any]:
        facts = {
            "job_id": self.number,
            "job_launch_type": "manual",
            "job_template_name": self.template,
            "project_revision": "0" * 40,
            "user_id": 4,
            "user_name": "alice",
            "inventory_name": "Databases",
        }
        return {f"{prefix}_{name}": value for name, value in facts.items() for prefix in ("awx", "tower")}

    def _file(self, name: str, text: str, mode: int, folder: str = "env") -> Path:
        path = self.folder / folder / name
        path.write_text(text)
        path.chmod(mode)
        return path


MakeJob = Callable[..., Job]


def _tagged(variables: Mapping[str, Any]) -> str:
    return "".join(
        yaml.dump({name: value}, Dumper=_Unsafe, default_flow_style=False) for name, value in variables.items()
    )
