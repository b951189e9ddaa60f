# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is compared: each runs the same migrations, as a whole process, from start to finish."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from parts import CHECKOUT, NotAvailable, dbmate, golang_migrate
from parts.ansible import PROGRAMS, environment
from parts.mariadb import DatabaseServer
from parts.sshd import GitServer

from .work import Work

MODULE = "ansible_collections.dbops.migrations.plugins.modules.migration_apply"
SCHEMA = "bench"
# Runs a command and prints its peak memory, in kB. A process begins with the peak of the one that starts it, so the
# measuring one has to be small.
_PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Contestant:
    """One way of running migrations.

    :param run: runs them all on a server.
    :param schema: where. dbmate's state table has the name of golang-migrate's and another shape.
    :param repeats: whether it can be run again when there is nothing to do.
    :param back: takes all of them back; None if it cannot.
    """

    name: str
    run: Callable[[DatabaseServer, Work], None]
    schema: str = SCHEMA
    repeats: bool = True
    back: Callable[[DatabaseServer, Work], None] | None = None

    def turned(self) -> Contestant:
        """Return the one that takes back what this one runs."""
        assert self.back is not None
        return replace(self, run=self.back)


def contestants(git: GitServer, home: Path) -> Iterator[Contestant]:
    """Yield all that are available on this machine, the engine first.

    :param home: a folder for what Ansible's run leaves on a runner.
    """
    yield Contestant("engine", _engine, back=_engine_back)
    yield Contestant("ansible-playbook", lambda server, work: _playbook(server, work, git, home))
    try:
        migrate = golang_migrate.binary()
        yield Contestant(
            "golang-migrate",
            lambda server, work: _golang_migrate(migrate, server, work, "up"),
            back=lambda server, work: _golang_migrate(migrate, server, work, "down", "-all"),
        )
    except NotAvailable as reason:
        print(f"Left out: {reason}")
    try:
        program = dbmate.binary()
        schema = f"{SCHEMA}_dbmate"
        yield Contestant("dbmate", lambda server, work: _dbmate(program, server, schema, work), schema)
    except NotAvailable as reason:
        print(f"Left out: {reason}")
    yield Contestant("client", _client, repeats=False)


# As the role gets it from git_fetch.
_COMMIT = "0123456789abcdef0123456789abcdef01234567"


def compiled() -> dict[str, str]:
    """Return variables with which our modules are compiled once, as Ansible's are that pip has installed."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    places = {
        "PYTHONPATH": str(CHECKOUT / ".venv" / "collections"),
        "PYTHONPYCACHEPREFIX": str(CHECKOUT / ".cache" / "bytecode"),
    }
    return {**variables, **places}


def _module(
    server: DatabaseServer, directory: Path, *launcher: str, **options: str | bool
) -> subprocess.CompletedProcess[bytes]:
    arguments = {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.user,
        "login_password": server.password,
        "login_db": SCHEMA,
        "directory": str(directory),
        "commit": _COMMIT,
        **options,
    }
    done = subprocess.run(
        [*launcher, sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        env=compiled(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done


def _engine(server: DatabaseServer, work: Work) -> None:
    """Run migration_apply in a process of its own, with the options that Ansible gives it by default."""
    _module(server, work.migrations)


def _engine_back(server: DatabaseServer, work: Work) -> None:
    _module(server, work.migrations, target="none", allow_down=True)


def _floor(_server: DatabaseServer, _work: Work) -> None:
    subprocess.run([sys.executable, "-c", "import ansible.module_utils.basic"], check=True)


def engine_alone(server: DatabaseServer, work: Work) -> None:
    """Run the engine with each statement in a transaction of its own."""
    _module(server, work.migrations, batch=False)


# What Python and Ansible take before a module can do anything.
FLOOR = Contestant("Python and basic", _floor)


def engine_peak(server: DatabaseServer, directory: Path) -> float:
    """Run the engine and return the most memory that it had, in MB."""
    return int(_module(server, directory, sys.executable, "-I", "-S", "-c", _PEAK).stdout) * 1024 / 1e6


def _playbook(server: DatabaseServer, work: Work, git: GitServer, home: Path) -> None:
    """Run the playbook: it fetches from Git over SSH, and migrates."""
    home.mkdir(exist_ok=True)
    variables = {
        "ansible_connection": "local",
        "migrate_home": str(home),
        "migrate_python": sys.executable,
        "migrate_repository": work.repository.url,
        "migrate_private_key_file": str(git.private_key_file),
        "migrate_known_hosts": git.known_hosts,
        "migrate_login_host": server.host,
        "migrate_login_port": server.port,
        "migrate_login_user": server.user,
        "migrate_login_password": server.password,
        "migrate_login_database": SCHEMA,
    }
    inventory = home / "inventory.json"
    inventory.write_text(json.dumps({"databases": {"hosts": {"bench": variables}}}))
    results = home / "results"
    results.write_text("")
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", "dbops.migrations.migrate", "-i", inventory],
        env={**environment(results), "ANSIBLE_HOME": str(home), "ANSIBLE_REMOTE_TMP": str(home / "tmp")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def forget(home: Path) -> None:
    """Have the runner as it was before the first run."""
    shutil.rmtree(home, ignore_errors=True)


def _golang_migrate(program: Path, server: DatabaseServer, work: Work, *command: str) -> None:
    done = golang_migrate.run(program, server, SCHEMA, work.migrations, *command)
    assert done.returncode == 0, done.stderr[-2000:]


def _dbmate(program: Path, server: DatabaseServer, schema: str, work: Work) -> None:
    done = dbmate.run(program, server, schema, work.dbmate, "migrate")
    assert done.returncode == 0, done.stderr[-2000:]


def _client(server: DatabaseServer, work: Work) -> None:
    """Have the command line client run all migrations as one file: what the server itself needs."""
    place = [f"--host={server.host}", f"--port={server.port}", f"--user={server.user}", SCHEMA]
    variables = {**os.environ, "MYSQL_PWD": server.password}
    with work.script.open("rb") as script:
        subprocess.run(["mariadb", "--no-defaults", "--batch", *place], stdin=script, env=variables, check=True)
