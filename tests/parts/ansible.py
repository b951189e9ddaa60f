# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running Ansible on this checkout, and reading what each task returned."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import CACHE, CHECKOUT, NotOnThisSystem

# The environment's Ansible is the one meant, whatever else the machine has.
PROGRAMS = Path(sys.executable).parent


def ansible_runner() -> Path:
    """Return ansible-runner, which waits for ever where a system gives it no terminal to run Ansible in."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        raise NotOnThisSystem(f"ansible-runner wants a pseudo-terminal, and none is available: {error}.") from error
    return PROGRAMS / "ansible-runner"


def environment(results: Path, programs: Path = PROGRAMS) -> dict[str, str]:
    """Return the environment for Ansible: tests/ansible.cfg and nobody's own settings.

    :param results: an existing file, to which each task's result is appended.
    :param programs: the folder of Ansible's programs, for another version than the environment's.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **own,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(CHECKOUT / "tests" / "ansible.cfg"),
        "TASK_RESULTS": str(results),
    }


def kept_modules() -> dict[str, str]:
    """Return variables with which modules are packed and compiled once: keep_packed.py and sitecustomize.py do it."""
    folder = CACHE / "modules"
    folder.mkdir(parents=True, exist_ok=True)
    return {"PYTHONPATH": str(Path(__file__).with_name("startup")), "DBOPS_MODULES": str(folder)}


@dataclass
class Results:
    """Each task's result, and the recap: for each host the numbers of ok, changed, failures, ..."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    stats: dict[str, dict[str, int]] = field(default_factory=dict)

    def read(self, results: Path) -> None:
        """Take in what Ansible wrote."""
        for line in results.read_text().splitlines():
            event = json.loads(line)
            if "stats" in event:
                self.stats = event["stats"]
            else:
                self.tasks.append(event)

    def result(self, host: str, task: str) -> dict[str, Any]:
        """Return the last result of a task whose name contains ``task`` on a host."""
        found = [event["result"] for event in self.tasks if event["host"] == host and task in event["task"]]
        assert found, f"No task '{task}' ran for {host}: {[(e['host'], e['task']) for e in self.tasks]}"
        result: dict[str, Any] = found[-1]
        return result
