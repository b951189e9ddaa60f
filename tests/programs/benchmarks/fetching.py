# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fetching costs, in bytes and seconds: ``python -m programs.benchmarks.fetching [RUNS]``.

A repository of many files, of which the migrations are a few, is fetched over SSH for the first time, after one more
commit, and when there is nothing new.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from parts import CHECKOUT, private_folder
from parts.relay import Relay
from parts.sshd import BRANCH, GIT_ENVIRONMENT, GitServer, Repository

DIRECTORY = "db/migrations"
MIGRATIONS = 500
# Files beside the migrations, and the size of each in bytes: 150 MB in the larger repository.
SIZES = (200, 20_000)
BYTES = 7500
OCCASIONS = ("first fetch", "one more commit", "nothing new")
_PAGE = """\
# What fetching costs

Written by `make bench-fetch` on {date}, medians of {runs} runs. The repository holds {migrations} migrations of about
60 bytes in `{directory}`, and other files of {size:,} bytes each that do not compress. The server is a local sshd; the
bytes are those that come from it, SSH's own included.

{tables}

- **git_fetch**: the module in a process of its own, as Ansible starts it.
- **ansible.builtin.git**: the same, with `depth: 1`.
- **clone --depth 1** and **clone**: `git clone`, later `git fetch` with the same depth, and `git reset`.

git {git}, ansible-core {core}, GitPython {gitpython}.
"""


@dataclass(frozen=True)
class Place:
    """Where a contestant fetches from, and to.

    :param url: of the repository, through the relay.
    :param key: path of the private key.
    :param known_hosts: path of a file.
    """

    url: str
    key: Path
    known_hosts: Path
    dest: Path


def _module(name: str, arguments: Mapping[str, object]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", name],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        env={**os.environ, **GIT_ENVIRONMENT, "PYTHONPATH": str(CHECKOUT / ".venv" / "collections")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def git_fetch(place: Place) -> None:
    known_hosts = {"known_hosts_file": str(place.known_hosts)}
    key = {"private_key_file": str(place.key)}
    where = {"repo": place.url, "ref": BRANCH, "directory": DIRECTORY, "dest": str(place.dest)}
    _module("ansible_collections.dbops.migrations.plugins.modules.git_fetch", {**where, **key, **known_hosts})


def ansible_git(place: Place) -> None:
    options = f"-o UserKnownHostsFile={place.known_hosts} -o StrictHostKeyChecking=yes"
    where = {"repo": place.url, "version": BRANCH, "dest": str(place.dest), "depth": 1}
    _module("ansible.modules.git", {**where, "key_file": str(place.key), "ssh_opts": options})


def _git(place: Place, *depth: str) -> None:
    words = ["ssh", "-F", "none", "-i", str(place.key), "-o", f"UserKnownHostsFile={place.known_hosts}"]
    environment = {**os.environ, **GIT_ENVIRONMENT, "GIT_SSH_COMMAND": shlex.join(words)}
    commands = [["clone", "--quiet", *depth, place.url, str(place.dest)]]
    if place.dest.exists():
        fetch, reset = ["fetch", "--quiet", *depth, "origin", BRANCH], ["reset", "--quiet", "--hard", "FETCH_HEAD"]
        commands = [["-C", str(place.dest), *command] for command in (fetch, reset)]
    for command in commands:
        subprocess.run(["git", *command], env=environment, check=True)


CONTESTANTS: Mapping[str, Callable[[Place], None]] = {
    "git_fetch": git_fetch,
    "ansible.builtin.git": ansible_git,
    "clone --depth 1": lambda place: _git(place, "--depth=1"),
    "clone": _git,
}


@contextmanager
def repository(server: GitServer, others: int) -> Iterator[Repository]:
    """Make a repository with so many files beside the migrations."""
    made = server.create(f"shop-{others}")
    made.commit({f"source/{number % 200}/{number}.bin": os.urandom(BYTES) for number in range(others)})
    made.commit({_name(number): f"CREATE TABLE t{number} (id INT PRIMARY KEY, name TEXT);\n" for number in range(500)})
    yield made
    shutil.rmtree(made.path)


def _name(number: int) -> str:
    return f"{DIRECTORY}/{number:04}_table_{number}.up.sql"


def measure(server: GitServer, folder: Path, others: int, runs: int) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """Return each contestant's median bytes and seconds, on each occasion."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {
        name: {occasion: [] for occasion in OCCASIONS} for name in CONTESTANTS
    }
    with Relay(server.port) as relay, repository(server, others) as made:
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(server.known_hosts.replace(f":{server.port}", f":{relay.port}"))
        url = made.url.replace(f":{server.port}", f":{relay.port}")
        for run in range(runs):
            for occasion in OCCASIONS:
                if occasion == "one more commit":
                    made.commit({_name(MIGRATIONS + run): "SELECT 1;\n", "source/0/0.bin": os.urandom(BYTES)})
                for name, contestant in CONTESTANTS.items():
                    place = Place(url, server.private_key_file, known_hosts, folder / name.replace(" ", ""))
                    before, started = relay.received, time.perf_counter()
                    contestant(place)
                    found[name][occasion].append((relay.received - before, time.perf_counter() - started))
            for name in CONTESTANTS:
                shutil.rmtree(folder / name.replace(" ", ""))
    return {
        name: {occasion: _medians(values) for occasion, values in occasions.items()}
        for name, occasions in found.items()
    }


def _medians(values: list[tuple[int, float]]) -> tuple[float, float]:
    received, seconds = zip(*values)
    return statistics.median(received), statistics.median(seconds)


def table(others: int, found: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    """Return what was measured as a table, with the share of what a shallow clone costs."""
    lines = [f"## {others + MIGRATIONS:,} files, {others * BYTES / 1e6:,.0f} MB", ""]
    lines += [f"| | {' | '.join(OCCASIONS)} |", "| --- |" + " --- |" * len(OCCASIONS)]
    for name, occasions in found.items():
        cells = [f"{received / 1000:,.1f} kB, {seconds:.2f} s" for received, seconds in occasions.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    ours, peers = found["git_fetch"], found["clone --depth 1"]
    shares = [[ours[each][place] / peers[each][place] for place in (0, 1)] for each in OCCASIONS]
    cells = [f"{received:.4f}, {seconds:.2f}" for received, seconds in shares]
    return "\n".join([*lines, f"| git_fetch / clone --depth 1 | {' | '.join(cells)} |"])


def main(runs: int) -> None:
    """Measure, print the tables, and write them down."""
    with private_folder("fetch") as keys, private_folder("fetched") as folder, GitServer(keys) as server:
        tables = []
        for others in SIZES:
            tables.append(table(others, measure(server, folder, others, runs)))
            print(tables[-1], end="\n\n", flush=True)
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    versions = {"git": git, "core": version("ansible-core"), "gitpython": version("GitPython")}
    sizes = {"migrations": MIGRATIONS, "directory": DIRECTORY, "size": BYTES}
    page = _PAGE.format(date=date.today(), runs=runs, tables="\n\n".join(tables), **sizes, **versions)
    (CHECKOUT / "docs" / "fetching.md").write_text(page)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
