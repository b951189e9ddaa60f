# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server quotes in an error, without what is ours in it."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import _without

OURS = "\n;UPDATE `a`.`h` SET done = 1\n;COMMIT"


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("near 'ADDD c INT' at line 1", "near 'ADDD c INT' at line 1"),
        ("near 'ADDD c INT\n;UPDATE `a`.`h` SET d' at line 1", "near 'ADDD c INT' at line 1"),
        ("near 'x\n;UPDATE `a`.`h` SET done = 1\n;COMMIT' at line 1", "near 'x' at line 1"),
        ("near 'x\n;y\n;UPDATE `a`' at line 1", "near 'x\n;y' at line 1"),
        # Behind its end.
        ("near ';UPDATE `a`.`h` SET done = 1\n;COMMIT' at line 2", "near '' at line 2"),
        ("near ';UPDATE ...' at line 2", "near '...' at line 2"),
        # The user's own.
        ("near '' at line 2", "near '' at line 2"),
        ("near ';' at line 2", "near ';' at line 2"),
    ],
)
def test_what_is_ours_is_not_shown(reason: str, left: str) -> None:
    assert _without(OURS, reason) == left


def test_where_nothing_is_ours() -> None:
    assert _without("", "near ';UPDATE a' at line 1") == "near ';UPDATE a' at line 1"
