# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo of the survey: it takes less than two minutes, and leaves nothing but the report, however it ends.

Every ansible-core runs it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from parts import CHECKOUT, NotOnThisSystem
from parts.cores import CORES, programs
from parts.demo_survey import hosts, show

pytestmark = pytest.mark.survey

# Runs a command, passes SIGTERM on, and says what is left when it has ended: those whose parent has gone become its
# own children (PR_SET_CHILD_SUBREAPER), and what is written to /tmp goes to a folder of its own.
AROUND = """
import ctypes, os, pathlib, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
command = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: command.send_signal(signal.SIGTERM))
code = command.wait()
end = time.monotonic() + 10
try:
    while time.monotonic() < end:
        if os.waitpid(-1, os.WNOHANG) == (0, 0):
            time.sleep(0.05)
    print("LEFT", pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text())
except ChildProcessError:
    print("LEFT", *(name for name in os.listdir("/mnt/upper") if name.startswith("dbops-")))
sys.exit(code)
"""
MOUNTS = """
mount -t tmpfs tmpfs /mnt
mkdir -m 1777 /mnt/upper /mnt/work
mount -t overlay -o lowerdir=/tmp,upperdir=/mnt/upper,workdir=/mnt/work overlay /tmp
# Its present folder would still be the one below.
cd "$PWD"
exec "$@"
"""


@pytest.mark.parametrize(("interrupted", "code"), [(False, 0), (True, 128 + signal.SIGTERM)])
def test_the_demo_leaves_nothing(interrupted: bool, code: int) -> None:
    if os.geteuid():
        raise NotOnThisSystem("Only root can make hosts of network namespaces.")
    began = time.monotonic()
    command = [sys.executable, "-c", AROUND, sys.executable, "-m", "parts.demo_survey"]
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", MOUNTS, "sh", *command],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "tests"), "PYTHONUNBUFFERED": "1"},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout
        said = ""
        for line in demo.stdout:
            said += line
            if interrupted and "TASK [" in line:
                demo.send_signal(signal.SIGTERM)
                interrupted = False
    assert demo.returncode == code, said
    assert said.endswith("LEFT\n"), said
    assert time.monotonic() - began < 120


def test_every_core_runs_the_demo() -> None:
    """show() fails if anything is missing from a report."""
    with hosts() as stage:
        for core in CORES:
            show(replace(stage, programs=programs(core)))
