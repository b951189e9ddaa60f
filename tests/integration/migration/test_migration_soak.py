# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A share of ``make soak``: runs that are interrupted at random, and run again."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from parts import CHECKOUT


def test_no_statement_is_left_out_or_run_twice() -> None:
    folders = os.pathsep.join([str(CHECKOUT / "tests"), str(CHECKOUT / ".venv" / "collections")])
    done = subprocess.run(
        [sys.executable, "-m", "programs.soak", "20", "20261126"],
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    last = re.fullmatch(r"(\d+) trials: \d+ resumed, \d+ asked, 0 wrong", done.stdout.splitlines()[-1])
    # Half of them are MySQL's, which may not be had.
    assert last is not None
    assert int(last[1]) >= 9
    assert done.returncode == 0
