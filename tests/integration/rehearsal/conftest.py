# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests of rehearsals: those of the modules that migrate, and an account."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from integration.migration.conftest import forks, here, pytest_generate_tests, server, there
from integration.migration.support import Database

__all__ = ["account", "forks", "here", "pytest_generate_tests", "server", "there"]


@pytest.fixture
def account(there: Database) -> Iterator[dict[str, Any]]:
    """An account that has rights on the schemas of rehearsals only, as options."""
    name, password = f"r_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    there.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'")
    there.query(f"GRANT ALL PRIVILEGES ON `dbops\\_rehearsal\\_%`.* TO '{name}'@'%'")
    yield {"rehearsal_login_user": name, "rehearsal_login_password": password}
    there.query(f"DROP USER '{name}'@'%'")
