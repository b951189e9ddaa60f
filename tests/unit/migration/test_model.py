# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions out of texts that somebody gives."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import MAX_STATE, as_version


@pytest.mark.parametrize(
    ("text", "version"),
    [("0", 0), ("12", 12), ("0012", 12), ("0" * 5000 + "3", 3), (str(MAX_STATE), MAX_STATE)],
)
def test_a_version_is_digits_that_golang_migrate_takes(text: str, version: int) -> None:
    assert as_version(text) == version


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1\n", "\u0661", "\u00b2", str(MAX_STATE + 1), "9" * 5000])
def test_what_is_not_a_version(text: str) -> None:
    assert as_version(text) is None
