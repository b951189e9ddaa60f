# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real parts: they serve, they say why they do not, and they never outlive the process that started them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from parts import CHECKOUT, NotAvailable, amazon_aws, golang_migrate, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mariadb_versions import MariaDB114
from parts.mysql import MySQL
from parts.process import INTERRUPTIBLE
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

PROGRAM = """
import sys, time
from parts import private_folder
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer
with private_folder("a") as a, private_folder("b") as b, private_folder("c") as c:
    with MariaDB(a) as database, SecretsManager(b) as secrets, GitServer(c) as git:
        print(a, b, c, *(part._process.pid for part in (database, secrets, git)), flush=True)
        time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_process_that_started_it(ending: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
    # Its error output is of no interest: a traceback that says KeyboardInterrupt.
    with subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-c", PROGRAM],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout is not None
        words = program.stdout.readline().split()
        folders, pids = [Path(word) for word in words[:3]], [int(word) for word in words[3:]]
        assert all(alive(pid) for pid in pids)
        program.send_signal(ending)
        program.wait(30)
    end = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in pids)
    if ending == signal.SIGINT:
        assert not any(folder.exists() for folder in folders)
    for folder in folders:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_a_server_that_does_not_start_shows_its_log() -> None:
    with (
        private_folder("broken") as folder,
        pytest.raises(
            RuntimeError, match=r"(?s)MariaDB ended with \d+ before it was ready.*unknown option '--nonsense'"
        ),
    ):
        MariaDB(folder, options=["--nonsense"]).__enter__()


def test_a_database_server_has_a_private_folder(mariadb: MariaDB, schema: str) -> None:
    mariadb.query("CREATE TABLE t (a INT)", schema)
    assert mariadb.query("SHOW TABLES", schema) == [("t",)]
    assert mariadb.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("name", "version"), [("mariadb-10.5", "10.5."), ("mariadb-11.8", "11.8."), ("mysql", "9.")])
def test_unpacked_servers(servers: Any, name: str, version: str) -> None:
    server: DatabaseServer = servers.get(name)
    assert str(server.query("SELECT VERSION()")[0][0]).startswith(version)
    server.create_schema("parts")
    assert server.query("SHOW TABLES", "parts") == []


@pytest.mark.parametrize(("server", "missing"), [(MySQL, "apt-get"), (MariaDB114, "Maven")])
def test_a_server_that_is_not_available_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: type[MySQL | MariaDB114], missing: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailable, match=f"is not available: this machine has no {missing}"):
        server.source.unpack(tmp_path, tmp_path / "log")


def test_golang_migrate_without_go_and_an_index_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(golang_migrate, "find_go", lambda: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NotAvailable, match=r"(?s)Go, which is not here and cannot be downloaded: .*No matching dist"):
        golang_migrate._install(tmp_path)
    assert list(tmp_path.iterdir()) == []


SKIPS = """
import pytest
from parts import NotAvailable, NotOnThisSystem

@pytest.fixture(scope="session")
def part():
    raise NotAvailable("Install the part.")

@pytest.fixture(scope="session")
def other():
    raise NotOnThisSystem("No such system has it.")

def test_missing(part): ...
def test_nowhere(other): ...
def test_nowhere_again(other): ...
def test_nowhere_at_all(): raise NotOnThisSystem("Only root has it.")
def test_left_out(): pytest.skip("no reason at all")
@pytest.mark.skipif(True, reason="it is Monday")
def test_marked(): ...
@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""


def test_only_what_no_such_system_has_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(SKIPS)
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-ra", "-c", "/dev/null"]
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT / 'tests'}:{CHECKOUT / '.venv' / 'collections'}"}
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path], env=environment, text=True, capture_output=True, check=False
    )
    assert "1 failed, 3 skipped, 1 xfailed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert re.search(r"SKIPPED \[\d\] .*: No such system has it\.", done.stdout)
    assert re.search(r"SKIPPED \[1\] .*: Only root has it\.", done.stdout)
    assert "Install the part." in done.stdout
    for reason in ("no reason at all", "it is Monday"):
        assert (
            f"{reason}\nNo test is skipped except for a part that raises NotOnThisSystem (tests/parts)." in done.stdout
        )


def test_amazon_aws_without_an_index_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(NotAvailable, match=r"(?s)^ansible==.* cannot be downloaded: .*No matching distribution"):
        amazon_aws._download(tmp_path)


def test_the_deploy_key_serves_git_and_nothing_else(git_server: GitServer, tmp_path: Path) -> None:
    repository = git_server.create("parts")
    commit = repository.commit({"migrations/0001_a.up.sql": "SELECT 1;\n"})
    (tmp_path / "known_hosts").write_text(git_server.known_hosts)
    ssh = f"ssh -F none -o IdentitiesOnly=yes -o UserKnownHostsFile={tmp_path}/known_hosts"
    ssh += f" -i {git_server.private_key_file}"
    environment = {**os.environ, "GIT_SSH_COMMAND": ssh}
    listed = subprocess.run(
        ["git", "ls-remote", repository.url, "HEAD"], env=environment, capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == [commit, "HEAD"]
    target = [f"{git_server.user}@{git_server.host}", "-p", str(git_server.port)]
    refused = subprocess.run([*ssh.split(), *target, "id"], capture_output=True, text=True, check=False)
    assert "unrecognized command 'id'" in refused.stderr


def test_secrets_keep_their_versions(secrets_manager: SecretsManager) -> None:
    arn = secrets_manager.put("parts/test", "one")
    assert secrets_manager.put("parts/test", "two") == arn
    assert secrets_manager.client.get_secret_value(SecretId=arn)["SecretString"] == "two"
    previous = secrets_manager.client.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "one"
