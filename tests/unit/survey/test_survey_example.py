# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""examples/survey is what the report makes of its observations: ``make example-survey`` writes it again."""

from __future__ import annotations

import shutil
from pathlib import Path

from parts import CHECKOUT
from parts.survey_shop import write

EXAMPLE = CHECKOUT / "examples" / "survey"


def test_the_example_is_what_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "survey"
    folder.mkdir()
    shutil.copy(EXAMPLE / "decisions.yml", folder)
    result = write(folder)
    made, there = (
        {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}
        for root in (folder, EXAMPLE)
    )
    assert sorted(made) == sorted(there)
    assert {name for name, text in made.items() if text != there[name]} == set()
    assert result["refused"] == []
    # What is to be seen in it.
    kinds = {one["kind"] for one in result["findings"]}
    assert {"exposed", "gone", "not_seen", "partly_seen", "unanswered", "unused_rule"} <= kinds
    assert [one["host"] for one in result["not_seen"]] == ["old1"]
    assert [wave["number"] for wave in result["waves"]] == [1, 2, 3]
