# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share of ``make fuzz``: generated scripts, given to the server whole and in statements."""

from __future__ import annotations

from parts.mariadb import DatabaseServer
from programs.fuzz.__main__ import fuzz


def test_generated_scripts_do_not_differ(server: DatabaseServer) -> None:
    assert fuzz(server, scripts=200, seed=20261122) == 0
