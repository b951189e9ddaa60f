# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's lock name."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name


@pytest.mark.parametrize(("database", "name"), [("mydb", "1906445756"), ("app", "2938252834"), ("test", "874159513")])
def test_the_name_is_golang_migrates(database: str, name: str) -> None:
    assert lock_name(database, "schema_migrations") == name
