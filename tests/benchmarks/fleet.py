# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many databases cost: ``python -m benchmarks.fleet``.

The playbook migrate with nothing to do, and with one migration for each database, beside a playbook with one task a
host that does nothing: what Ansible itself takes, the floor.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parts import CHECKOUT, private_folder
from parts.ansible import PROGRAMS, environment
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, Repository

COUNTS = (1, 20, 60)
FORKS = (5, 20)
RUNS = 3
BAR = 2.5
NOTHING = {"hosts": "databases", "gather_facts": False, "tasks": [{"name": "Nothing", "ansible.builtin.ping": {}}]}
_PAGE = """\
# What a fleet costs

Written by `make bench-fleet` on {date}: seconds, the best of {runs} runs, on {processors} processors that Ansible, the
runner, the Git server, the database server and the secrets manager share. Every database has a secret of its own, and
all have one repository. **The floor** is a playbook with a single task for each host, `ansible.builtin.ping`.

{table}

The bar for a run with nothing to do is {bar} times the floor: {verdict}.

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

    def run(self, book: str | Path, count: int, forks: int) -> tuple[float, float]:
        """Run a playbook; return the seconds, and those of processor time."""
        before, started = _processor(), time.perf_counter()
        done = subprocess.run(
            [PROGRAMS / "ansible-playbook", book, "-i", self.inventory(count), "--forks", str(forks)],
            env={**environment(self.folder / "results"), "ANSIBLE_NOCOLOR": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, processor = time.perf_counter() - started, _processor() - before
        assert done.returncode == 0, done.stdout[-3000:]
        return seconds, processor


def _name(number: int) -> str:
    return f"customer{number:02}"


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        for number in range(max(COUNTS)):
            mariadb.create_schema(_name(number))
            manager.put(_name(number), json.dumps({**login, "dbname": _name(number)}))
        yield Fleet(folder, repository, mariadb, manager, git)


def measure(fleet: Fleet, count: int, forks: int, number: Iterator[int]) -> Mapping[str, tuple[float, float]]:
    """Return the best of each contestant's runs, which take turns."""
    found: dict[str, list[tuple[float, float]]] = {"floor": [], "nothing to do": [], "one migration": []}
    migrate = "dbops.migrations.migrate"
    for _run in range(RUNS):
        version = next(number)
        fleet.repository.commit({f"db/{version}_t.up.sql": f"CREATE TABLE t{version} (id INT PRIMARY KEY);\n"})
        found["one migration"].append(fleet.run(migrate, count, forks))
        found["nothing to do"].append(fleet.run(migrate, count, forks))
        found["floor"].append(fleet.run(fleet.folder / "nothing.yml", count, forks))
    return {name: min(values) for name, values in found.items()}


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
    yield "the module git_fetch", _module(f"{ours}.git_fetch", fetch)
    apply = {**login, **keys, "directory": str(files[0])}
    yield "the module migration_apply", _module(f"{ours}.migration_apply", apply)
    login = {"login_host": fleet.mariadb.host, "login_port": fleet.mariadb.port, "login_user": fleet.mariadb.user}
    login |= {"login_password": fleet.mariadb.password, "login_db": _name(0)}
    yield (
        "migration_apply with a password of its own",
        _module(f"{ours}.migration_apply", {**login, "directory": str(files[0])}),
    )


def _module(name: str, arguments: Mapping[str, Any]) -> float:
    seconds = []
    for _run in range(RUNS):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", name],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".venv" / "collections")},
            capture_output=True,
            check=False,
        )
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stdout
    return min(seconds)


def main() -> None:
    """Measure, print, and write it down."""
    lines = ["| databases | forks | floor | nothing to do | | one migration each | |", "|" + " --- |" * 7]
    ratios = []
    numbers = iter(range(1, 1000))
    with fleet() as made:
        for count in COUNTS:
            for forks in FORKS:
                found = measure(made, count, forks, numbers)
                floor, idle, busy = (found[name][0] for name in ("floor", "nothing to do", "one migration"))
                ratios.append(idle / floor)
                lines.append(
                    f"| {count} | {forks} | {floor:.1f} | {idle:.1f} | {idle / floor:.2f} | {busy:.1f} "
                    f"| {busy / floor:.2f} |"
                )
                print(lines[-1], {name: round(values[1], 1) for name, values in found.items()}, flush=True)
        where = "\n".join(f"- {name}: {seconds:.2f} s" for name, seconds in parts(made))
        shutil.rmtree(made.folder / "home")
    print(where)
    worst = max(ratios)
    page = _PAGE.format(
        date=date.today(),
        runs=RUNS,
        processors=os.cpu_count(),
        table="\n".join(lines),
        bar=BAR,
        verdict=f"{'met' if worst <= BAR else 'missed'}, at worst {worst:.2f}",
        parts=where,
        core=version("ansible-core"),
        python=sys.version.split()[0],
    )
    (CHECKOUT / "docs" / "fleet.md").write_text(page)


if __name__ == "__main__":
    main()
