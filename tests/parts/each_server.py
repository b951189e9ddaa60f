# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's tests on each server that is available, one after the other: ``python -m parts.each_server [PYTEST'S]``.

The last lines say about each server how many passed, failed and were skipped, or why it was not available.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from . import NotAvailable, private_folder
from .servers import SERVERS

TESTS = "tests/integration/migration"


def version(name: str) -> str:
    """Start a server and return its version; NotAvailable is raised when it is not available."""
    kind = SERVERS[name]
    with private_folder(name) as folder, kind(folder) as server:
        return str(server.query("SELECT VERSION()")[0][0])


def test(name: str, options: Sequence[str]) -> tuple[bool, str]:
    """Run the tests on one server, and return whether all is well and what became of them."""
    try:
        found = version(name)
    except NotAvailable as reason:
        return True, f"not run: {reason}"
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ["pytest", TESTS, "-n", "2", "--dist", "worksteal", "--servers", name, f"--junit-xml={report}"]
        code = subprocess.run([sys.executable, "-m", *command, *options], check=False).returncode
        if not report.exists():
            return False, f"{found}: pytest ended with {code}"
        [suite] = ElementTree.parse(report).getroot().iter("testsuite")
    count, failed, errors, skipped = (int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
    passed = count - failed - errors - skipped
    seconds = time.monotonic() - began
    return code == 0, f"{found}: {passed} passed, {failed + errors} failed, {skipped} skipped, {seconds:.0f} s"


def main(options: Sequence[str]) -> int:
    """Run the tests on each server, and return how many are not well."""
    outcomes = {}
    for name in SERVERS:
        print(f"===== {name}", flush=True)
        outcomes[name] = test(name, options)
    print("===== What the engine's tests did on each server")
    for name, (_well, text) in outcomes.items():
        print(f"{name:12} {text}")
    return sum(not well for well, _text in outcomes.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
