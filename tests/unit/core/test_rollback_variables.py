# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role migrate refuses of a rollback, by its variables and by the versions of the databases."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from parts import CHECKOUT

ROLE = CHECKOUT / "roles" / "migrate"


def problems(name: str, **variables: Any) -> list[str]:
    """Return the problems that a variable of the role holds, of one host unless something else is given."""
    loader = DataLoader()
    # Before ansible-core 2.19 every text was a template.
    trust = (
        {"trusted_as_template": True} if "trusted_as_template" in signature(loader.load_from_file).parameters else {}
    )
    known: dict[str, Any] = {"ansible_play_hosts_all": ["orders"]}
    for file in ("defaults/main.yml", "vars/main/options.yml", "vars/main/rollback.yml"):
        known.update(loader.load_from_file(str(ROLE / file), **trust))
    templar = Templar(loader=loader, variables={**known, **variables})
    return [problem for problem in templar.template(known[name]) if problem]


@pytest.mark.parametrize(
    "variables",
    [
        {"migrate_steps": 1},
        {"migrate_steps": "2"},
        {"migrate_target": 7},
        {"migrate_target": "0010"},
        {"migrate_target": 0},
        {"migrate_target": "none"},
        {"migrate_steps": "", "migrate_target": "3"},
        {"migrate_steps": 1, "migrate_target": ""},
        {"migrate_databases": ["a"], "migrate_target": 3, "migrate_rollback_all": True},
    ],
)
def test_a_rollback_that_says_how_far_is_accepted(variables: dict[str, Any]) -> None:
    assert problems("__migrate_rollback_problems", **variables) == []


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"migrate_steps": 0},
        {"migrate_steps": -1},
        {"migrate_steps": 1, "migrate_target": 1},
        {"migrate_target": None},
    ],
)
def test_a_rollback_that_does_not_say_how_far_is_refused(variables: dict[str, Any]) -> None:
    assert problems("__migrate_rollback_problems", **variables) == [
        "A rollback needs either migrate_steps (how many migrations to roll back, 1 or more) or migrate_target"
        " (the version to go back to, or none to roll everything back). (DBM-1022)"
    ]


def test_a_rollback_of_more_than_one_database_is_refused() -> None:
    assert problems("__migrate_rollback_problems", migrate_steps=1, ansible_play_hosts_all=["orders", "stock"]) == [
        "This would roll back 2 databases. Name one with --limit, or set migrate_rollback_all to true. (DBM-1023)"
    ]
    [steps, resume, all_of_them] = problems(
        "__migrate_rollback_problems", migrate_databases=["a"], migrate_steps=1, migrate_resume_from=2
    )
    assert steps.startswith("A rollback of migrate_databases needs migrate_target (the version to go back to, or none")
    assert resume.startswith("migrate_resume_from is for one schema: ")
    assert all_of_them.startswith("This would roll back all of migrate_databases. ")


@pytest.mark.parametrize(
    ("version", "target", "where"),
    [(1, 2, "is at version 1"), (None, "3", "has no version yet"), (9, 10, "is at version 9")],
)
def test_a_rollback_that_would_go_up_is_refused(version: int | None, target: Any, where: str) -> None:
    said = problems("__migrate_target_problems", migrate_target=target, __migrate_before={"version": version})
    assert said == [
        f"The database {where}, so going to {target} is not a rollback. "
        "To go up, use the playbook dbops.migrations.migrate. (DBM-1024)"
    ]


@pytest.mark.parametrize(("version", "target"), [(2, 2), (3, "2"), (None, "none"), (1, "none")])
def test_a_rollback_to_a_version_that_is_not_above_is_accepted(version: int | None, target: Any) -> None:
    assert problems("__migrate_target_problems", migrate_target=target, __migrate_before={"version": version}) == []


def test_schemas_that_a_rollback_would_bring_up_are_named() -> None:
    before = {
        "groups": [{"version": version, "msg": f"s{version}"} for version in (1, 5)],
        "databases": [{"database": "broken", "failed": True, "msg": "It has two rows."}],
    }
    assert problems(
        "__migrate_target_problems", migrate_databases=["a"], migrate_target=3, __migrate_before=before
    ) == [
        "These schemas are below version 3, so going there is not a rollback: s1. Leave them out of migrate_databases, "
        "or bring them up first with the playbook dbops.migrations.migrate. Nothing was run. (DBM-2014)",
        "The versions of these schemas could not be read, so going to 3 might not be a rollback: broken. "
        "The first one: It has two rows. (DBM-2015)",
    ]
