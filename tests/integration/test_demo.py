# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo on a new machine, and what an interrupted demo leaves: nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import CHECKOUT, debian_root
from parts.process import INTERRUPTIBLE

# Runs in the new machine, as its first process: twice the demo, and after each what it has left.
INSIDE = """
import json, os, pathlib, subprocess, time

def processes():
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        if folder.name != "1" and state != "Z":
            found.append((folder / "cmdline").read_text().replace(chr(0), " "))
    return found

def files():
    found = []
    for folder, names, others in os.walk("/"):
        if folder == "/":
            names[:] = set(names) - {"proc", "sys", "dev"}
        found += [os.path.join(folder, name) for name in others]
    return set(found)

report = []
for number in (1, 2):
    before, start = files(), time.time()
    with open(f"/report/{number}.log", "w") as log:
        code = subprocess.call(["make", "demo"], stdout=log, stderr=log)
    report.append({"code": code, "seconds": time.time() - start, "processes": processes(),
                   "files": sorted(files() - before)})
status = ["git", "status", "--porcelain", "--ignored"]
report.append(subprocess.run(status, stdout=subprocess.PIPE, text=True).stdout.split("\\n"))
pathlib.Path("/report/report.json").write_text(json.dumps(report))
"""
# What a person expects to stay: the environment, packages of the system, and what was downloaded for them.
EXPECTED = re.compile(
    r"/report/|/root/migrations/\.venv/|/root/\.cache/pip/|/(usr|etc)/|/var/(lib|cache|log)/(?!mysql/)|/run/adduser$"
)


def marked(marker: str) -> list[str]:
    """Return the command line of each process that has the marker in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(ending: signal.Signals) -> None:
    marker = uuid.uuid4().hex
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests"), "MARKER": marker, "PYTHONUNBUFFERED": "1"}
    # As a shell starts it in the foreground: in a process group of its own, to which Ctrl-C goes.
    with subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-m", "parts.demo"],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as demo:
        folders = set(interrupt(demo, ending))
        rest = demo.stdout.read() if demo.stdout else ""
    assert demo.returncode == 128 + ending, rest
    # Of the demo, that is: an Ansible that is terminated while it forks has one of its own.
    assert "parts/demo.py" not in rest
    end = time.monotonic() + 10
    while marked(marker) and time.monotonic() < end:
        time.sleep(0.1)
    assert marked(marker) == []
    assert folders
    assert not any(Path(folder).exists() for folder in folders)


def interrupt(demo: subprocess.Popen[str], ending: signal.Signals) -> Iterator[str]:
    """Send the signal while a playbook works; yield the private folders that the demo has named until then."""
    assert demo.stdout is not None
    for line in demo.stdout:
        yield from re.findall(r"/tmp/dbops-demo-\w+-\w+", line)
        if "TASK [" in line:
            break
    if ending == signal.SIGINT:
        os.killpg(demo.pid, ending)
    else:
        demo.send_signal(ending)


@pytest.mark.demo
def test_two_demos_on_a_new_machine_leave_nothing(tmp_path: Path) -> None:
    debian_root.create(tmp_path)
    clone = tmp_path / "root/migrations"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{CHECKOUT}", clone], check=True)
    (tmp_path / "report").mkdir()
    code = debian_root.run(tmp_path, ["python3", "-c", INSIDE], "/root/migrations")
    logs = [tmp_path / f"report/{number}.log" for number in (1, 2)]
    tails = "\n".join(log.read_text()[-3000:] for log in logs if log.exists())
    assert code == 0, tails
    *runs, status = json.loads((tmp_path / "report/report.json").read_text())
    print("Seconds of the two demos:", [round(run["seconds"]) for run in runs])
    for run, log in zip(runs, logs, strict=True):
        assert run["code"] == 0, tails
        assert run["processes"] == []
        assert [name for name in run["files"] if not EXPECTED.match(name)] == []
        recaps = re.findall(r"PLAY RECAP \*+\n((?:\S+ +:.*\n)+)", log.read_text())
        # prepare, status, migrate, status, migrate again, ...
        assert re.findall(r"(\w+) +: .*changed=(\d+)", recaps[4]) == [("billing", "0"), ("shop", "0")]
    # Everything has been downloaded by then.
    assert runs[1]["seconds"] < 120
    assert [line for line in status if line] == ["!! .venv/"]
