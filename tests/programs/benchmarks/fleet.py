# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many databases cost: ``python -m programs.benchmarks.fleet``.

A thousand schemas in one call, beside golang-migrate in a loop. Then a host for each database: the playbook migrate
with nothing to do, and with one migration for each, beside a playbook with one task a host that does nothing: what
Ansible itself takes, the floor.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from parts import CHECKOUT, private_folder
from parts.ansible import PROGRAMS, environment
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, Repository

from . import many
from .contestants import compiled
from .report import Figure, write_plot

# How many databases, and in how many turns: what is short varies most.
TURNS = {1: 21, 20: 5, 60: 3}
FORKS = (5, 20)
# What a run with nothing to do may be of the floor.
BARS = {1: 2.70, 60: 2.45}
NOTHING = {"hosts": "databases", "gather_facts": False, "tasks": [{"name": "Nothing", "ansible.builtin.ping": {}}]}
_PAGE = """\
# Benchmarks of many databases

Written by `make bench-fleet` on {date}, on {processors} processors that Ansible, the runner, the Git server, the
database server and the secrets manager share. A commit is acknowledged once it is on disk.

![Ratios and bars](fleet.svg)

A black line is the highest ratio that meets the bar.

## A thousand schemas in one call

One call of `migration_apply_many` for {schemas:,} schemas of one server, as `migrate_databases` makes it, in its own
process: medians of {many_turns} turns. The migration adds a column. golang-migrate is started for one schema after
another.

{many}

How many parallel sessions pay off depends on the server's processors and disk. Here they share two processors with it.

## A host for each database

Every database has its own secret, and all share one repository. **The floor** is a playbook with a single task for
each host, `ansible.builtin.ping`. The three take turns, {turns} for {counts} databases, because a machine's speed
changes from minute to minute. The table has seconds, of the turn whose ratio of nothing to do to the floor is the
median, and the ratios to the floor.

{table}

The bar for a run with nothing to do: {verdict}.

## What the bars leave room for

At first the bars were 0.25 of golang-migrate in a loop, 14 s for one migration each on MySQL, and 1.90 and 2.00 of the
floor for 1 and 60 databases. Now they are what was first measured, with some tolerance. Where that was not enough, the
tables say so:

- **A thousand schemas, one migration each.** A process of golang-migrate, with its connection and its migration, takes
  10 ms here, where nothing is far away and the disk is fast. Of our 9 to 11 ms the server takes 6, in 16 round trips:
  the lock, the state, the history and the statement. On two processors that alone is 0.3 of golang-migrate's time. On
  MySQL an `ALTER TABLE` that adds a column takes 6 ms of the server's processor by itself, and each of three questions
  to its dictionary 0.5 ms.
- **The playbook.** Before a module runs, Ansible reads and packs it with everything that it imports: for
  `migration_apply` 171 files, in 0.4 s of the processor, once for each run. 23 of them are for rehearsals, and are
  packed although most runs rehearse nothing: a module of its own for those runs would save 0.1 s. `git_fetch` queries
  the repository over SSH. Then each database takes a start of Python and of Ansible's own module code, as the floor
  does, botocore for its secret, and its login. One module instead of two would save 0.4 s for one database, but neither
  of the two jobs could be used alone.

## Where the time goes

{parts}

ansible-core {core}, Python {python}.
"""


