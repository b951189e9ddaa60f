# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules in processes of their own, as Ansible has them on a host, without the time that importing takes.

A process imports the modules once, and a copy of it runs each of them: a tenth of the time, and it can be killed.
Whatever a module would import and compile as it goes is there as well.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

PACKAGE = "ansible_collections.dbops.migrations.plugins.modules"
NAMES = (
    "git_fetch",
    "migration_apply",
    "migration_apply_many",
    "migration_baseline",
    "migration_check",
    "migration_create",
    "migration_drop",
    "migration_force",
    "migration_info",
    "migration_info_many",
    "migration_kept",
    "secret_lookup",
)
# What a module imports when it needs it.
LIBRARIES = ("boto3", "botocore.session")
UTILS = "ansible_collections.dbops.migrations.plugins.module_utils"
SCRIPT = b"CREATE TABLE a (b INT);\nCREATE PROCEDURE c () BEGIN IF 1 THEN SELECT (1); END IF; END;\n"
# No module takes as long in a test.
SECONDS = 180


class Forks:
    """The process that has imported the modules. It runs one at a time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._output = Path(self._folder.name) / "output"
        self._environment = dict(os.environ)
        # This process has found the modules and itself by paths that Python does not hand on.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # ended() must see all that has not been read.
            bufsize=0,
            env=environment,
        )
        self._child: int | None = None

    @property
    def temporary(self) -> Path:
        """What the modules take for Ansible's temporary folder."""
        return Path(self._folder.name)

    def __call__(self, name: str, args: Mapping[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        """Run a module and return its result."""
        self.begin(name, {**args, "_ansible_check_mode": check, "_ansible_diff": diff})
        return self.result()

    def begin(self, name: str, args: Mapping[str, Any], ignored: Sequence[int] = ()) -> int:
        """Begin to run a module and return its process's number. One that still runs is killed.

        :param ignored: the signals that the process ignores from its start; no others, whatever we ignore ourselves.
        """
        assert self._process.stdin is not None
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self.status()
        internal = {"_ansible_remote_tmp": self._folder.name}
        changed = {
            variable: os.environ.get(variable)
            for variable in {*self._environment, *os.environ}
            if os.environ.get(variable) != self._environment.get(variable)
        }
        line = json.dumps([name, {"ANSIBLE_MODULE_ARGS": {**args, **internal}}, ignored, changed, os.getcwd()])
        self._process.stdin.write(line.encode() + b"\n")
        self._child = self._number()
        return self._child

    def ended(self, seconds: float = 0) -> bool:
        """Tell whether the module that was started has ended, or does so within some seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def status(self) -> int:
        """Wait for the module's end and return its exit code; it is negative when a signal ended it."""
        if self._child is not None and not self.ended(SECONDS):
            os.kill(self._child, signal.SIGKILL)
        status = self._number()
        self._child = None
        return status

    def result(self) -> dict[str, Any]:
        """Wait for the module's end and return its result."""
        status, text = self.status(), self._output.read_text().lstrip()
        assert text.startswith("{"), text
        result: dict[str, Any] = json.loads(text)
        result.setdefault("failed", False)
        assert status == int(result["failed"])
        return result

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._folder.cleanup()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def serve(output: str) -> None:
    """Run each module that standard input names."""
    mains = {name: importlib.import_module(f"{PACKAGE}.{name}").main for name in NAMES}
    for library in LIBRARIES:
        importlib.import_module(library)
    _warm_up()
    for line in sys.stdin:
        name, arguments, ignored, changed, directory = json.loads(line)
        child = os.fork()
        if child == 0:
            # What the modules have taken out of the environment as they were imported stays out.
            for variable, value in changed.items():
                os.environ.pop(variable, None)
                if value is not None:
                    os.environ[variable] = value
            os.chdir(directory)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            _run(mains[name], json.dumps(arguments), output)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _warm_up() -> None:
    """Import and compile what a module does only when there is something to do."""
    utils = importlib.import_module(UTILS)
    for found in pkgutil.walk_packages(utils.__path__, f"{UTILS}."):
        importlib.import_module(found.name)
    splitter, lexer = (sys.modules[f"{UTILS}._migration.files.{name}"] for name in ("splitter", "lexer"))
    # The newest MySQL has quotes of its own.
    for mariadb, version in ((True, 101100), (False, 80000), (False, 90000)):
        dialect = lexer.Dialect(mariadb=mariadb, version=version)
        list(splitter.Splitter(io.BytesIO(SCRIPT), dialect).statements())


def _run(main: Any, arguments: str, output: str) -> NoReturn:
    place = os.open(output, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    os.dup2(place, 1)
    os.dup2(place, 2)
    # Ansible takes an argument for the options.
    del sys.argv[1:]
    sys.stdin = io.TextIOWrapper(io.BytesIO(arguments.encode()))
    status = 1
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
