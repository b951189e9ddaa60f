# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_info_many on real servers: what it says about each schema is what migration_info says about it alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.fleet import Fleet

FILES = {
    "0_old.up.sql": "CREATE TABLE old (i INT);\n",
    "1_a.up.sql": "CREATE TABLE a (i INT PRIMARY KEY);\nINSERT INTO a VALUES (1);\n",
    "1_a.down.sql": "DROP TABLE a;\n",
    "3_c.up.sql": "CREATE TABLE c (i INT);\nINSERT INTO c VALUES (1);\n",
    "3_c.down.sql": "DROP TABLE c;\n",
    "4_d.up.sql": "CREATE TABLE d (i INT);\nALTER TABLE d ADD n INT;\n",
    "4_d.down.sql": "DROP TABLE d;\nDROP TABLE e;\n",
    "7_g.up.sql": "CREATE TABLE g (i INT);\n",
}
# Of the same for all.
SHARED = ("latest", "migrations", "server", "supported")
OWN = ("database", "attempt", "history", "lock_holder", "running", "msg")
STATE, HISTORY = "schema_migrations", "schema_migrations_history"


class States:
    """What can have happened to a schema, one method each; ``files`` is what the directory had then."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def query(self, name: str, *statements: str) -> None:
        for sql in statements:
            self.fleet.server.query(sql, name)

    def apply(self, name: str, target: str = "latest", **options: Any) -> dict[str, Any]:
        return self.fleet.of(name).apply(target=target, run_by="me", commit="abc", **options)

    def never_migrated(self, name: str) -> None:
        pass

    def foreign_tables(self, name: str) -> None:
        self.query(name, "CREATE TABLE flyway_schema_history (version VARCHAR(50), description VARCHAR(200))")

    def an_empty_state_table(self, name: str) -> None:
        self.query(name, f"CREATE TABLE {STATE} (version bigint not null primary key, dirty boolean not null)")

    def behind(self, name: str) -> None:
        self.apply(name, "1")

    def at_target(self, name: str) -> None:
        self.apply(name)

    def rolled_back(self, name: str) -> None:
        self.apply(name, "3")
        self.apply(name, "1", allow_down=True)

    def failed(self, name: str) -> None:
        self.query(name, "CREATE TABLE IF NOT EXISTS d (i INT)")
        self.apply(name)

    def failed_on_its_way_down(self, name: str) -> None:
        self.apply(name, "4")
        self.apply(name, "3", allow_down=True)

    def interrupted(self, name: str) -> None:
        self.failed(name)
        self.query(name, f"UPDATE {HISTORY} SET outcome = 'running', error = NULL ORDER BY id DESC LIMIT 1")

    def forgotten(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"DELETE FROM {HISTORY}")

    def without_a_history(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"DROP TABLE {HISTORY}")

    def with_nothing_but_a_history(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"DROP TABLE {STATE}")

    def without_its_row(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"DELETE FROM {STATE}")

    def with_an_older_row(self, name: str) -> None:
        self.apply(name)
        self.query(name, f"UPDATE {STATE} SET version = 1")

    def forced(self, name: str) -> None:
        self.apply(name, "3")
        self.fleet.of(name).module("force", version="1", run_by="me")

    def with_a_baseline(self, name: str) -> None:
        self.query(name, "CREATE TABLE IF NOT EXISTS before_us (i INT)")
        self.fleet.of(name).module("baseline", version="1", run_by="me")

    def at_an_unknown_version(self, name: str) -> None:
        self.apply(name, "1")
        self.query(name, f"UPDATE {STATE} SET version = 99")

    def dirty(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"UPDATE {STATE} SET dirty = 1")

    def dirty_before_the_first(self, name: str) -> None:
        self.an_empty_state_table(name)
        self.query(name, f"INSERT INTO {STATE} VALUES (-1, 1)")

    def changed(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"UPDATE {HISTORY} SET checksum = REPEAT('a', 64) WHERE version = 1")

    def with_two_rows(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"INSERT INTO {STATE} VALUES (1, 0)")

    def with_a_column_more(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"ALTER TABLE {STATE} ADD at TIMESTAMP DEFAULT CURRENT_TIMESTAMP")

    def with_a_column_that_must_be_given(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"ALTER TABLE {STATE} ADD x INT NOT NULL")

    def with_another_state_table(self, name: str) -> None:
        self.query(name, f"CREATE TABLE {STATE} (version VARCHAR(50))")

    def with_another_history(self, name: str) -> None:
        self.apply(name, "3")
        self.query(name, f"ALTER TABLE {HISTORY} ADD x INT")

    def with_a_broken_history(self, name: str) -> None:
        self.forced(name)
        self.query(name, f"UPDATE {HISTORY} SET progress = 'nonsense' WHERE direction = 'force'")

    def moved_by_golang_migrate(self, name: str) -> None:
        self.apply(name, "1")
        self.fleet.of(name).golang("goto", "3")

    def golang_migrates(self, name: str) -> None:
        self.fleet.of(name).golang("goto", "3")

    def failed_with_golang_migrate(self, name: str) -> None:
        self.query(name, "CREATE TABLE IF NOT EXISTS d (i INT)")
        self.fleet.of(name).golang("up")

    def kinds(self) -> list[Callable[[str], None]]:
        """Return all of these."""
        names = [name for name in vars(States) if not name.startswith("_") and name not in ("query", "apply", "kinds")]
        return [getattr(self, name) for name in names]


def write(fleet: Fleet) -> None:
    for name, text in FILES.items():
        (fleet.directory / name).write_text(text)


def add_and_remove(fleet: Fleet) -> None:
    """Make versions out of order, missing and unknown."""
    (fleet.directory / "2_b.up.sql").write_text("CREATE TABLE b (i INT);\n")
    for name in ("0_old.up.sql", "7_g.up.sql"):
        (fleet.directory / name).unlink()


def steady(value: Any) -> Any:
    """Return what is said without what differs from one moment to the next."""
    text = re.sub(r"in its present state for \d+ s|in state \w+ for \d+ s|for \d+ s", "for a while", repr(value))
    return re.sub(r"connection \d+", "connection", text)


def shown(results: dict[str, Any]) -> dict[str, Any]:
    """Return what is said about a schema, without what Ansible adds."""
    others = ("warnings", "changed", "failed", "deprecations", "invocation")
    return {key: value for key, value in results.items() if key not in others}


def alone(fleet: Fleet, name: str, **options: Any) -> dict[str, Any]:
    result = fleet.of(name).module("info", **options)
    found = shown(result)
    return {**found, "database": name, "failed": True} if result["failed"] else found


def check_each(fleet: Fleet, names: list[str], **options: Any) -> dict[str, Any]:
    """Compare what is said about all with what is said about each, and return the former."""
    before = [fleet.found(name) for name in names]
    result = fleet.info(names, **options)
    assert not result["failed"], result
    singles = {name: alone(fleet, name, **options) for name in names}
    assert [fleet.found(name) for name in names] == before
    groups: dict[str, list[str]] = {}
    for name, single in singles.items():
        if not single.get("failed"):
            assert {key: single.pop(key) for key in SHARED} == {key: result[key] for key in SHARED}
            standing = {key: value for key, value in single.items() if key not in OWN}
            groups.setdefault(repr(sorted(standing.items())), []).append(name)
    said = {entry["database"]: entry for entry in result["databases"]}
    for name, single in singles.items():
        quiet = not single.get("failed") and single["healthy"] and single["lock_holder"] is None
        assert (name not in said) is quiet, (name, single)
        if not quiet:
            assert steady(sorted(said[name].items())) == steady(sorted(single.items()))
    assert list(said) == [name for name in names if name in said]
    found = {
        repr(sorted((key, value) for key, value in group.items() if key not in ("count", "first", "msg"))): group
        for group in result["groups"]
    }
    assert len(found) == len(result["groups"])
    assert {key: (group["count"], group["first"]) for key, group in found.items()} == {
        key: (len(members), members[:5]) for key, members in groups.items()
    }
    for group in result["groups"]:
        first = singles[group["first"][0]]
        if group["count"] == 1 and first["attempt"] is None:
            assert group["msg"] == first["msg"]
    unreadable = [name for name in names if singles[name].get("failed")]
    healthy = [single for single in singles.values() if single.get("healthy")]
    behind = [single for single in healthy if single["pending"]]
    assert [result[key] for key in ("total", "healthy", "up_to_date", "behind", "unhealthy", "unreadable")] == [
        len(names), len(healthy) == len(names), len(healthy) - len(behind), len(behind),
        len(names) - len(healthy) - len(unreadable), len(unreadable),
    ]  # fmt: skip
    return result


@contextmanager
def lock_held(fleet: Fleet, name: str) -> Iterator[None]:
    with fleet.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT GET_LOCK('{lock_name(name, STATE)}', 1)")
        yield


def test_each_is_as_alone(fleet: Fleet, golang_migrate: Path) -> None:
    """All that can have happened to a schema, at one time."""
    write(fleet)
    states = States(fleet)
    kinds = states.kinds()
    names = [*fleet.create(len(kinds)), *fleet.create(6, "same"), *fleet.create(1, "l")]
    for kind, name in zip([*kinds, *[states.behind] * 4, *[states.changed] * 3], names):
        kind(name)
    add_and_remove(fleet)
    at_work = names[kinds.index(states.interrupted)]
    with lock_held(fleet, names[-2]), lock_held(fleet, at_work):
        result = check_each(fleet, names)
    # What it is about has come about.
    standings = result["groups"]
    for key in ("pending", "changed_files", "missing", "out_of_order", "history_ahead", "dirty"):
        assert any(group[key] for group in standings), key
    assert any(not group["known"] for group in standings)
    assert result["unreadable"] >= 4
    assert sum(entry.get("lock_holder") is not None for entry in result["databases"]) == 2
    assert [entry["database"] for entry in result["databases"] if entry.get("running")] == [at_work]
    assert {entry["attempt"]["outcome"] for entry in result["databases"] if entry.get("attempt")} == {
        "failed", "running",
    }  # fmt: skip
    check_each(fleet, names, history_limit=0)
    check_each(fleet, names, history_table="")
    check_each(fleet, names, lock=False)
    check_each(fleet, names, migrations_table="elsewhere")


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_has_happened(fleet: Fleet, golang_migrate: Path, seed: int) -> None:
    """Several things one after the other, at random."""
    dice = random.Random(seed)
    write(fleet)
    kinds = States(fleet).kinds()
    names = fleet.create(24)
    for name in names:
        for kind in dice.choices(kinds, k=dice.randint(1, 3)):
            # Not each can happen to a schema as it is.
            with suppress(pymysql.err.Error):
                kind(name)
    add_and_remove(fleet)
    check_each(fleet, names)


def test_names_that_are_not_words(fleet: Fleet) -> None:
    write(fleet)
    names = [f"{fleet.prefix}_{name}" for name in ("a`b", "a%b", "'; --", "ü {{ 7 * 7 }}", 'q"')]
    fleet.names = names
    for name in names:
        quoted = name.replace("`", "``")
        fleet.server.query(f"CREATE DATABASE `{quoted}`")
    try:
        for name in names[:3]:
            fleet.of(name).apply(run_by="me")
        result = fleet.info(names)
        assert [(group["count"], group["first"]) for group in result["groups"]] == [(3, names[:3]), (2, names[3:])]
        assert result["databases"] == []
    finally:
        for name in names:
            quoted = name.replace("`", "``")
            fleet.server.query(f"DROP DATABASE `{quoted}`")
        fleet.names = ()


def test_what_an_account_may_not_read(fleet: Fleet) -> None:
    """Of what the server hides from it, nothing is treated as certain."""
    write(fleet)
    states, server = States(fleet), fleet.server
    whole, reads, nothing, hidden, writes = names = fleet.create(5)
    for name in (whole, reads, hidden, writes):
        states.apply(name, "3")
    account = f"u{fleet.prefix}"
    server.query(f"CREATE USER {account}@'%' IDENTIFIED BY 'Secret-1'")
    try:
        server.query(f"GRANT ALL PRIVILEGES ON `{whole}`.* TO {account}@'%'")
        server.query(f"GRANT SELECT ON `{reads}`.* TO {account}@'%'")
        server.query(f"GRANT CREATE ON `{nothing}`.* TO {account}@'%'")
        server.query(f"GRANT SELECT ON `{hidden}`.a TO {account}@'%'")
        server.query(f"GRANT INSERT ON `{writes}`.{STATE} TO {account}@'%'")
        server.query(f"GRANT SELECT ON `{writes}`.{HISTORY} TO {account}@'%'")
        tls: dict[str, Any] = {} if "mariadb" in type(server).__name__.lower() else {"tls": "required"}
        result = check_each(fleet, names, login_user=account, login_password="Secret-1", **tls)
        assert {group["first"][0]: len(group["missing_privileges"]) for group in result["groups"]} == {
            whole: 0, reads: 8,
        }  # fmt: skip
        reasons = {entry["database"]: entry["msg"] for entry in result["databases"]}
        assert list(reasons) == [nothing, hidden, writes]
        assert all("The user may not read the table schema_migrations" in reasons[name] for name in (hidden, writes))
    finally:
        server.query(f"DROP USER {account}@'%'")


def test_what_is_asked_once(fleet: Fleet) -> None:
    """A hundred schemas that have the same status cost hardly more questions than one."""
    write(fleet)
    names = fleet.create(60)
    fleet.apply(names)

    def questions(asked: list[str]) -> int:
        before = _asked(fleet)
        assert fleet.info(asked)["up_to_date"] == len(asked)
        return _asked(fleet) - before

    assert questions(names) - questions(names[:1]) <= 2


def _asked(fleet: Fleet) -> int:
    return int(fleet.server.query("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])


def test_a_name_that_means_nothing(fleet: Fleet) -> None:
    write(fleet)
    [name] = fleet.create(1)
    result = fleet.info([name, "nowhere"])
    assert result["failed"]
    assert result["msg"].startswith("databases names schemas that do not exist: nowhere. Create them first")
    assert fleet.info(history_limit=-1)["msg"] == (
        "history_limit is -1. Give the number of attempts to return, 0 or more. (DBM-1633)"
    )


def test_one_line_for_all(fleet: Fleet) -> None:
    write(fleet)
    names = fleet.create(4)
    states = States(fleet)
    states.at_target(names[0])
    states.failed(names[1])
    states.with_two_rows(names[2])
    result = fleet.info()
    assert result["msg"] == "4 databases: 1 up to date, 1 behind, 1 unhealthy, 1 unreadable"
    assert [group["msg"] for group in result["groups"]] == [
        f"{names[0]}: version 7, 0 migrations pending",
        f"{names[1]}: version 4, dirty: a migration is partially applied",
        f"{names[3]}: no version yet, 5 migrations pending",
    ]
    assert [entry["database"] for entry in result["databases"]] == names[1:3]
    assert result["databases"][0]["msg"] == (
        f"{names[1]}: version 4, dirty: 4_d.up.sql failed; none of its statements is done"
    )
    assert "has more than one row" in result["databases"][1]["msg"]
