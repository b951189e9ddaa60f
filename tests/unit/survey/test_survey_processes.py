# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, against real ones that the test starts."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.processes import (
    Process,
    pids,
    process,
    socket_inodes,
)

_WAIT = "print(input(), flush=True); input()"


@contextmanager
def _started(*command: str, executable: str | Path | None = None) -> Iterator[int]:
    """Start what prints the line that it is given, and stays until it is given another."""
    with subprocess.Popen(command, executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        yield child.pid
        child.communicate(b"\n")


def _seen(pid: int) -> Process:
    found = process(pid)
    assert found
    return found


def test_a_script_is_named_and_its_secrets_are_not(tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(_WAIT)
    with _started(sys.executable, str(script), "--password", "canary\x1b[31m") as pid:
        assert pid in pids()
        found = _seen(pid)
    assert found.name == "shop"
    assert found.program == Path(os.path.realpath(sys.executable)).name
    assert found.executable == os.path.realpath(sys.executable)
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert found.command.endswith("shop.py --password ********")
    assert found.memory_bytes > 1_000_000
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert uptime - 60 < found.started <= uptime


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/usr/bin/redis-server", "redis-server"),
        # What it has put in the place of its command line.
        ("redis-server *:6379", "redis-server"),
        ("something else", "cat"),
        ("(redis-server)", "cat"),
        (" ", "cat"),
    ],
)
def test_a_link_is_named_as_it_was_called(tmp_path: Path, line: str, name: str) -> None:
    program = os.path.realpath(shutil.which("cat") or "")
    (tmp_path / "redis-server").symlink_to(program)
    with _started(line, executable=tmp_path / "redis-server") as pid:
        found = _seen(pid)
    assert (found.name, found.program, found.executable) == (name, Path(program).name, program)


_LINE = 'read line; echo "$line"; read line # mysql -pcanary'


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-c", _LINE], None),
        (["-ec", _LINE], None),
        (["-e", "-o", "errexit", "-c", _LINE, "shop"], None),
        (["{folder}/shop.sh", "canary"], "shop"),
        (["-eu", "{folder}/shop.sh"], "shop"),
        (["{folder}/the shop=canary"], None),
    ],
)
def test_a_command_line_is_not_a_name(tmp_path: Path, options: list[str], name: str | None) -> None:
    """It would hold secrets."""
    for script in ("shop.sh", "the shop=canary"):
        (tmp_path / script).write_text(_LINE)
    with _started("sh", *(option.format(folder=tmp_path) for option in options)) as pid:
        found = _seen(pid)
    assert found.name == (name or found.program)


def test_a_title_with_control_characters_is_harmless() -> None:
    with _started(sys.executable, "-c", _WAIT, "\x1b]0;title\x07\n") as pid:
        assert _seen(pid).command.endswith(" ?]0;title??")


def test_a_process_that_is_gone_is_none() -> None:
    with _started(sys.executable, "-c", _WAIT) as pid:
        pass
    assert process(pid) is None
    assert list(socket_inodes(pid)) == []


def test_a_thread_of_the_kernel_or_what_has_no_program_is_not_a_process() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # It has ended, and nobody has asked how.
        assert process(child.pid) is None


def test_sockets_belong_to_their_process() -> None:
    with socket.socket() as own:
        assert os.fstat(own.fileno()).st_ino in list(socket_inodes(os.getpid()))
