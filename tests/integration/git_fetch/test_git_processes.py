# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch among other processes: several at once, killed ones, and what they leave."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch
from parts import CHECKOUT
from parts.sshd import GitServer, Repository

KEY_LINE = "-----BEGIN OPENSSH PRIVATE KEY-----"
MODULE = "ansible_collections.dbops.migrations.plugins.modules.git_fetch"
# A signal at the worst instant, which cannot be hit from outside: git has just been started.
SIGNALLED = f"""
import runpy, signal, subprocess
real = subprocess.Popen.__init__
def start(self, *arguments, **options):
    real(self, *arguments, **options)
    if options.get("start_new_session"):
        signal.raise_signal(signal.SIGTERM)
subprocess.Popen.__init__ = start
runpy.run_module("{MODULE}", run_name="__main__")
"""
# Killed when all has been fetched.
KILLED = f"""
import os, runpy, signal
from ansible_collections.dbops.migrations.plugins.module_utils._git.tree import ReleaseStore
ReleaseStore.switch = lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL)
runpy.run_module("{MODULE}", run_name="__main__")
"""


def start(
    options: dict[str, Any], temporary: Path, *launcher: str, ignored: Sequence[signal.Signals] = ()
) -> subprocess.Popen[str]:
    """Start the module and return its process; its private directory is made below ``temporary``.

    :param ignored: the signals that it ignores from its start; no others, whatever we ignore ourselves.
    """
    signals = ["env", "--default-signal=TERM,HUP,INT", *(f"--ignore-signal={number.name[3:]}" for number in ignored)]
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [*signals, sys.executable, *(launcher or ("-m", MODULE))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".venv" / "collections")},
        text=True,
    )
    assert process.stdin is not None
    json.dump({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_remote_tmp": str(temporary)}}, process.stdin)
    process.stdin.close()
    process.stdin = None
    return process


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and theirs."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return children + [grandchild for child in children for grandchild in descendants(child)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: Any) -> Any:
    end = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("directories", [["db/migrations"], ["db/migrations", "db/seeds"]], ids=["same", "different"])
def test_eight_at_once(
    fetch: Fetch, ssh: dict[str, Any], repository: Repository, dest: Path, directories: list[str]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(fetch, **ssh, directory=directories[n % len(directories)]) for n in range(8)]
        results = [run.result() for run in runs]
    assert [result["failed"] for result in results] == [False] * 8
    if len(directories) == 1:
        assert sorted(result["changed"] for result in results) == [False] * 7 + [True]
    for result in results:
        assert sorted(os.listdir(result["directory"])) == result["files"]
    assert len(os.listdir(dest / "releases")) == len(directories)


def test_a_reader_never_sees_a_mixture(fetch: Fetch, repository: Repository, dest: Path) -> None:
    """Each commit holds the same number in all of its files."""
    count = 40

    def commit(number: int) -> None:
        repository.commit({f"many/{file:04}_x.up.sql": str(number) for file in range(count)})

    commit(0)
    fetch(directory="many")
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, 4):
            commit(number)
            run = pool.submit(fetch, directory="many")
            while not run.done():
                folder = (dest / "current").resolve()
                contents = [path.read_text() for path in folder.iterdir()]
                assert len(contents) == count
                assert len(set(contents)) == 1
                seen.add(contents[0])
    assert len(seen) > 1


def test_a_lock_that_stays(fetch: Fetch, dest: Path) -> None:
    dest.mkdir()
    with (dest / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        msg = fetch(timeout=1)["msg"]
    assert f"Another run is fetching into {dest}: its lock was not free within 1 seconds." in msg
    assert os.listdir(dest) == [".lock"]
    assert fetch()["files"] == NAMES


def test_check_mode_needs_no_lock(fetch: Fetch, dest: Path) -> None:
    fetch()
    with (dest / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not fetch(check=True)["changed"]
        assert not fetch(timeout=1)["changed"], "neither does a run that finds nothing new"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_ended_by_a_signal(ssh: dict[str, Any], dest: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Nothing is left: neither git and its ssh, nor the private directory."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        options = {**ssh, "repo": f"ssh://git@127.0.0.1:{hanging.getsockname()[1]}/x", "dest": str(dest)}
        process = start(options, tmp_path / "tmp")
        children = wait_for(lambda: (found := descendants(process.pid)) and len(found) > 1 and found)
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        assert json.loads(output)["msg"] == f"Ended by {number.name} before it finished. (DBM-1115)"
        assert errors == ""
        wait_for(lambda: not any(alive(child) for child in children))
    assert list((tmp_path / "tmp").rglob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_before_does_not_change(
    ssh: dict[str, Any], dest: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """As ``nohup`` and what starts a job in the background have it; SIGTERM ends it all the same."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        options = {**ssh, "repo": f"ssh://git@127.0.0.1:{hanging.getsockname()[1]}/x", "dest": str(dest)}
        process = start(options, tmp_path / "tmp", ignored=[number])
        wait_for(lambda: len(descendants(process.pid)) > 1)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert json.loads(output)["msg"] == "Ended by SIGTERM before it finished. (DBM-1115)"
    assert errors == ""
    assert list((tmp_path / "tmp").rglob("*")) == []


def test_ended_when_git_has_just_been_started(ssh: dict[str, Any], dest: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        options = {**ssh, "repo": f"ssh://git@127.0.0.1:{hanging.getsockname()[1]}/x", "dest": str(dest)}
        process = start(options, tmp_path / "tmp", "-c", SIGNALLED)
        output, errors = process.communicate(timeout=20)
    assert json.loads(output)["msg"] == "Ended by SIGTERM before it finished. (DBM-1115)"
    assert errors == ""
    assert list((tmp_path / "tmp").rglob("*")) == []


def residents(folder: Path) -> list[int]:
    """Return the processes that have their working directory below a folder, be it gone or not."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith(str(folder)):
                found.append(int(link.parent.name))
    return found


def test_the_connection_ends_with_the_module(ssh: dict[str, Any], dest: Path, tmp_path: Path) -> None:
    """ssh keeps it open in the background, for the next question."""
    options = {**ssh, "directory": "db/migrations", "dest": str(dest)}
    output, _errors = start(options, tmp_path / "tmp").communicate(timeout=20)
    assert json.loads(output)["files"] == NAMES
    assert residents(tmp_path) == []


def test_the_connection_ends_soon_after_a_killed_module(ssh: dict[str, Any], dest: Path, tmp_path: Path) -> None:
    options = {**ssh, "directory": "db/migrations", "dest": str(dest)}
    process = start(options, tmp_path / "tmp", "-c", KILLED)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert len(residents(tmp_path)) == 1
    wait_for(lambda: residents(tmp_path) == [])


def test_git_and_ssh_end_at_the_time_limit(ssh: dict[str, Any], dest: Path, tmp_path: Path) -> None:
    """The server greets and then says nothing more: ssh itself would wait on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = {**ssh, "repo": f"ssh://git@127.0.0.1:{server.getsockname()[1]}/x", "dest": str(dest), "timeout": 2}
        process = start(options, tmp_path / "tmp")
        connection, _address = server.accept()
        with connection:
            connection.sendall(b"SSH-2.0-Sleepy\r\n")
            children = descendants(process.pid)
            output, errors = process.communicate(timeout=20)
    assert "did not answer within 2 seconds" in json.loads(output)["msg"]
    assert errors == ""
    assert len(children) > 1
    assert not any(alive(child) for child in children)
    assert list((tmp_path / "tmp").rglob("*")) == []


def test_the_key_is_in_no_file_and_no_argument(
    ssh: dict[str, Any], git_server: GitServer, repository: Repository, dest: Path, tmp_path: Path
) -> None:
    """While it runs and after it was killed: the key and its passphrase are only in its memory."""
    passphrase = "open sesame to nobody else"
    secrets = (ssh["private_key"].splitlines()[2], passphrase)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        repo = f"ssh://git@127.0.0.1:{hanging.getsockname()[1]}/x"
        options = {**ssh, "private_key_passphrase": passphrase, "repo": repo, "directory": "db/migrations"}
        process = start({**options, "dest": str(dest)}, tmp_path / "tmp")
        children = wait_for(lambda: (found := descendants(process.pid)) and len(found) > 1 and found)
        for pid in [process.pid, *children]:
            for kind in ("cmdline", "environ"):
                shown = Path(f"/proc/{pid}/{kind}").read_bytes()
                assert not any(secret.encode() in shown for secret in secrets)
        process.kill()
        process.communicate()
        for child in children:
            if alive(child):
                os.kill(child, signal.SIGKILL)
    left = [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
    assert left, "the private directory of a killed run stays, so there is something to look at"
    assert not any(secret in path.read_text(errors="replace") for path in left for secret in secrets)


def test_a_killed_run_does_no_harm() -> None:
    """A share of ``make soak-fetch``."""
    done = subprocess.run(
        [sys.executable, "-m", "programs.soak.fetch", "5"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (CHECKOUT / "tests", CHECKOUT / ".venv/collections"))),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("5 kills (")
    assert last.endswith(": 0 wrong")
    assert done.returncode == 0


def test_what_a_dead_run_left_is_removed(fetch: Fetch, repository: Repository, dest: Path) -> None:
    fetch()
    half = dest / "releases" / ".tmp-dead"
    half.mkdir()
    (half / "0001_a.up.sql").write_text("SELE")
    (dest / "releases" / ".tmp-current").symlink_to("nowhere")
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    fetch()
    assert not [name for name in os.listdir(dest / "releases") if name.startswith(".tmp-")]


def test_an_answer_that_is_out_of_date_is_not_used(
    fetch: Fetch, ssh: dict[str, Any], git_server: GitServer, repository: Repository, dest: Path, tmp_path: Path
) -> None:
    """A run asks the server, then waits for the lock while another one brings a newer commit: it must not go back."""
    first = fetch()
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    with (dest / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start({**ssh, "directory": "db/migrations", "dest": str(dest)}, tmp_path / "tmp")
        # It has asked once it has the lock's file open.
        wait_for(
            lambda: any(os.path.realpath(f) == str(dest / ".lock") for f in Path(f"/proc/{process.pid}/fd").iterdir())
        )
        newest = repository.commit({"db/migrations/0003_c.up.sql": "SELECT 1;\n"})
        newer = fetch(dest=str(tmp_path / "other"))
        for folder in ("releases", ".contents"):
            name = Path(folder, os.path.basename(newer["directory"]))
            os.rename(tmp_path / "other" / name, dest / name)
        os.unlink(dest / "current")
        os.symlink(f"releases/{os.path.basename(newer['directory'])}", dest / "current")
    result = json.loads(process.communicate(timeout=30)[0])
    assert result["commit"] == newest
    assert not result["changed"]
    assert first["commit"] not in (dest / "current").resolve().name
