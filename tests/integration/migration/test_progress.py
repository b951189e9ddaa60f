# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run writes of itself while it is on, on servers that say much, little or nothing."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from integration.migration.support import Database, make
from integration.progress.support import RECORDING
from parts import private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL

# It takes some 10 s to compute for each of 2,500 rows what is stored.
SLOW = "ALTER TABLE a ADD h CHAR(128) AS (SHA2(REPEAT(i, 400000), 512)) STORED, ALGORITHM=COPY"
PASSWORD = "a password, which nobody may see"


@dataclass
class Seen:
    """A run that is watched.

    :ivar values: what its file held, each once.
    """

    database: Database
    forks: Forks
    options: dict[str, Any] = field(default_factory=dict)
    module: str = "apply"
    values: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run_id = uuid.uuid4().hex
        self.file = self.forks.temporary / f"dbops-migrations-{self.run_id}"
        arguments = self.database.arguments(self.module, {"run_id": self.run_id, **self.options})
        self.began = time.monotonic()
        self.process = self.forks.begin(f"migration_{self.module}", arguments)

    def look(self) -> None:
        """Take in what the file holds, which is always whole."""
        try:
            values = json.loads(self.file.read_text())
            assert stat.S_IMODE(self.file.stat().st_mode) == 0o600
        except FileNotFoundError:
            return
        if values not in self.values:
            self.values.append(values)

    def until(self, done: Callable[[], object]) -> None:
        """Look until something is so."""
        while not done():
            assert time.monotonic() - self.began < 90, self.values
            self.look()
            time.sleep(0.1)

    def says(self, text: str) -> bool:
        """Tell whether a line says something."""
        return any(text in line for line in self.texts)

    def end(self) -> dict[str, Any]:
        """Look until the run has ended, and return its result."""
        self.until(self.forks.ended)
        assert left_in(self.forks) == []
        return self.forks.result()

    @property
    def texts(self) -> list[str]:
        return [values["text"] for values in self.values]

    @property
    def hints(self) -> set[str]:
        return {values["hint"] for values in self.values if "hint" in values}


def left_in(forks: Forks) -> list[str]:
    """Return the files of runs."""
    return [path.name for path in forks.temporary.iterdir() if path.name.startswith("dbops-migrations-")]


