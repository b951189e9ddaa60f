# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: one set of real servers per test process, and two ways of running what is tested."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import ansible
import pytest
from hypothesis import HealthCheck, settings
from parts import CHECKOUT, NotAvailable, NotOnThisSystem, private_folder
from parts import golang_migrate as golang_migrate_part
from parts.ansible import PROGRAMS, Results, environment, kept_modules
from parts.forks import NAMES as MODULES
from parts.forks import Forks
from parts.mariadb import DatabaseServer
from parts.mysql import MySQL
from parts.playbooks import SECONDS, Playbooks
from parts.secretsmanager import SecretsManager
from parts.servers import SERVERS
from parts.sshd import GitServer

COLLECTIONS = CHECKOUT / ".venv" / "collections"

# How long an example takes says nothing where other tests run at the same time.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SERVERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SERVERS)}")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--servers",
        type=_names,
        metavar="NAME,NAME",
        help="the servers on which the engine's tests run; with one name, only the tests that run on it",
    )


def _only(config: pytest.Config) -> str | None:
    """Return the server's name if the option names one only."""
    names: list[str] = config.getoption("servers") or []
    return names[0] if len(names) == 1 else None


def _fixture_of(name: str) -> str:
    """Return the fixture that gives a server of this kind."""
    return "mysql" if issubclass(SERVERS[name], MySQL) else "mariadb"


def _makes_sense(item: pytest.Item) -> bool:
    """Tell whether the server of a test, if it is given one in turn, can have what the test is about."""
    name = item.callspec.params.get("server") if hasattr(item, "callspec") else None
    return name is None or item.get_closest_marker("of_mariadb") is None or _fixture_of(name) == "mariadb"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = filter(_makes_sense, items)
    only = _only(config)
    if only is None:
        return
    kept: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        # A parameter may have a fixture's name.
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        wanted = {name for name in ("mariadb", "mysql") if name in getattr(item, "fixturenames", ())} - {*parameters}
        runs_on_it = wanted == {_fixture_of(only)} or (not wanted and "server" in parameters)
        (kept if runs_on_it else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test whose part is not available on this system, and none for another reason."""
    report = yield
    reason = call.excinfo.value if call.excinfo else None
    if isinstance(reason, NotOnThisSystem):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {reason}")
    elif report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nNo test is skipped except for a part that raises NotOnThisSystem (tests/parts)."
    return report


class Servers:
    """The database servers, each of which is started when the first test asks for it."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._found: dict[str, DatabaseServer | NotAvailable] = {}

    def get(self, name: str) -> DatabaseServer:
        """Return a server; NotAvailable is raised where it is not available."""
        if name not in self._found:
            kind = SERVERS[name]
            folder = self._stack.enter_context(private_folder(name))
            try:
                self._found[name] = self._stack.enter_context(kind(folder))
            except NotAvailable as reason:
                self._found[name] = reason
        found = self._found[name]
        if isinstance(found, NotAvailable):
            raise found
        return found


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The database servers by their names."""
    with contextlib.ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(scope="session")
def mariadb(servers: Servers, pytestconfig: pytest.Config) -> DatabaseServer:
    """This machine's MariaDB, or the only server that the option names."""
    return servers.get(_only(pytestconfig) or "mariadb")


@pytest.fixture(scope="session")
def mysql(servers: Servers, pytestconfig: pytest.Config) -> DatabaseServer:
    """The newest MySQL, or the only server that the option names."""
    return servers.get(_only(pytestconfig) or "mysql")


@pytest.fixture(scope="session")
def git_server() -> Iterator[GitServer]:
    """An SSH server with Git repositories."""
    with private_folder("git") as folder, GitServer(folder) as server:
        yield server


@pytest.fixture(scope="session")
def secrets_manager() -> Iterator[SecretsManager]:
    """A Secrets Manager endpoint."""
    with private_folder("secrets") as folder, SecretsManager(folder) as server:
        yield server


@pytest.fixture(scope="session")
def golang_migrate() -> Path:
    """The real golang-migrate's program."""
    return golang_migrate_part.binary()


@pytest.fixture
def schema(mariadb: DatabaseServer) -> Iterator[str]:
    """The name of a new, empty schema on the MariaDB server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    mariadb.create_schema(name)
    yield name
    mariadb.query(f"DROP DATABASE IF EXISTS `{name}`")


class RunModule(Protocol):
    """Run a module of the collection and return its result."""

    def __call__(
        self,
        name: str,
        args: Mapping[str, Any],
        check: bool = False,
        diff: bool = False,
        *,
        python: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return its result."""


@pytest.fixture(scope="session")
def run_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunModule]:
    """Run a module as Ansible does on a host: its own process, the arguments as JSON, the result as JSON.

    It skips Ansible's controller, which takes a second; ``playbook`` has it. Python itself is started only for another
    Python, another environment, and the modules that nothing runs often.
    """
    library = tmp_path_factory.mktemp("library")
    idle: list[Forks] = []
    stack = contextlib.ExitStack()

    def fork(name: str, args: Mapping[str, Any], check: bool, diff: bool) -> dict[str, Any]:
        # One runs one module at a time; a test may run several.
        if idle:
            forks = idle.pop()
        else:
            forks = Forks()
            stack.callback(forks.close)
        try:
            result = forks(name, args, check, diff)
        finally:
            idle.append(forks)
        result.pop("invocation", None)
        return result

    # Only Ansible itself: another Python's libraries must not come from this one's environment.
    (library / "ansible").symlink_to(Path(ansible.__file__).parent)

    def run(
        name: str,
        args: Mapping[str, Any],
        check: bool = False,
        diff: bool = False,
        *,
        python: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        if name in MODULES and python is None and env is None:
            return fork(name, args, check, diff)
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(library)}
        done = subprocess.run(
            [python or sys.executable, "-m", f"ansible_collections.dbops.migrations.plugins.modules.{name}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": {**args, **internal}}),
            env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{library}", **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert not done.stderr, f"The module {name} printed an error: {done.stderr}"
        result: dict[str, Any] = json.loads(done.stdout)
        result.setdefault("failed", False)
        result.pop("invocation", None)
        assert done.returncode == int(result["failed"])
        return result

    with stack:
        yield run


