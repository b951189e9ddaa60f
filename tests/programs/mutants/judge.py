# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that runs unit tests on a copy of the checkout, which is its working directory.

``judge.py record FILE`` runs all and writes down which lines each one runs, and which files each one reads as a text.
``judge.py serve`` runs those that a line of standard input names, each time in a copy of itself that has pytest
already, and prints how they ended.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import coverage
import pytest

OPTIONS = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
# It runs the engine a thousand times, and has mutations of its own: make simulate-mutations.
WITHOUT = ["--deselect=tests/unit/migration/test_simulation.py"]
# Nothing of ours, which has to be read when there is a fault in it.
LIBRARIES = ("ansible.module_utils.basic", "botocore.session", "git", "hypothesis", "networkx", "pymysql", "yaml")


class Recorder:
    """Tells coverage which test runs, and measures how long each takes and what it reads."""

    def __init__(self, measured: Any, folder: Path) -> None:
        self._measured, self._folder = measured, f"{folder.resolve()}/"
        self._test = ""
        self.seconds: dict[str, float] = defaultdict(float)
        self.readers: dict[str, list[str]] = defaultdict(list)
        self.failed: list[str] = []
        sys.addaudithook(self._see)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        test, start = item.nodeid.split("[")[0], time.process_time()
        self._test = test
        self._measured.switch_context(test)
        try:
            return (yield)
        finally:
            self._test = ""
            self.seconds[test] += time.process_time() - start
            self._measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def _see(self, event: str, details: Any) -> None:
        # What is imported is opened as bytes.
        if event == "open" and self._test and details[1] == "r" and not isinstance(details[0], int):
            file = os.path.realpath(details[0]).removeprefix(self._folder)
            # The other tests of its module may be given what it has read.
            module = self._test.split("::")[0]
            if not os.path.isabs(file) and module not in self.readers[file]:
                self.readers[file].append(module)


def record(output: Path) -> int:
    """Run all unit tests, and write the tests of each line and the seconds of each test."""
    folder = Path.cwd() / "plugins" / "module_utils"
    measured = coverage.Coverage(data_file=None, include=[f"{folder}/*"], config_file=False)
    recorder = Recorder(measured, folder)
    measured.start()
    code = pytest.main([*OPTIONS, *WITHOUT, "tests/unit"], plugins=[recorder])
    measured.stop()
    data = measured.get_data()
    lines = {
        Path(file).resolve().relative_to(folder.resolve()).as_posix(): data.contexts_by_lineno(file)
        for file in data.measured_files()
    }
    found = {"lines": lines, "readers": recorder.readers, "seconds": recorder.seconds, "failed": recorder.failed}
    output.write_text(json.dumps(found))
    return int(code)


def serve() -> None:
    """Run the tests that each line names, and print the exit status; nothing if they took too long."""
    for library in LIBRARIES:
        importlib.import_module(library)
    for line in sys.stdin:
        seconds, tests = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            signal.alarm(seconds)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            os._exit(int(pytest.main([*OPTIONS, "-x", *tests])))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps(status if status >= 0 else None), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "record":
        sys.exit(record(Path(sys.argv[2])))
    serve()
