# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's lock: its name, and which error says that it is lost."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import Lock, lock_name
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError

NOWHERE: Any = None
RANGE = "BIGINT UNSIGNED value is out of range in"


@pytest.mark.parametrize(("database", "name"), [("mydb", "1906445756"), ("app", "2938252834"), ("test", "874159513")])
def test_the_name_is_golang_migrates(database: str, name: str) -> None:
    assert lock_name(database, "schema_migrations") == name


@pytest.mark.parametrize(
    ("code", "reason", "lost"),
    [
        (1690, f"{RANGE} '~0 + if(is_used_lock(_latin1'17') <=> connection_id(),0,1)'", True),
        (1690, f"{RANGE} '(~(0) + if((is_used_lock(_latin1'17') <=> connection_id()),0,1))'", True),
        (1690, f"{RANGE} '~0 + if(is_used_lock(_latin1'18') <=> connection_id(),0,1)'", False),
        (1690, f"{RANGE} '17 + ~0'", False),
        (1064, "You have an error near 'is_used_lock(_latin1'17')'", False),
    ],
)
def test_the_guards_error_is_recognised(code: int, reason: str, lost: bool) -> None:
    assert Lock(NOWHERE, "17").lost(ServerError(code, reason, "The server refused the statement")) is lost


def test_the_guard_sets_a_variable_to_what_it_is() -> None:
    guard = Lock(NOWHERE, "17").guard
    assert guard.startswith("SET SESSION net_retry_count = IF(")
    assert guard.endswith(", @@SESSION.net_retry_count, @@SESSION.net_retry_count)")
    assert "_latin1'17'" in guard
