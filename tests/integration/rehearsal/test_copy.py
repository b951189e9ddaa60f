# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies are what they are copies of, and what an application's own migrations do raises no alarm."""

from __future__ import annotations

from typing import Any

import pytest
from integration.migration.support import Database
from integration.rehearsal.applications import Application
from integration.rehearsal.support import copied, made
from parts.mariadb import DatabaseServer, MariaDB

# Each server has its own ways here.
ABOUT_SERVERS = True


# 750 objects on three servers in make test-rehearsal.
@pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(1, 14), marks=pytest.mark.rehearsal)], ids=["few", "many"]
)
def test_a_copy_of_everything_differs_in_nothing(server: DatabaseServer, seeds: range) -> None:
    """SHOW CREATE of each object is the same but the definer, AUTO_INCREMENT, and whether an event is enabled."""
    sorts: set[str] = set()
    count = 0
    for seed in seeds:
        with made(server, seed, count=60) as schema:
            found = copied(server, schema)
        assert (found.left_out, found.differences) == ({}, []), seed
        assert found.objects > 50
        sorts |= found.sorts
        count += found.objects
    assert count >= (750 if len(seeds) > 1 else 50)
    assert sorts >= {"TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"}


# 20 applications in make test-rehearsal.
@pytest.mark.parametrize(
    ("seeds", "count"),
    [(range(1), 12), pytest.param(range(1, 21), 40, marks=pytest.mark.rehearsal)],
    ids=["one", "twenty"],
)
def test_a_generated_application_is_copied_and_raises_no_alarm(
    there: Database, account: dict[str, Any], seeds: range, count: int
) -> None:
    """Each down file leads back, nothing has drifted, and a copy of what results differs in nothing."""
    there.query("SET GLOBAL log_bin_trust_function_creators = 1")
    for seed in seeds:
        application = Application(seed, isinstance(there.server, MariaDB), count)
        for file in there.directory.iterdir():
            file.unlink()
        there.query(f"DROP DATABASE `{there.name}`")
        there.server.create_schema(there.name)
        there.write(application.files)
        for target in (count // 2, count):
            result = there.module("apply", check=True, rehearse="check", target=str(target), **account)
            rehearsal = result["rehearsal"]
            assert (rehearsal["why"], rehearsal["left_out"]) == (None, []), seed
            alarms = [
                (item["version"], item["why"], item["error"], item["irreversible"])
                for item in rehearsal["migrations"]
                if not (item["rehearsed"] and item["reversible"])
            ]
            assert alarms == [], seed
            result = there.apply(target=str(target), drift="refuse")
            assert not result["failed"], (seed, result["msg"])
            assert len(result["applied"]) == count // 2
            assert there.module("info")["drift"] == [], seed
        found = copied(there.server, there.name)
        assert (found.left_out, found.differences) == ({}, []), seed
        assert found.objects > count // 3