@pytest.fixture(scope="module")
def recording(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A server that records all it can in performance_schema."""
    kind: type[MariaDB] | type[MySQL] = request.param
    with private_folder("recording") as folder, kind(folder, options=RECORDING) as server:
        yield server


@pytest.fixture
def told(recording: DatabaseServer, tmp_path: Any, forks: Forks) -> Iterator[Database]:
    """An empty schema on such a server."""
    database = make(recording, tmp_path / "migrations", forks)
    yield database
    recording.query(f"DROP DATABASE `{database.name}`")


# The other kind of server is for a target of its own, make test-progress: each test takes seconds of waiting.
_KINDS = [MariaDB, pytest.param(MySQL, marks=pytest.mark.progress)]
on_both = pytest.mark.parametrize("recording", _KINDS, indirect=True, ids=["mariadb", "mysql"])


def fill(database: Database, rows: int) -> None:
    """Make the table ``a`` with so many rows."""
    database.query("CREATE TABLE a (i INT PRIMARY KEY)")
    database.query("INSERT INTO a VALUES " + ", ".join(f"({number})" for number in range(rows)))
    database.query("ANALYZE TABLE a")


def limited(database: Database, *grants: str) -> dict[str, Any]:
    """Make an account that may do all in the schema, and what else is granted; return the options to log in by it."""
    name = f"u_{uuid.uuid4().hex[:8]}"
    database.query(f"CREATE USER {name} IDENTIFIED BY '{PASSWORD}'")
    for grant in (f"ALL ON `{database.name}`.*", *grants):
        database.query(f"GRANT {grant} TO {name}")
    return {"login_user": name, "login_password": PASSWORD}


def holding(database: Database) -> Any:
    """Return a connection whose transaction has read the table ``a``."""
    connection = database.server.connect(database.name)
    connection.cursor().execute("START TRANSACTION")
    connection.cursor().execute("SELECT i FROM a")
    return connection


@on_both
def test_a_table_that_is_copied(told: Database, forks: Forks) -> None:
    fill(told, 2500)
    told.write({"1_a.up.sql": f"DO 1;\n-- a comment\n{SLOW};\n"})
    seen = Seen(told, forks)
    result = seen.end()
    assert not result["failed"], result
    start = f"{told.name} 1_a.up.sql:3 ALTER TABLE a: copy to tmp table "
    found = [re.fullmatch(re.escape(start) + r"(\d+) % \(([\d,]+) of about ([\d,]+) rows\), (\d+) s", text) for text in
             seen.texts if "ALTER" in text]  # fmt: skip
    assert found
    assert all(found), seen.texts
    for match in filter(None, found):
        done, total = (int(match[place].replace(",", "")) for place in (2, 3))
        assert int(match[1]) == 100 * done // total
        assert 0 < done <= 2500
    assert {values["number"] for values in seen.values} == {2}


def test_what_a_server_says_that_records_nothing(there: Database, forks: Forks) -> None:
    fill(there, 2500)
    there.write({"1_a.up.sql": f"{SLOW};\n"})
    seen = Seen(there, forks)
    assert not seen.end()["failed"]
    percent = r" \d+ %" if "MariaDB" in str(there.server.query("SELECT VERSION()")) else ""
    lines = [text for text in seen.texts if "ALTER" in text]
    assert lines
    # MariaDB names the end of a copy, which a busy machine may spend seconds in, a stage of its own.
    stage = r"ALTER TABLE a: (copy to tmp table|Enabling keys)" + percent
    assert all(re.fullmatch(rf"{there.name} 1_a\.up\.sql:1 {stage}, \d+ s", text) for text in lines), lines
    assert seen.hints <= {""}


def test_rows_that_are_changed(there: Database, forks: Forks) -> None:
    fill(there, 1500)
    there.query("ALTER TABLE a ADD j INT")
    there.write({"1_a.up.sql": "UPDATE a SET j = i + SLEEP(0.005);\n"})
    seen = Seen(there, forks)
    assert not seen.end()["failed"]
    found = re.search(r"1_a\.up\.sql:1 UPDATE a: .*, ([\d,]+) row changes in its transaction, \d+ s", seen.texts[-1])
    assert found, seen.texts
    assert 700 < int(found[1].replace(",", "")) < 1510


def test_a_metadata_lock_of_which_nobody_says_who_holds_it(there: Database, forks: Forks) -> None:
    fill(there, 3)
    there.write({"1_a.up.sql": "ALTER TABLE a ADD j INT;\n"})
    holder = holding(there)
    time.sleep(1)
    seen = Seen(there, forks)
    seen.until(lambda: seen.says("waiting for"))
    holder.close()
    assert not seen.end()["failed"]
    expected = (
        rf"{there.name} 1_a\.up\.sql:1 ALTER TABLE a: waiting for a metadata lock, perhaps held by connection "
        rf"{holder.thread_id()} \(admin@127\.0\.0\.1:\d+, idle, its transaction open for \d+ s\), \d+ s"
    )
    assert re.fullmatch(expected, next(text for text in seen.texts if "waiting" in text)), seen.texts


@on_both
def test_a_metadata_lock(told: Database, forks: Forks) -> None:
    fill(told, 3)
    told.write({"1_a.up.sql": "ALTER TABLE a ADD j INT;\n"})
    holder, another = holding(told), holding(told)
    other = told.server.connect(told.name)
    other.cursor().execute("START TRANSACTION")
    seen = Seen(told, forks)
    seen.until(lambda: seen.says("waiting for"))
    for connection in (holder, another, other):
        connection.close()
    assert not seen.end()["failed"]
    [first, second] = re.findall(
        r"connection (\d+) \(admin@127", next(text for text in seen.texts if "waiting" in text)
    )
    assert {int(first), int(second)} == {holder.thread_id(), another.thread_id()}
    assert seen.says("idle after SELECT i …, its transaction open for ")
    assert not seen.says("perhaps")


@on_both
def test_a_row_lock(told: Database, forks: Forks) -> None:
    fill(told, 3)
    told.write({"1_a.up.sql": "SET innodb_lock_wait_timeout = 60;\nUPDATE a SET i = i + 10;\n"})
    holder = told.server.connect(told.name)
    holder.cursor().execute("START TRANSACTION")
    holder.cursor().execute("UPDATE a SET i = 100 WHERE i = 2")
    seen = Seen(told, forks)
    seen.until(lambda: seen.says("waiting for"))
    holder.close()
    assert not seen.end()["failed"]
    assert seen.says(f"UPDATE a: waiting for a row lock held by connection {holder.thread_id()} (admin@127.0.0.1:")


@on_both
def test_who_waits_behind_it(told: Database, forks: Forks) -> None:
    fill(told, 3)
    told.write({"1_a.up.sql": "LOCK TABLES a WRITE;\nSELECT i + SLEEP(4) FROM a;\nUNLOCK TABLES;\n"})
    seen = Seen(told, forks)
    time.sleep(2)
    statement = "INSERT INTO a VALUES (100) ON DUPLICATE KEY UPDATE i = a.i"
    with ThreadPoolExecutor(2) as pool:
        behind = [pool.submit(told.query, statement) for _number in range(2)]
        assert not seen.end()["failed"]
        assert [future.result() for future in behind] == [[], []]
    assert seen.says("1_a.up.sql:2 SELECT i: ")
    assert seen.says(", 2 connections waiting behind it")


@on_both
def test_what_would_show_more(told: Database, forks: Forks) -> None:
    fill(told, 3)
    told.write({"1_a.up.sql": "ALTER TABLE a ADD j INT;\n"})
    holder = holding(told)
    seen = Seen(told, forks, limited(told))
    seen.until(lambda: seen.says("ALTER"))
    assert seen.texts[-1].startswith(f"{told.name} 1_a.up.sql:1 ALTER TABLE a: waiting for a metadata lock, ")
    assert "admin" not in str(seen.values)
    [hint] = seen.hints
    assert hint == (
        "To see more about running statements: GRANT PROCESS ON *.* and GRANT SELECT ON performance_schema.* TO the "
        "account."
    )
    holder.close()
    assert not seen.end()["failed"]
    told.write({"2_b.up.sql": "ALTER TABLE a ADD k INT;\n"})
    holder = holding(told)
    seen = Seen(told, forks, limited(told, "PROCESS ON *.*", "SELECT ON performance_schema.*"))
    seen.until(lambda: seen.says("held by connection"))
    assert seen.hints == {""}
    holder.close()
    assert not seen.end()["failed"]


def test_a_server_that_cannot_be_asked(here: Database, forks: Forks) -> None:
    here.write({"1_a.up.sql": "DO SLEEP(9);\n"})
    options = limited(here)
    here.query(f"ALTER USER {options['login_user']} WITH MAX_USER_CONNECTIONS 1")
    seen = Seen(here, forks, options)
    assert not seen.end()["failed"]
    assert re.fullmatch(rf"{here.name} 1_a\.up\.sql:1 DO SLEEP: running, \d+ s", seen.texts[-1])


def test_many_short_statements(here: Database, forks: Forks) -> None:
    here.write({"1_a.up.sql": "DO SLEEP(0.007);\n" * 1200})
    seen = Seen(here, forks)
    assert not seen.end()["failed"]
    numbers = [values["number"] for values in seen.values]
    assert len(numbers) >= 2
    assert numbers == sorted(numbers)
    for values in seen.values:
        number = f"{values['number']:,}"
        assert re.fullmatch(rf"{here.name} 1_a\.up\.sql: statement {number} of 1,200, \d+ s", values["text"])


def test_a_short_run_leaves_no_trace(here: Database, forks: Forks) -> None:
    here.write({"1_a.up.sql": "DO 1;\n"})
    seen = Seen(here, forks)
    assert not seen.end()["failed"]
    assert seen.values == []


def test_secrets_in_a_line(here: Database, forks: Forks) -> None:
    options = limited(here, "CREATE USER ON *.*")
    here.query(f"ALTER USER {options['login_user']} IDENTIFIED BY 'quite_a_secret'")
    here.write({"1_a.up.sql": "CREATE TABLE quite_a_secret AS SELECT SLEEP(8) AS i;\n"})
    seen = Seen(here, forks, {**options, "login_password": "quite_a_secret"})
    assert not seen.end()["failed"]
    assert seen.says("CREATE TABLE ********: ")
    assert "quite_a_secret" not in str(seen.values)


def test_what_a_killed_run_leaves_goes_with_the_next(here: Database, forks: Forks) -> None:
    here.write({"1_a.up.sql": "DO SLEEP(12);\n"})
    seen = Seen(here, forks)
    seen.until(lambda: seen.values)
    os.kill(seen.process, signal.SIGKILL)
    assert forks.status() == -signal.SIGKILL
    assert left_in(forks) == [seen.file.name]
    elsewhere = forks.temporary / "elsewhere"
    elsewhere.write_text("nobody's")
    link = forks.temporary / f"dbops-migrations-{uuid.uuid4().hex}"
    link.symlink_to(elsewhere)
    used = forks.temporary / f"dbops-migrations-{uuid.uuid4().hex}"
    with used.open("w") as file:
        # As during a run.
        fcntl.flock(file, fcntl.LOCK_EX)
        forks("migration_apply", here.arguments("apply", {"run_id": uuid.uuid4().hex, "lock_timeout": 0}))
        assert sorted(left_in(forks)) == sorted([link.name, used.name])
    assert elsewhere.read_text() == "nobody's"
    link.unlink()
    elsewhere.unlink()
    used.unlink()


@pytest.mark.parametrize("run_id", ["", "../../etc/passwd", "A" * 32, "a" * 31, f"{'a' * 32}\n"])
def test_a_number_that_is_invalid(here: Database, run_id: str) -> None:
    here.write({"1_a.up.sql": "DO 1;\n"})
    assert here.refusal(run_id=run_id).startswith(f"run_id is {run_id!r}. It must be 32 lowercase hexadecimal digits")
    assert here.tables() == set()


def test_many_schemas(here: Database, forks: Forks) -> None:
    others = [make(here.server, here.directory, forks) for _number in range(3)]
    names = [here.name, *(other.name for other in others)]
    here.write({"1_a.up.sql": "DO SLEEP(4);\n"})
    options = {"databases": names, "login_db": None, "parallel": 2, "canary": 0}
    seen = Seen(here, forks, options, "apply_many")
    assert not seen.end()["failed"]
    assert len(seen.texts) == 1
    found = re.fullmatch(r"2 of 4 databases are done; working on (\w+), (\w+), 5 s", seen.texts[0])
    assert found, seen.texts
    assert set(found.groups()) == set(names[2:])
    for other in others:
        here.query(f"DROP DATABASE `{other.name}`")
