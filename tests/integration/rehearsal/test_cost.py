# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where nothing is to be rehearsed, the rehearsal's code is not loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from integration.migration.support import Database

# Runs the module and prints, behind its result, which of the wing's files were loaded.
PROGRAM = """
import sys
from ansible_collections.dbops.migrations.plugins.modules.migration_apply import main
try:
    main()
except SystemExit:
    print()
    print(sorted(name for name in sys.modules if "_rehearsal" in name))
"""
LONGEST = """
from functools import partial
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal import rehearse
rehearse.Request = partial(rehearse.Request, longest={})
"""


@pytest.mark.parametrize(
    ("rehearse", "pending", "loads"), [("never", True, False), ("always", False, False), ("check", True, True)]
)
def test_the_rehearsal_is_not_loaded_without_need(here: Database, rehearse: str, pending: bool, loads: bool) -> None:
    """Nothing is pending, or it is not wanted: then only the guards are."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    if not pending:
        assert not here.apply()["failed"]
    result, modules = run(here, PROGRAM, rehearse)
    assert result["changed"] is pending
    assert ("_rehearsal.rehearse'" in modules) is loads
    # Check mode says what the guards find in the files, which takes no rehearsal.
    assert ("_rehearsal.guards'" in modules) is pending


def test_a_long_rehearsal_ends_before_its_time(here: Database) -> None:
    """What has not had its turn is not rehearsed."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    result, _modules = run(here, LONGEST.format(-1) + PROGRAM, "check")
    assert result["rehearsal"]["migrations"][0]["why"] == "the rehearsal has taken longer than -1 s"


def test_a_long_file_ends_before_its_time(here: Database) -> None:
    """It may have a million rows, which are not worth a rehearsal of them."""
    here.write(
        {"0001_a.up.sql": "CREATE TABLE a (id INT);\nDO SLEEP(0.7);\nDO SLEEP(0.7);\nINSERT INTO a VALUES (1);\n"}
    )
    result, _modules = run(here, LONGEST.format(1) + PROGRAM, "check")
    [migration] = result["rehearsal"]["migrations"]
    assert migration["rehearsed"] is False
    assert migration["why"] == "before line 4 (statement 4) it has taken longer than 1 s"


def test_files_that_are_large_are_not_read(here: Database) -> None:
    """They are rows, which the copies do without."""
    row = f"INSERT INTO a VALUES ('{'x' * 1000}');\n"
    here.write({"0001_a.up.sql": "CREATE TABLE a (t TEXT)", "0002_rows.up.sql": row * 17_000})
    result = here.module("apply", check=True, rehearse="check")
    assert result["rehearsal"]["why"] == "0002_rows.up.sql has 17.5 MB; the limit for all files together is 16 MB"


def run(here: Database, program: str, rehearse: str) -> tuple[dict[str, Any], str]:
    """Run the module in check mode in a process of its own; return its result, and what is printed after it."""
    arguments = {**here.arguments("apply", {"rehearse": rehearse}), "_ansible_check_mode": True}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": str(here.directory.parent)}}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    result, _newline, printed = done.stdout.rstrip().rpartition("\n")
    return json.loads(result), printed
