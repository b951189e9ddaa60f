# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that would run a command on the controller, paint a terminal or fill a log, in what comes from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from integration.roles.support import Team
from parts.ansible import PROGRAMS
from parts.secretsmanager import SecretsManager

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

# A shell puts the path in, which has a slash, as no file's name has.
TEMPLATE = "{{ lookup('pipe', 'touch $HOSTILE') }}"
# Escapes of a terminal, old and new, a page's code, an end of line, and what turns the direction of writing.
PAINT = "\x1b[31m\x9b1m<b>\n\u202e"
TEXT = TEMPLATE + PAINT
MIB = 1 << 20
# The host whose database can be migrated, and the schema in which another tool keeps what it has done.
GOOD, SOMEBODYS = "orders", "hostile_somebodys"
# Of all that a playbook prints, whatever fails.
LONGEST = 100_000
AWX = {
    "awx_job_id": 7,
    "tower_job_id": 7,
    # As AWX hands on what a person has answered.
    "awx_user_name": {"__ansible_unsafe": TEXT},
    "migrate_target": {"__ansible_unsafe": "latest"},
}
# Hosts that fail from the start, by what their secret has for them.
SECRETS: dict[str, dict[str, Any]] = {
    "account": {"username": TEXT},
    "server": {"host": TEXT},
    "long": {"dbname": TEXT * 1000},
}
# A column of somebody else's state table; one that we have not made ourselves.
FOREIGN = f"CREATE TABLE schema_migrations (version INT, `{TEXT}` INT)"
# Statements of a migration: what the server says about it, and a file of that size which it quotes.
WRONG = (f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = \"{TEXT}\"", TEXT * (MIB // len(TEXT)))


def tries(
    playbook: RunPlaybook,
    team: Team,
    secrets_manager: SecretsManager,
    folder: Path,
    programs: Path = PROGRAMS,
    ways: Sequence[bool] = (False, True),
) -> list[str]:
    """Go all ways with such texts; return what was wrong, by run.

    :param folder: where the command would make a file.
    :param ways: whether AWX starts the runs, or both.
    """
    inventory = _prepare(team, secrets_manager)
    good = inventory["all"]["children"]["databases"]["hosts"][GOOD]
    # A pattern, for a name would be the inventory's own template.
    hosts = {GOOD: {**good, "migrate_databases": "%pipe%"}}
    one = {"all": {**inventory["all"], "children": {"databases": {"hosts": hosts}}}}
    found: list[str] = []

    def run(name: str, *options: str, awx: bool, failed: bool = False, many: bool = False, **variables: Any) -> None:
        outcome = playbook(
            f"dbops.migrations.{name}",
            one if many else inventory,
            *options,
            extra_vars={**variables, **(AWX if awx else {})},
            env={"HOSTILE": str(folder / "hostile")},
            programs=programs,
        )
        where = f"{name} {options}{' in AWX' if awx else ''}"
        failing = {GOOD} if failed else set()
        failing |= set() if many else {*SECRETS, "text", "files", "somebody's"}
        found.extend(f"{where}: {problem}" for problem in _problems(outcome, failing, folder / "hostile"))

    try:
        for awx in ways:
            run("migrate", "--check", "--diff", awx=awx)
        run("migrate", awx=True)
        run("rollback", migrate_steps=1, migrate_rollback_all=True, awx=True)
        for awx, text in zip((ways[0], True), WRONG):
            team.repository.commit({"db/0004_wrong.up.sql": f"{text};\n"})
            run("migrate", failed=True, awx=awx)
            team.mariadb.query("UPDATE schema_migrations SET version = 2, dirty = 0", TEXT)
        # Whoever may write to the database may write there.
        history = "schema_migrations_history"
        columns = ", ".join(f'{name} = "{TEXT}"' for name in ("title", "error", "ran_by", "job"))
        team.mariadb.query(f"UPDATE {history} SET {columns}", TEXT)
        for awx in ways:
            run("status", "--diff", awx=awx)
            run("status", awx=awx, many=True)
        run("rollback", awx=False, failed=True, many=True, migrate_target=9, migrate_rollback_all=True)
    finally:
        for name in (TEXT, SOMEBODYS):
            team.mariadb.query(f"DROP DATABASE `{name}`")
    return found


def _prepare(team: Team, secrets_manager: SecretsManager) -> dict[str, Any]:
    """Make such a schema and such files, and return the inventory: a host that can be migrated, and others."""
    server = team.mariadb
    for name in (TEXT, SOMEBODYS):
        server.query(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")
    server.query(FOREIGN, SOMEBODYS)
    login = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
    secrets = {GOOD: {"dbname": TEXT}, "somebody's": {"dbname": SOMEBODYS}, **SECRETS}
    hosts: dict[str, dict[str, Any]] = {}
    for host, fields in secrets.items():
        secrets_manager.put(f"hostile/{host}", json.dumps({**login, "dbname": TEXT, **fields}))
        hosts[host] = {"migrate_secret_id": f"hostile/{host}"}
    secrets_manager.put("hostile/text", TEXT)
    hosts["text"] = {"migrate_secret_id": "hostile/text"}
    files = {f"db/0003_{TEMPLATE}<b>.{way}.sql": "SELECT 1;\n" for way in ("up", "down")}
    team.repository.commit(files)
    # Written as Git wants such a name in what it imports.
    team.repository.branch("painted")
    painted = "".join(f"\\{byte:03o}" for byte in TEXT.encode())
    team.repository.commit({f'"db/0004_{painted}.up.sql"': "SELECT 1;\n"}, branch="painted")
    hosts["files"] = {"migrate_secret_id": f"hostile/{GOOD}", "migrate_ref": "painted"}
    team.databases = {GOOD: TEXT}
    inventory = team.inventory()
    inventory["all"]["children"]["databases"]["hosts"] = hosts
    return inventory


def _problems(outcome: PlaybookResult, failing: set[str], mark: Path) -> Iterator[str]:
    """Yield what is wrong with a run.

    :param failing: the hosts that are to fail, and no others.
    """
    printed = outcome.stdout + outcome.stderr
    if mark.exists():
        yield "the command was run"
        mark.unlink()
    if {host for host, counts in outcome.stats.items() if counts["failures"]} != failing:
        yield f"{outcome.stats}: {printed[-3000:]}"
    if "{{ lookup('pipe'" not in printed:
        yield "the text is not shown as it is"
    for line in printed.split("\n"):
        if not line.isprintable():
            yield f"{line[:300]!r} was printed"
            break
    if len(printed) > LONGEST:
        yield f"{len(printed)} characters were printed"
