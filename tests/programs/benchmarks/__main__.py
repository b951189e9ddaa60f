# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine beside its peers: ``python -m programs.benchmarks [RUNS] [MIGRATIONS]``.

Whole processes on durable servers. A bar that is missed is printed as missed; nothing fails. What is printed is also
written below tests/output, and, if all of it was measured, into docs.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from parts import CHECKOUT, NotAvailable, dbmate, golang_migrate, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from parts.sshd import GitServer

from .measures import Bench, Round, Sizes, splitting
from .report import figures, write_json, write_page, write_plot

FULL = Sizes(runs=5, migrations=1000)


def measure(kind: type[MariaDB | MySQL], sizes: Sizes, rounds: list[Round], versions: dict[str, str]) -> None:
    """Measure on one kind of server and print each ratio at once."""
    with contextlib.ExitStack() as stack:
        folder, data, keys = [stack.enter_context(private_folder(f"bench-{name}")) for name in ("files", "db", "git")]
        server, git = stack.enter_context(kind(data, durable=True)), stack.enter_context(GitServer(keys))
        versions[kind.__name__] = server_version(server)
        for measured in Bench(server, git, folder, sizes).rounds():
            rounds.append(measured)
            print(*figures(measured), sep="\n", flush=True)


def server_version(server: DatabaseServer) -> str:
    """Ask a server what it is."""
    [(text,)] = server.query("SELECT VERSION()")
    return str(text)


def other_versions() -> dict[str, str]:
    """Return what else was running."""
    client = subprocess.run(["mariadb", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "golang-migrate": golang_migrate.PACKAGE.rpartition("@")[2],
        "dbmate": dbmate.PACKAGE.rpartition("@")[2],
        "client": client.strip(),
        "Python": platform.python_version(),
        **{name: version(name) for name in ("PyMySQL", "cryptography", "ansible-core")},
        "processors": str(os.cpu_count()),
    }


def main(sizes: Sizes) -> None:
    """Measure on each server that is available, and write it down."""
    rounds: list[Round] = list(splitting())
    versions: dict[str, str] = {}
    for kind in (MariaDB, MySQL):
        try:
            measure(kind, sizes, rounds, versions)
        except NotAvailable as reason:
            print(f"Not run on {kind.__name__}: {reason}")
    titles = [measured.title for measured in rounds]
    rounds.sort(key=lambda measured: titles.index(measured.title))
    found = [figure for measured in rounds for figure in figures(measured)]
    output = CHECKOUT / "tests" / "output"
    output.mkdir(exist_ok=True)
    write_json(output / "benchmarks.json", found)
    for folder in [output, *([CHECKOUT / "docs"] if sizes == FULL else [])]:
        write(folder, sizes, rounds, {**versions, **other_versions()})
    missed = [figure for figure in found if figure.verdict == "missed"]
    print(f"\n{len(missed)} of {sum(bool(figure.verdict) for figure in found)} bars missed", *missed, sep="\n")


def write(folder: Path, sizes: Sizes, rounds: list[Round], versions: dict[str, str]) -> None:
    """Write the page and its plot."""
    command = "make bench" if sizes == FULL else f"make bench RUNS={sizes.runs} MIGRATIONS={sizes.migrations}"
    folder.mkdir(exist_ok=True)
    write_page(folder / "benchmarks.md", rounds, command, f"{datetime.date.today()}", sizes.runs, versions)
    write_plot(folder / "benchmarks.svg", [figure for measured in rounds for figure in figures(measured)])


if __name__ == "__main__":
    main(Sizes(*map(int, sys.argv[1:3])) if len(sys.argv) == 3 else FULL)
