# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that are misspelt, missing or read as something else by YAML, hosts that nothing matches, and rollbacks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.support import Team, failure
from parts import CHECKOUT

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

BOOKS = ("migrate", "status", "rollback", "force")
NUMBER = "is a number to YAML, which reads 1.10 as 1.1 and 0123 as 83. Quote it: '1.10' (DBM-1009)"
MUST = {"migrate_repository": "/nowhere", "migrate_version": 1}


def refused(playbook: RunPlaybook, book: str, *given: dict[str, Any]) -> list[list[str]]:
    """Return the lines that refuse variables, which are all that the run has to say, for a host with each of these."""
    extra = {"runner_hosts": "all", "runner_become": False} if book == "prepare_runner" else {"migrate_hosts": "all"}
    own = {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere/python"}
    hosts = {f"host{number}": {**own, **variables} for number, variables in enumerate(given)}
    result = playbook(f"dbops.migrations.{book}", {"all": {"hosts": hosts}}, extra_vars=extra)
    refusals = [failure(result, host, "Check the variables").splitlines() for host in hosts]
    assert [line for lines in refusals for line in lines if len(line) > 120] == []
    return refusals


@pytest.mark.parametrize("book", BOOKS)
def test_a_variable_that_is_misspelt_or_missing(playbook: RunPlaybook, book: str) -> None:
    misspelt = {"migrate_dryrun": True, "migrate_taget": 3, "migrate_quux_of_mine": 1, "migrate_my_own": 1}
    name = "migrate_version" if book == "force" else "migrate_repository"
    assert refused(playbook, book, {**MUST, **misspelt}, {}, {name: ""}) == [
        [
            "migrate_dryrun is not a variable of this role. Did you mean migrate_dry_run? (DBM-1005)",
            "migrate_quux_of_mine is not a variable of this role. A name of your own may begin with migrate_my_. "
            "(DBM-1005)",
            "migrate_taget is not a variable of this role. Did you mean migrate_target? (DBM-1005)",
        ],
        [f"{name} is not set. (DBM-1004)"],
        [f"{name} is not set. (DBM-1004)"],
    ]


def test_a_variable_of_the_runner_that_is_misspelt(playbook: RunPlaybook) -> None:
    assert refused(playbook, "prepare_runner", {"runner_hom": "/opt", "runner_my_own": 1, "runner_user": 17}) == [
        ["runner_hom is not a variable of this role. Did you mean runner_home? (DBM-1005)", f"runner_user {NUMBER}"]
    ]


def test_texts_that_yaml_has_changed_and_templates_that_cannot_be_evaluated(playbook: RunPlaybook) -> None:
    lacking = {**MUST, "migrate_directory": "{{ tags.service }}/db"}
    changed = {
        **MUST,
        "migrate_ref": 1.1,
        "release": 1.1,
        "migrate_directory": "{{ release }}",
        "migrate_login_password": 83,
        "migrate_login_database": True,
        "migrate_known_hosts": ["host ssh-ed25519 AAAA"],
        "migrate_secret_id": {"id": "x"},
        # These may be numbers.
        "migrate_login_port": 3306,
        "migrate_target": 3,
        "migrate_job": 7,
    }
    lines, [line] = refused(playbook, "migrate", changed, lacking)
    assert line.startswith("migrate_dest, migrate_directory, migrate_preview_dest cannot be evaluated: ")
    assert "tags" in line
    assert sorted(lines) == [
        f"migrate_directory {NUMBER}",
        "migrate_known_hosts is a list, but must be a string: write migrate_known_hosts: | with the lines below it. "
        "(DBM-1006)",
        "migrate_login_database is a boolean to YAML, as are yes, no, on and off. Write it in quotes: 'on' (DBM-1008)",
        f"migrate_login_password {NUMBER}",
        f"migrate_ref {NUMBER}",
        "migrate_secret_id is a dictionary, but must be a string. (DBM-1007)",
    ]


def test_every_entry_point_checks_the_variables_of_main(playbook: RunPlaybook) -> None:
    for book in (*BOOKS, "baseline", "kept"):
        must = {**MUST, "migrate_baseline": 1, "migrate_keep_destroyed": "kept"}
        [[line]] = refused(playbook, book, {**must, "migrate_tls": "maybe"})
        assert line.startswith("Value of migrate_tls must be one of: disabled, preferred, ")


@pytest.mark.parametrize(
    ("book", "missing"), [("force", "migrate_version"), ("kept", "migrate_keep_destroyed"), ("status", "")]
)
def test_the_deploy_key_is_only_read_where_it_is_needed(playbook: RunPlaybook, book: str, missing: str) -> None:
    """A database can be fixed where the key is not available."""
    key = {"migrate_private_key": "{{ key_of_nobody }}", "migrate_repository": "/nowhere"}
    [[line]] = refused(playbook, book, key)
    said = f"{missing} is not set. (DBM-1004)" if missing else "migrate_private_key cannot be evaluated: "
    assert line.startswith(said)


def test_an_interpreter_that_overrides_the_runners(team: Team, playbook: RunPlaybook) -> None:
    result = playbook(
        "dbops.migrations.migrate", team.inventory(), extra_vars={"ansible_python_interpreter": "/usr/bin/python3"}
    )
    assert failure(result, "orders", "Check the variables") == (
        "ansible_python_interpreter is set with -e, which the role cannot override. Remove it: the role uses "
        f"{team.variables['migrate_python']}, which is migrate_python. (DBM-1001)"
    )


def test_a_target_that_yaml_has_read_as_another(team: Team, playbook: RunPlaybook) -> None:
    """YAML reads 0010 as 8: no file has it, and the failure says where the database is."""
    assert playbook("dbops.migrations.migrate", team.inventory(migrate_target=1)).rc == 0
    result = playbook("dbops.migrations.migrate", team.inventory(migrate_target=8), "-v", "--limit", "orders")
    assert "target" in failure(result, "orders")
    assert result.result("orders", "Apply the migrations")["from_version"] == 1
    # 0 is a version like any other, not an empty value.
    zero = playbook("dbops.migrations.migrate", team.inventory(migrate_target=0), "--limit", "orders")
    assert "target" in failure(zero, "orders")
    assert team.version("orders") == (1, 0)


@pytest.mark.parametrize("book", [*BOOKS, "prepare_runner"])
def test_hosts_that_nothing_matches(playbook: RunPlaybook, book: str) -> None:
    prefix = "runner" if book == "prepare_runner" else "migrate"
    inventory: dict[str, Any] = {"all": {"hosts": {"orders": {}, "stock": {}}}}

    def says(text: str, *options: str, **variables: str) -> None:
        result = playbook(f"dbops.migrations.{book}", inventory, *options, extra_vars=variables)
        assert result.rc not in (0, 2)
        assert text in " ".join((result.stdout + result.stderr).split())
        assert result.tasks == []

    group = "runners" if prefix == "runner" else "databases"
    says(f"No host of the inventory matches {group}. (DBM-1012)")
    says("No host of the inventory matches shpo. (DBM-1012)", **{f"{prefix}_hosts": "shpo"})
    left = "No host that matches orders is left by --limit stock. (DBM-1013)"
    says(left, "--limit", "stock", **{f"{prefix}_hosts": "orders"})
    if book == "migrate":
        # The others ask the same lookup.
        unknown = "The inventory has no host or group named"
        says(f"{unknown} nobody.", "--limit", "orders,nobody", **{f"{prefix}_hosts": "all"})
        says(f"{unknown} shpo.", **{f"{prefix}_hosts": "orders:shpo"})


@pytest.mark.parametrize("option", ["--syntax-check", "--list-tasks", "--list-tags"])
def test_what_only_looks_at_a_playbook_needs_no_host(playbook: RunPlaybook, option: str) -> None:
    assert playbook("dbops.migrations.migrate", {"all": {}}, option).rc == 0


def test_a_limit_that_is_a_file(playbook: RunPlaybook, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("orders\n")
    inventory: dict[str, Any] = {"databases": {"hosts": {"orders": {}, "stock": {}}}}
    assert playbook("dbops.migrations.migrate", inventory, "--list-hosts", "--limit", f"@{tmp_path / 'hosts'}").rc == 0


@pytest.mark.parametrize(
    "hosts", ["databases:!stock", "orders", "ord*", "localhost", "orders:&databases", "~ord.*", "databases[0]"]
)
def test_patterns(playbook: RunPlaybook, hosts: str) -> None:
    inventory: dict[str, Any] = {"databases": {"hosts": {"orders": {}, "stock": {}}}}
    result = playbook("dbops.migrations.migrate", inventory, "--list-hosts", extra_vars={"migrate_hosts": hosts})
    assert "hosts (1)" in result.stdout


def test_a_rollback_of_more_than_one_database_needs_a_word(team: Team, playbook: RunPlaybook) -> None:
    assert playbook("dbops.migrations.migrate", team.inventory()).rc == 0
    refused = playbook("dbops.migrations.rollback", team.inventory(), extra_vars={"migrate_steps": 1})
    assert failure(refused, "orders", "Check the variables") == (
        "This would roll back 2 databases. Name one with --limit, or set migrate_rollback_all to true. (DBM-1023)"
    )
    assert (team.version("orders"), team.version("stock")) == ((2, 0), (2, 0))
    one = playbook("dbops.migrations.rollback", team.inventory(), "-l", "orders", extra_vars={"migrate_steps": 1})
    assert (one.rc, team.version("orders"), team.version("stock")) == (0, (1, 0), (2, 0))


def test_a_fetch_that_was_skipped_or_whose_failure_is_ignored(
    team: Team, playbook: RunPlaybook, tmp_path: Path
) -> None:
    skipped = playbook("dbops.migrations.migrate", team.inventory(), "--start-at-task", "Apply the migrations")
    assert "The migrations were not fetched, because the task that fetches them was skipped." in failure(
        skipped, "orders", "Apply the migrations"
    )
    book = tmp_path / "ignoring.yml"
    book.write_text(
        "- hosts: orders\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.import_role: {name: dbops.migrations.migrate}\n      ignore_errors: true\n"
    )
    ignored = playbook(book, team.inventory(migrate_ref="no-such-branch"))
    assert "no-such-branch" in ignored.result("orders", "Apply the migrations")["msg"]


def status(playbook: RunPlaybook, team: Team, fail: list[str], **variables: Any) -> PlaybookResult:
    return playbook(
        "dbops.migrations.status",
        team.inventory(**variables),
        "--limit",
        "orders",
        extra_vars={"migrate_status_fail": fail},
    )


def test_a_status_that_is_a_failure(team: Team, playbook: RunPlaybook) -> None:
    every = ["dirty", "pending", "out_of_order", "changed", "missing"]
    pending = status(playbook, team, every)
    assert failure(pending, "orders", "migrate_status_fail") == "The status is: pending. (DBM-1025)"
    # What there is to see is shown all the same.
    assert "pending       1 people" in pending.stdout
    assert status(playbook, team, ["dirty", "missing"]).rc == 0
    team.repository.commit({"db/0003_wrong.up.sql": "SELECT nope;\n", "db/0003_wrong.down.sql": "SELECT 1;\n"})
    assert playbook("dbops.migrations.migrate", team.inventory(), "-l", "orders").rc == 2
    team.repository.commit({"db/0001_people.up.sql": "SELECT 'changed';\n", "db/0002_email.up.sql": None})
    found = failure(status(playbook, team, every), "orders", "migrate_status_fail")
    assert found == "The status is: dirty, changed. (DBM-1025)"


def test_what_no_migration_has_changed(team: Team, playbook: RunPlaybook) -> None:
    warn, schema = {"migrate_drift": "warn"}, team.databases["orders"]
    assert playbook("dbops.migrations.migrate", team.inventory(**warn), "-l", "orders").rc == 0
    assert status(playbook, team, ["drift"]).rc == 0
    team.mariadb.query("ALTER TABLE people ADD by_hand INT", schema)
    found = status(playbook, team, ["drift"])
    assert failure(found, "orders", "migrate_status_fail") == "The status is: drift. (DBM-1025)"
    assert "drift         TABLE people changed" in found.stdout
    team.repository.commit({"db/0003_more.up.sql": "SELECT 1;\n"})
    refused = playbook("dbops.migrations.migrate", team.inventory(migrate_drift="refuse"), "-l", "orders")
    reason = failure(refused, "orders", "Apply the migrations")
    assert "has drifted: these objects were changed since the last run" in reason
    assert "or set migrate_drift to warn for one run" in reason
    assert playbook("dbops.migrations.migrate", team.inventory(**warn), "-l", "orders").rc == 0
    assert status(playbook, team, ["drift"]).rc == 0


def test_a_database_that_cannot_be_reached(team: Team, playbook: RunPlaybook) -> None:
    nowhere = {"migrate_login_port": 1}
    result = status(playbook, team, ["unreachable", "dirty"], **nowhere)
    reason = failure(result, "orders", "Get the migration status")
    assert result.stdout.count(reason[:60]) <= 2
    passed = status(playbook, team, ["dirty"], **nowhere)
    assert passed.rc == 0
    assert reason.split(":")[0] in passed.stdout


def test_the_examples_name_one_database() -> None:
    for path in [CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md"), *(CHECKOUT / "roles").glob("*/README.md")]:
        for line in path.read_text().splitlines():
            if "ansible-playbook" in line and "migrations.rollback" in line:
                assert "--limit" in line, f"{path.name}: {line}"
