# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where nothing is to be rehearsed, nothing of it is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("rehearse", "pending", "loads"), [("never", True, False), ("always", False, False), ("check", True, True)]
)
def test_nothing_of_it_is_loaded_without_need(here: Database, rehearse: str, pending: bool, loads: bool) -> None:
    """Nothing is pending, or it is not wanted."""
    here.write({"0001_a.up.sql": "CREATE TABLE a (id INT)"})
    if not pending:
        assert not here.apply()["failed"]
    arguments = {**here.arguments("apply", {"rehearse": rehearse}), "_ansible_check_mode": True}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": str(here.directory.parent)}}),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    result, _newline, modules = done.stdout.rstrip().rpartition("\n")
    assert json.loads(result)["changed"] is pending
    assert (modules != "[]") is loads
