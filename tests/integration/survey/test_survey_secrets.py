# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in the command lines of real processes: a survey leaves them nowhere, even where Ansible says all it can."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.roles.watch import Watch
from parts.ansible import PROGRAMS
from parts.cores import CORES, programs
from unit.survey.test_survey_redaction import SHAPES

if TYPE_CHECKING:
    from conftest import RunPlaybook

# A program that takes any arguments, and waits as long as nobody reads what it writes.
ECHO = "/bin/echo"


@contextlib.contextmanager
def running(folder: Path, canary: str) -> Iterator[list[str]]:
    """Run a process for each shape that secrets have, and give the programs' names; one more has it in its environment.

    Each is a program of its own, as of those that run the same one, one line is shown.
    """
    reader, writer = os.pipe()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    fcntl.fcntl(writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\0")
    fcntl.fcntl(writer, fcntl.F_SETFL, flags)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        stack.callback(os.close, writer)
        names = [f"canary{number:02}" for number in range(len(SHAPES) + 1)]
        for name, shape in zip(names, [*SHAPES, ["environment"]]):
            program = shutil.copy(ECHO, folder / name)
            arguments = [part.format(canary) for part in shape]
            environment = {"TOKEN": canary} if shape == ["environment"] else {}
            process = subprocess.Popen(arguments, executable=program, stdout=writer, env=environment)
            stack.enter_context(process)
            stack.callback(process.kill)
        yield names


def look(playbook: RunPlaybook, folder: Path, path: Path) -> None:
    canary = f"CANARY{uuid.uuid4().hex[:12].upper()}"
    (folder / "programs").mkdir()
    survey = folder / "survey"
    seen = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    seen["ansible_remote_tmp"] = str(folder / "remote")
    variables = {"survey_duration": 1, "survey_dir": str(survey)}
    with (
        running(folder / "programs", canary) as names,
        Watch([canary], [folder], [], [folder / "remote"]) as watch,
    ):
        inventory = {"all": {"hosts": {"seen": seen}}}
        result = playbook("dbops.migrations.survey", inventory, "-vvvv", extra_vars=variables, programs=path)
        watch.output += (result.stdout + result.stderr).encode()
    assert result.rc == 0, result.stdout[-3000:]
    places = watch.places()
    # They were there.
    assert len(places.pop("processes")) > len(SHAPES)
    assert places == {}
    assert watch.searched > 0
    # And they were seen.
    commands = {one["name"]: one["command"] for one in result.result("seen", "Survey the host")["survey"]["services"]}
    assert [name for name in names if name not in commands] == []
    assert [name for name in names[:-1] if "********" not in commands[name]] == []
    assert b"canary00" in watch.output


def test_no_secret_of_a_command_line_is_left_anywhere(playbook: RunPlaybook, tmp_path: Path) -> None:
    look(playbook, tmp_path, PROGRAMS)


@pytest.mark.canary
@pytest.mark.parametrize("core", CORES)
def test_no_secret_is_left_by_any_core(playbook: RunPlaybook, tmp_path: Path, core: str) -> None:
    look(playbook, tmp_path, programs(core))
