# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records what a terminal shows of long runs, for docs/long-runs.md: ``python -m programs.pictures.long_runs FILE``.

A real ansible-playbook reaches a real sshd, and its module a real MariaDB. The SVG shows each line at the second at
which it came.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap

from integration.progress.support import RECORDING
from parts import private_folder
from parts.ansible import PROGRAMS, environment
from parts.mariadb import DatabaseServer, MariaDB
from parts.sshd import GitServer, make_key

FILES = {
    "shop": ("0012_digest.up.sql", "ALTER TABLE orders ADD digest CHAR(128) AS (SHA2(REPEAT(id, 400000), 512)) STORED"),
    "crm": ("0031_totals.up.sql", "UPDATE orders SET total = LENGTH(SHA2(REPEAT(id, 400000), 512))"),
    "web": ("0007_note.up.sql", "ALTER TABLE orders ADD note TEXT"),
}
ROWS = 6000
# A terminal's width in characters; pixels of one, and of a line.
COLUMNS, WIDTH, HEIGHT = 120, 7.25, 18
COLOURS = {"32": "#4e9a06", "33": "#c4a000", "31": "#cc0000"}
_COLOUR = re.compile(r"\x1b\[([\d;]*)m")
STYLE = """
text { font: 12px monospace; fill: #d3d7cf; white-space: pre; animation: come 1ms both; }
.at { fill: #777a75; }
@keyframes come { from { opacity: 0; } to { opacity: 1; } }
@media (prefers-reduced-motion) { text { animation: none; } }
"""

Line = tuple[float, str]


def record() -> list[Line]:
    """Run the playbook; return its lines, with the seconds at which they came."""
    with (
        private_folder("recording") as folder,
        private_folder("recording-db") as place,
        private_folder("recording-ssh") as ssh_place,
        MariaDB(place, options=RECORDING) as server,
        GitServer(ssh_place) as ssh,
    ):
        make_key(folder / "key")
        ssh.let_in((folder / "key.pub").read_text())
        (folder / "known_hosts").write_text(ssh.known_hosts)
        for name, (file, statement) in FILES.items():
            server.create_schema(name)
            server.query("CREATE TABLE orders (id INT PRIMARY KEY, total INT)", name)
            server.query(f"INSERT INTO orders SELECT seq, 0 FROM seq_1_to_{ROWS}", name)
            (folder / name).mkdir()
            (folder / name / file).write_text(f"{statement};\n")
        with in_the_way(server, "web"):
            return list(_lines(folder, server, ssh))


def _lines(folder: Path, server: DatabaseServer, ssh: GitServer) -> Iterator[Line]:
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    options = {f"login_{name}": value for name, value in login.items()}
    here = {"login_db": "{{ inventory_hostname }}", "directory": f"{folder}/{{{{ inventory_hostname }}}}"}
    task = {"name": "Apply the migrations", "dbops.migrations.migration_apply": {**options, **here}}
    variables = {
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": str(folder / "remote"),
        "ansible_connection": "ssh",
        "ansible_host": ssh.host,
        "ansible_port": ssh.port,
        "ansible_user": ssh.user,
        "ansible_ssh_private_key_file": str(folder / "key"),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={folder / 'known_hosts'}",
        "ansible_pipelining": True,
    }
    hosts = {"databases": {"hosts": {name: {} for name in FILES}, "vars": variables}}
    (folder / "migrate.yml").write_text(json.dumps([{"hosts": "databases", "gather_facts": False, "tasks": [task]}]))
    (folder / "hosts.json").write_text(json.dumps(hosts))
    (folder / "results").touch()
    began = time.monotonic()
    yield 0.0, "$ ansible-playbook -i hosts.json migrate.yml"
    with subprocess.Popen(
        [PROGRAMS / "ansible-playbook", "-i", "hosts.json", "migrate.yml"],
        cwd=folder,
        env={**environment(folder / "results"), "ANSIBLE_FORCE_COLOR": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            yield time.monotonic() - began, line.rstrip("\n")
    if process.returncode:
        raise RuntimeError("The playbook has failed.")


@contextmanager
def in_the_way(server: DatabaseServer, schema: str) -> Iterator[None]:
    """Have somebody read a table in a transaction that stays open for some seconds of the run."""
    with server.connect(schema) as connection:
        connection.cursor().execute("START TRANSACTION")
        connection.cursor().execute("SELECT COUNT(*) FROM orders")

        def let_go() -> None:
            while not server.query(
                "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'"
            ):
                time.sleep(0.1)
            time.sleep(11)
            connection.cursor().execute("COMMIT")

        thread = threading.Thread(target=let_go, daemon=True)
        thread.start()
        yield
        thread.join()


def drawing(lines: list[Line]) -> str:
    """Return an SVG in which each line appears at its second."""
    rows = [row for moment, line in lines for row in _rows(moment, line)]
    width, height = int((COLUMNS + 8) * WIDTH), (len(rows) + 1) * HEIGHT
    texts = []
    for number, (moment, at, row, colour) in enumerate(rows, 1):
        y, after = number * HEIGHT + 2, f"animation-delay: {moment:.1f}s"
        fill = f"; fill: {colour}" if colour else ""
        if at:
            texts.append(f'<text x="{5 * WIDTH:.0f}" y="{y}" text-anchor="end" class="at" style="{after}">{at}</text>')
        if row:
            texts.append(
                f'<text x="{7 * WIDTH:.0f}" y="{y}" style="{after}{fill}">{html.escape(row, quote=False)}</text>'
            )
    return "\n".join(
        [
            "<!--",
            # They are not this file's own. REUSE-IgnoreStart
            "SPDX-FileCopyrightText: 2026, the dbops.migrations contributors",
            "SPDX-License-Identifier: GPL-3.0-or-later",
            # REUSE-IgnoreEnd
            "-->",
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" xml:space="preserve">',
            "<title>A terminal in which ansible-playbook shows what long migrations do</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{width}" height="{height}" rx="6" fill="#22262b"/>',
            *texts,
            "</svg>\n",
        ]
    )


def _rows(moment: float, line: str) -> Iterator[tuple[float, str, str, str]]:
    """Return a line as a terminal breaks it: when, the second as it is shown, the text and its colour."""
    found = _COLOUR.search(line)
    colour = COLOURS.get(found[1].rpartition(";")[2], "") if found else ""
    plain = _COLOUR.sub("", line).rstrip()
    for number, row in enumerate(wrap(plain, COLUMNS, drop_whitespace=False) or [""]):
        yield moment, f"{moment:.0f} s" if plain and not number else "", row, colour


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawing(record()))
