# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/recording.md, docs/history.md and docs/locks.md show is what runs and a server say."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.support import Database
from parts import CHECKOUT, samples
from parts.mariadb import DatabaseServer

if TYPE_CHECKING:
    from conftest import RunModule

FILES = {
    "0001_customers.up.sql": "CREATE TABLE customers (id INT PRIMARY KEY, name TEXT);\n",
    "0002_bob.up.sql": "INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');\n",
}
EMAIL = """\
ALTER TABLE customers ADD email VARCHAR(200);
UPDATE customers SET email = '';
ALTER TABLE customers ADD UNIQUE (email);
"""
CORRECTED = EMAIL.replace("ADD UNIQUE", "ADD INDEX")
CHANGES = re.compile(r"(START|DELETE|INSERT|UPDATE|ALTER|COMMIT|ROLLBACK)\b")
RECORD = re.compile(r"(?:INSERT INTO|UPDATE) `schema_migrations_history`")


@contextlib.contextmanager
def logged(server: DatabaseServer) -> Iterator[list[str]]:
    """Give the packets that the server gets meanwhile, once that is over."""
    packets: list[str] = []
    [(output,)] = server.query("SELECT @@GLOBAL.log_output")
    server.query("SET GLOBAL log_output = 'TABLE'")
    server.query("TRUNCATE mysql.general_log")
    server.query("SET GLOBAL general_log = ON")
    try:
        yield packets
    finally:
        server.query("SET GLOBAL general_log = OFF")
        server.query(f"SET GLOBAL log_output = '{output}'")
        rows = server.query("SELECT argument FROM mysql.general_log WHERE command_type = 'Query' ORDER BY event_time")
        packets += [text.decode() if isinstance(text, bytes) else text for (text,) in rows]


def shortened(packet: str, name: str) -> str:
    """Return the statements of a packet that change something, a line each, and ours in short."""
    lines = []
    for part in re.split(r";(?=[A-Z])", packet.replace(f"`{name}`.", "")):
        text = part.strip()
        if text.startswith("SET SESSION net_retry_count"):
            lines.append("-- the guard")
        elif text.startswith("DELETE FROM `schema_migrations`"):
            # golang-migrate's way to write it: the row that follows is the whole of it.
            continue
        elif text.startswith("INSERT INTO `schema_migrations` "):
            version, dirty = re.findall(r"VALUES \((\d+), (\d)\)", text)[0]
            lines.append(f"-- state: version {version}, {'dirty' if dirty == '1' else 'clean'}")
        elif RECORD.match(text):
            lines.append(f"-- history: {record(text)}")
        elif CHANGES.match(text):
            lines.append(re.sub(r" READ WRITE| AND NO CHAIN NO RELEASE", "", text))
    return "\n".join(lines if len(lines) > lines.count("-- the guard") else [])


def record(text: str) -> str:
    """Return what a statement writes into the history of how far an attempt is."""
    # In a new row they come before the seconds.
    numbers = re.search(r"done = (\d+), begun = (\d+)|, (\d+), (\d+), [\d.]+, ", text)
    if numbers is None:
        return "checkpoints of earlier attempts emptied"
    done, begun = filter(None, numbers.groups())
    outcome = re.findall(r"outcome = '(\w+)'", text)
    return f"done {done}, begun {begun}{''.join(f', {one}' for one in outcome)}"


def changes(packets: list[str], name: str) -> str:
    """Return what changes something, a paragraph for each packet."""
    found = [shortened(packet, name) for packet in packets]
    return "\n".join(f"{text}\n" for text in found if text)


def table(rows: list[tuple[object, ...]], *names: str) -> str:
    """Return rows with their names above them, in columns."""
    lines = [names, *[["NULL" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def test_an_attempt_as_the_server_sees_it(here: Database) -> None:
    """Only MariaDB's log has a packet whole."""
    here.write(FILES)
    here.apply()
    here.write({"0003_email.up.sql": EMAIL, "0003_email.down.sql": "ALTER TABLE customers DROP email;\n"})
    with logged(here.server) as packets:
        message = here.refusal()
    shown = {
        "file": f"-- 0003_email.up.sql\n{EMAIL}",
        "log": changes(packets, here.name),
        "tables": tables(here),
        "message": message,
    }
    here.write({"0003_email.up.sql": CORRECTED})
    with logged(here.server) as packets:
        result = here.apply()
    assert result["resumed"] == {"version": 3, "statement": 3}
    shown["resumed"] = changes(packets, here.name)
    compare("recording.md", shown)


def tables(database: Database) -> str:
    """Return what the state table and the newest row of the history say."""
    version, dirty = database.state()[0]
    names = "outcome, done, begun, error"
    [row] = database.query(f"SELECT {names} FROM schema_migrations_history ORDER BY id DESC LIMIT 1")
    history = ", ".join(f"{name} = {value}" for name, value in zip(names.split(", "), row))
    return f"schema_migrations          version = {version}, dirty = {dirty}\nschema_migrations_history  {history}\n"


def test_the_rows_of_the_history(here: Database) -> None:
    here.write(FILES)
    here.apply()
    here.write({"0003_email.up.sql": EMAIL, "0003_email.down.sql": "ALTER TABLE customers DROP email;\n"})
    here.refusal()
    here.write({"0003_email.up.sql": CORRECTED})
    here.apply()
    here.apply(steps=-1, allow_down=True)
    here.module("force", version="3")
    names = ("id", "version", "title", "direction", "leads_to", "outcome", "statements", "done", "error")
    rows = here.query(f"SELECT {', '.join(names)} FROM schema_migrations_history")
    compare("history.md", {"rows": table(rows, *names)})
    assert f"SELECT {', '.join(names)} FROM schema_migrations_history" in (CHECKOUT / "docs/history.md").read_text()


def test_who_holds_the_lock(here: Database, run_module: RunModule) -> None:
    """While a migration waits for a transaction of the application's, a second run comes."""
    here.write(FILES)
    here.apply()
    here.write({"0003_email.up.sql": EMAIL})
    other = replace(here, run_module=run_module)
    with here.server.connect(here.name) as application, ThreadPoolExecutor() as pool:
        application.begin()
        application.query("SELECT * FROM customers")
        first = pool.submit(other.apply, run_by="ann", job="1204", commit="4914317")
        waiting = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock%'"
        while not here.query(waiting):
            time.sleep(0.05)
        shown = {"message": here.refusal(lock_timeout=0), "holder": here.module("info")["lock_holder"]}
        application.rollback()
        assert "statement 3 failed" in first.result()["msg"]
    differing = {
        here.name: "shop",
        r"connection \d+, admin@127.0.0.1:\d+": "connection 4711, deploy@10.0.0.5:40612",
        r"for \d+ s": "for 12 s",
        r"since [\dT:-]+Z": "since 2026-11-28T12:04:49Z",
    }
    for pattern, text in differing.items():
        shown = {name: re.sub(pattern, text, value) for name, value in shown.items()}
    compare("locks.md", {**shown, "name": lock_name("shop", "schema_migrations")})


def compare(page: str, shown: dict[str, str]) -> None:
    """Compare what was shown with the page; lines may be broken elsewhere."""
    samples.compare(page, "engine sample", shown, str.split)