@dataclass
class PlaybookResult(Results):
    """What a run of ansible-playbook gave: its exit code, its output, and each task's result."""

    rc: int = 0
    stdout: str = ""
    stderr: str = ""


class RunPlaybook(Protocol):
    """Run ansible-playbook and return what it gave."""

    def __call__(
        self,
        playbook: str | Path,
        inventory: Path | Mapping[str, Any],
        *options: str,
        extra_vars: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        programs: Path = PROGRAMS,
    ) -> PlaybookResult:
        """Return what it gave."""


@pytest.fixture(scope="session")
def playbooks() -> Iterator[Playbooks]:
    """An ansible-playbook that has been imported."""
    playbooks = Playbooks()
    yield playbooks
    playbooks.close()


@pytest.fixture
def playbook(tmp_path: Path, playbooks: Playbooks) -> RunPlaybook:
    """Run a playbook, by its path or its full name, on an inventory that is a path or a mapping.

    Its process is a copy of one that has imported Ansible, unless it is another Ansible or in another environment.
    """

    def run(
        playbook: str | Path,
        inventory: Path | Mapping[str, Any],
        *options: str,
        extra_vars: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        programs: Path = PROGRAMS,
    ) -> PlaybookResult:
        folder = tmp_path / f"playbook-{uuid.uuid4().hex[:8]}"
        folder.mkdir(mode=0o700)
        if not isinstance(inventory, Path):
            content, inventory = inventory, folder / "inventory.json"
            inventory.write_text(json.dumps(content))
        (folder / "variables.json").write_text(json.dumps(extra_vars or {}))
        results = folder / "results"
        results.touch()
        command = [str(programs / "ansible-playbook"), str(playbook), "-i", str(inventory)]
        command += ["-e", f"@{folder / 'variables.json'}", *options]
        variables = {**environment(results, programs), **kept_modules(), "ANSIBLE_NOCOLOR": "true", **(env or {})}
        if env is None and programs == PROGRAMS and playbooks.free(variables):
            done = playbooks.run(command, variables, folder)
        else:
            done = subprocess.run(
                command,
                env=variables,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        outcome = PlaybookResult(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)
        outcome.read(results)
        return outcome

    return run