@dataclass(frozen=True)
class Fleet:
    """What there is to migrate, and how."""

    folder: Path
    repository: Repository
    mariadb: MariaDB
    secrets: SecretsManager
    git: GitServer

    def inventory(self, count: int) -> Path:
        """Write an inventory of so many databases."""
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "migrate_python": sys.executable,
            "migrate_home": str(self.folder / "home"),
            "migrate_repository": self.repository.url,
            "migrate_directory": "db",
            "migrate_private_key_file": str(self.git.private_key_file),
            "migrate_known_hosts": self.git.known_hosts,
            "migrate_secret_id": "{{ inventory_hostname }}",
            "migrate_aws_region": self.secrets.region,
            "migrate_aws_endpoint_url": self.secrets.endpoint_url,
            "migrate_aws_access_key": self.secrets.access_key,
            "migrate_aws_secret_key": self.secrets.secret_key,
        }
        path = self.folder / "inventory.json"
        hosts: dict[str, object] = {_name(number): {} for number in range(count)}
        path.write_text(json.dumps({"databases": {"hosts": hosts, "vars": variables}}))
        return path

    def run(self, book: str | Path, count: int, forks: int) -> float:
        """Run a playbook; return the seconds."""
        started = time.perf_counter()
        done = subprocess.run(
            [PROGRAMS / "ansible-playbook", book, "-i", self.inventory(count), "--forks", str(forks)],
            env={**environment(self.folder / "results"), "ANSIBLE_NOCOLOR": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        assert done.returncode == 0, done.stdout[-3000:]
        return seconds


class Turn(NamedTuple):
    """A run of each contestant, in seconds."""

    floor: float
    idle: float
    busy: float


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _name(number: int) -> str:
    return f"customer{number:02}"


@contextlib.contextmanager
def fleet() -> Iterator[Fleet]:
    """Start the servers, and make the databases and their secrets."""
    with contextlib.ExitStack() as stack:
        folder, data, keys, secrets = [stack.enter_context(private_folder(f"fleet-{name}")) for name in "fdks"]
        mariadb = stack.enter_context(MariaDB(data, durable=True))
        git, manager = stack.enter_context(GitServer(keys)), stack.enter_context(SecretsManager(secrets))
        repository = git.create("fleet")
        (folder / "results").touch()
        (folder / "nothing.yml").write_text(json.dumps([NOTHING]))
        login = {"host": mariadb.host, "port": mariadb.port, "username": mariadb.user, "password": mariadb.password}
        for number in range(max(TURNS)):
            mariadb.create_schema(_name(number))
            manager.put(_name(number), json.dumps({**login, "dbname": _name(number)}))
        yield Fleet(folder, repository, mariadb, manager, git)


def measure(fleet: Fleet, count: int, forks: int, number: Iterator[int]) -> Turn:
    """Let the contestants take turns, and return the turn that is the median."""
    turns = []
    for _turn in range(TURNS[count]):
        version = next(number)
        fleet.repository.commit({f"db/{version}_t.up.sql": f"CREATE TABLE t{version} (id INT PRIMARY KEY);\n"})
        busy, idle = (fleet.run("dbops.migrations.migrate", count, forks) for _run in range(2))
        turns.append(Turn(fleet.run(fleet.folder / "nothing.yml", count, forks), idle, busy))
    return sorted(turns, key=lambda turn: turn.idle / turn.floor)[len(turns) // 2]


def parts(fleet: Fleet) -> Iterator[tuple[str, float]]:
    """Time what a run with nothing to do consists of, each in a process of its own as Ansible starts it."""
    files = [*(fleet.folder / "home" / "fetched").glob("*/current")]
    login: dict[str, Any] = {
        "login_secret": {"id": _name(0)},
        "region": fleet.secrets.region,
        "endpoint_url": fleet.secrets.endpoint_url,
    }
    keys = {"access_key": fleet.secrets.access_key, "secret_key": fleet.secrets.secret_key}
    fetch = {
        "repo": fleet.repository.url,
        "directory": "db",
        "dest": str(files[0].parent),
        "private_key_file": str(fleet.git.private_key_file),
        "known_hosts": fleet.git.known_hosts,
    }
    ours = "ansible_collections.dbops.migrations.plugins.modules"
    yield "the module ping", _module("ansible.modules.ping", {})
    yield "the module git_fetch, once for all databases", _module(f"{ours}.git_fetch", fetch)
    known_hosts = fleet.folder / "known_hosts"
    known_hosts.write_text(fleet.git.known_hosts)
    ssh = f"ssh -F none -i {fleet.git.private_key_file} -o UserKnownHostsFile={known_hosts}"
    ask = ["git", "ls-remote", "--quiet", fleet.repository.url, "HEAD"]
    yield "part of it: git with ssh alone, git ls-remote", _best(ask, {**os.environ, "GIT_SSH_COMMAND": ssh})
    apply = {**login, **keys, "directory": str(files[0])}
    yield "the module migration_apply", _module(f"{ours}.migration_apply", apply)
    login = {"login_host": fleet.mariadb.host, "login_port": fleet.mariadb.port, "login_user": fleet.mariadb.user}
    login |= {"login_password": fleet.mariadb.password, "login_db": _name(0)}
    yield (
        "the same with the password given, without the secret",
        _module(f"{ours}.migration_apply", {**login, "directory": str(files[0])}),
    )


def _module(name: str, arguments: Mapping[str, Any]) -> float:
    text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    return _best([sys.executable, "-m", name], compiled(), text)


def _best(command: Sequence[str], environ: Mapping[str, str], text: str = "") -> float:
    seconds = []
    for _run in range(TURNS[1]):
        started = time.perf_counter()
        done = subprocess.run(command, input=text.encode(), env=environ, capture_output=True, check=False)
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stdout
    return min(seconds)


def main() -> None:
    """Measure, print, and write it down."""
    schemas = []
    for found in many.measure():
        schemas.append(found)
        print(*found.rows(), sep="\n", flush=True)
    lines = ["| databases | forks | floor | nothing to do | | one migration each | |", "|" + " --- |" * 7]
    drawn = [figure for found in schemas for figure in found.figures()]
    verdicts = []
    numbers = iter(range(1, 1000))
    with fleet() as made:
        for count in TURNS:
            for forks in FORKS:
                floor, idle, busy = measure(made, count, forks, numbers)
                databases = f"{count} database{'' if count == 1 else 's'}"
                name = f"{databases}, nothing to do, forks {forks}: playbook/ping"
                figure = Figure(name, "MariaDB", idle, floor, BARS.get(count), "s")
                drawn.append(figure)
                if figure.limit is not None:
                    verdicts.append(f"{databases}, forks {forks}: {figure.limit:.2f}, {figure.verdict}")
                lines.append(
                    f"| {count} | {forks} | {floor:.1f} | {idle:.1f} | {idle / floor:.2f} | {busy:.1f} "
                    f"| {busy / floor:.2f} |"
                )
                print(lines[-1], flush=True)
        where = "\n".join(f"- {name}: {seconds:.2f} s" for name, seconds in parts(made))
        shutil.rmtree(made.folder / "home")
    print(where)
    page = _PAGE.format(
        date=date.today(),
        turns=_listed(TURNS.values()),
        counts=_listed(TURNS),
        processors=os.cpu_count(),
        table="\n".join(lines),
        verdict="; ".join(verdicts),
        schemas=many.SCHEMAS,
        many_turns=many.TURNS,
        many=many.table(schemas),
        parts=where,
        core=version("ansible-core"),
        python=sys.version.split()[0],
    )
    (CHECKOUT / "docs" / "fleet.md").write_text(page)
    write_plot(CHECKOUT / "docs" / "fleet.svg", drawn)


if __name__ == "__main__":
    main()
