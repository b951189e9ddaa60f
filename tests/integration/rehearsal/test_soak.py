# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few of the kills of ``make soak-rehearsal``."""

from __future__ import annotations

import random

from integration.migration.forks import Forks
from integration.migration.support import Database
from soak.rehearsal import soak


def test_kills_leave_nothing_that_the_next_run_does_not_drop(here: Database, forks: Forks) -> None:
    """Definitions and rows of the database itself are what they were."""
    wrong, _left = soak(here, forks, trials=4, dice=random.Random(5))
    assert wrong == 0
