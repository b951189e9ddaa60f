# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults that ``make mutants`` plants."""

from __future__ import annotations

import pytest
from programs.mutants.mutate import mutants, mutated


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", {"comparison: x = a <= b"}),
        ("x = a is not b", {"comparison: x = a is b"}),
        ("x = a in b", {"comparison: x = a not in b"}),
        ("x = a and b", {"boolean: x = a or b"}),
        ("x = True", {"constant: x = False"}),
        ("x = 7", {"constant: x = 8"}),
        ("x = a - b", {"arithmetic: x = a + b"}),
        ("x = not a", {"not: x = a"}),
        ("def f():\n    return a", {"return: def f():\n    return None"}),
        ("x = [a == 1, a == 2]", {
            "comparison: x = [a != 1, a == 2]",
            "comparison: x = [a == 1, a != 2]",
            "constant: x = [a == 2, a == 2]",
            "constant: x = [a == 1, a == 3]",
        }),
    ],
)  # fmt: skip
def test_a_fault_is_planted_at_each_place(source: str, faults: set[str]) -> None:
    assert {f"{mutant.kind}: {mutated(source, mutant)}" for mutant in mutants(source)} == faults


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a text'",
        "def f():\n    return None",
        "def f(x: Literal[1]) -> Literal[True]: ...",
        "x: Literal[1]",
        "if TYPE_CHECKING:\n    x = 1",
    ],
)
def test_nothing_is_planted_where_no_test_could_notice(source: str) -> None:
    assert mutants(source) == []
