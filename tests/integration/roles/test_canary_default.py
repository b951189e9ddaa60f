# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With the default role no secret comes to the controller, nor passes between it and the runner.

On this environment's ansible-core with the other tests, and on all that we support with ``make canary``.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.roles.canary import GOOD, NAMED, SLOW, STEPS, Canary, prepared
from integration.roles.support import Team
from integration.roles.watch import Watch
from parts import cores, private_folder
from parts.ansible import PROGRAMS
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

# Whether the runner is reached over SSH, and whether modules go to Python's standard input or into a file.
WAYS = {
    "local": (False, False),
    "local, pipelining": (False, True),
    "ssh": (True, False),
    "ssh, pipelining": (True, True),
}
MIGRATE = "dbops.migrations.migrate"


@pytest.fixture
def canary(team: Team, git_server: GitServer, secrets_manager: SecretsManager) -> Iterator[Canary]:
    # Its path is short, as it holds ssh's sockets.
    with private_folder("canary") as folder, prepared(team, git_server, secrets_manager, folder) as canary:
        yield canary


@pytest.fixture(params=cores.CORES)
def programs(request: pytest.FixtureRequest) -> Path:
    """The programs of each ansible-core in turn."""
    return cores.programs(request.param)


def variables_of(way: str, canary: Canary) -> dict[str, Any]:
    ssh, pipelining = WAYS[way]
    return {**(canary.over_ssh() if ssh else {}), "ansible_pipelining": pipelining}


def play(watch: Watch, run: Callable[..., PlaybookResult], *arguments: Any, **more: Any) -> PlaybookResult:
    """Run a playbook at the highest verbosity, and have its output watched."""
    result = run(*arguments, "-vvvv", **more)
    watch.output += (result.stdout + result.stderr).encode()
    assert result.rc == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result


def run_all(canary: Canary, playbook: RunPlaybook, way: str, programs: Path, failing: list[str]) -> tuple[Watch, int]:
    """Run all of the role, on what ends well and on what fails, and return what was seen and how many runs it was."""
    inventory, book = canary.inventory(**variables_of(way, canary)), canary.book()
    runs = 0
    with canary.watch() as watch:
        for hosts, options in (
            ([GOOD[0]], ["--check", "--diff"]),
            ([*GOOD, *failing], ["--diff"]),
            ([NAMED], []),
        ):
            more = {"env": canary.account(), "programs": programs}
            result = play(watch, playbook, book, inventory, "--limit", ",".join(hosts), *options, **more)
            runs += len(result.stats)
            known = canary.variables()
            assert set(known) == set(hosts)
            for host, variables in known.items():
                said = variables.get("canary_failed", {}).get("msg", "")
                assert canary.messages.get(host, "") in said
                assert bool(said) == (host in canary.messages), said
        canary.keep_histories()
    return watch, runs


def run_long(canary: Canary, playbook: RunPlaybook, way: str, programs: Path) -> Watch:
    """Run what takes long and has the password in its text, while somebody else looks; return what was seen."""
    inventory, book = canary.inventory(**variables_of(way, canary)), canary.book()
    more = {"env": canary.account(), "programs": programs}
    status = {"ansible.builtin.include_role": {"name": MIGRATE, "tasks_from": "status"}}
    looking = canary.folder / "looking.yml"
    looking.write_text(json.dumps([{**play, "tasks": [status]} for play in json.loads(book.read_text())]))

    def run(which: Path) -> PlaybookResult:
        return play(watch, playbook, which, inventory, "--limit", SLOW, **more)

    with canary.watch() as watch:
        ran, looked = canary.while_it_waits(lambda: run(book), lambda: run(looking))
        canary.keep_histories()
    assert "0001_account.up.sql:1 SET PASSWORD: " in ran.stdout
    assert "; SET PASSWORD: " in looked.stdout
    assert any("/dbops-migrations-" in path for path in watch.passing)
    return watch


def assert_awake(canary: Canary, watch: Watch, way: str) -> None:
    """The watch saw what it is there to see."""
    ssh, pipelining = WAYS[way]
    assert any(b"ansible-playbook" in process for process in watch.processes)
    assert any(process.startswith(b"ssh ") for process in watch.processes)
    assert any(re.search("/git_fetch-[^/]+/passphrase$", path) for path in watch.passing)
    assert pipelining != any(re.search(r"/AnsiballZ_git_fetch\.py$", path) for path in watch.passing)
    if ssh:
        sent, received = (
            b"".join(path.read_bytes() for path in canary.packets() if path.suffix == suffix)
            for suffix in (".stdin", ".stdout")
        )
        assert canary.team.databases[GOOD[0]].encode() in sent
        assert b"there is no secret" in received or b"neither JSON" in received
    for program in ("git", "ssh"):
        assert watch.core_limits[f"under git_fetch: {program}"] == {"0"}
    if not pipelining:
        for module in ("git_fetch", "migration_apply", "migration_info"):
            assert "0" in watch.core_limits[module]


def row(programs: Path, way: str, runs: int, watch: Watch, places: Mapping[str, list[str]], streams: int) -> str:
    """Return a row of the table that ``make canary`` prints."""
    question = "import platform, ansible.release as r; print(r.__version__, platform.python_version(), sep='|')"
    versions = subprocess.run([programs / "python", "-c", question], capture_output=True, text=True, check=True).stdout
    searched = f"{len(watch.processes)}|{len(watch.passing)}|{streams}|{watch.searched}"
    return f"{versions.strip()}|{way}|{runs}|{searched}|{sum(map(len, places.values()))}"


def test_no_secret_comes_to_the_controller(canary: Canary, playbook: RunPlaybook) -> None:
    watch, _runs = run_all(canary, playbook, "ssh", PROGRAMS, STEPS)
    assert watch.places() == {}
    assert_awake(canary, watch, "ssh")


@pytest.mark.canary
@pytest.mark.parametrize("way", WAYS)
def test_every_core(
    canary: Canary, playbook: RunPlaybook, programs: Path, way: str, record_property: Callable[[str, str], None]
) -> None:
    # The others fail in the module itself, whatever leads to it; this way is the quickest.
    failing = [host for host in canary.messages if host != NAMED] if way == "local, pipelining" else STEPS
    watch, runs = run_all(canary, playbook, way, programs, failing)
    places = watch.places()
    record_property("canary", row(programs, way, runs, watch, places, len(canary.packets())))
    assert places == {}
    assert_awake(canary, watch, way)


@pytest.mark.canary
@pytest.mark.parametrize("way", ["ssh", "ssh, pipelining"])
def test_what_takes_long_on_every_core(
    canary: Canary, playbook: RunPlaybook, programs: Path, way: str, record_property: Callable[[str, str], None]
) -> None:
    watch = run_long(canary, playbook, way, programs)
    places = watch.places()
    record_property("canary", row(programs, f"{way}, long", 2, watch, places, len(canary.packets())))
    assert places == {}


def ansible_runner(canary: Canary, programs: Path) -> Watch:
    """Run the playbook as AWX does: once it ends well, once it fails."""
    with canary.watch() as watch:
        for limit, code, said in ((GOOD[0], 0, "version 2"), ("joined,refused", 2, "Access denied")):
            result = canary.run_by_ansible_runner(MIGRATE, limit, programs)
            assert result.returncode == code, result.stdout[-3000:] + result.stderr
            watch.output += (result.stdout + result.stderr).encode()
            assert said in result.stdout
        canary.keep_histories()
    return watch


def test_ansible_runner_keeps_none(canary: Canary) -> None:
    watch = ansible_runner(canary, PROGRAMS)
    assert watch.places() == {}
    assert any("migration_apply" in event.read_text() for event in canary.events())


@pytest.mark.canary
def test_ansible_runner_on_every_core(
    canary: Canary, programs: Path, record_property: Callable[[str, str], None]
) -> None:
    watch = ansible_runner(canary, programs)
    places = watch.places()
    record_property("canary", row(programs, "ansible-runner", 3, watch, places, len(canary.events())))
    assert places == {}
    assert any("migration_apply" in event.read_text() for event in canary.events())


@pytest.mark.canary
def test_ansible_runner_with_what_takes_long(
    canary: Canary, programs: Path, record_property: Callable[[str, str], None]
) -> None:
    with canary.watch() as watch:
        result, _nothing = canary.while_it_waits(
            lambda: canary.run_by_ansible_runner(MIGRATE, SLOW, programs, "-vvvv"), lambda: time.sleep(6)
        )
        watch.output += (result.stdout + result.stderr).encode()
        canary.keep_histories()
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert any("0001_account.up.sql:1 SET PASSWORD: " in event.read_text() for event in canary.events())
    places = watch.places()
    record_property("canary", row(programs, "ansible-runner, long", 1, watch, places, len(canary.events())))
    assert places == {}


def plant(canary: Canary, playbook: RunPlaybook, way: str, programs: Path) -> None:
    """Give the password as a plain option and print it, and see that it is found at each place."""
    pipelining = WAYS[way][1]
    server = canary.team.mariadb
    admin = {"login_host": server.host, "login_port": server.port, "login_user": server.user}
    plain = {"migrate_secret_id": "", "migrate_login_password": server.password, "planted": server.password}
    variables = {**plain, **{f"migrate_{name}": value for name, value in admin.items()}}
    variables["migrate_login_database"] = canary.team.databases[GOOD[0]]
    book = canary.book(
        {"ansible.builtin.debug": {"msg": "{{ planted }}"}},
        {"ansible.builtin.set_fact": {"kept": "{{ planted }}"}},
        {
            "ansible.builtin.command": "sleep 0.5",
            "environment": {"GIT_SSH_COMMAND": "planted"},
            "vars": {"ansible_python_interpreter": sys.executable},
        },
    )
    inventory = canary.inventory(**variables_of(way, canary), good=[])
    canary.texts[:] = [server.password]
    with canary.watch() as watch:
        options = ["-vvvv", "--limit", GOOD[0]]
        result = playbook(book, inventory, *options, extra_vars=variables, env=canary.account(), programs=programs)
        watch.output += result.stdout.encode()
    assert result.rc == 0, result.stdout[-3000:]
    places = watch.places()
    # Since ansible-core 2.22 what one module was given as a secret is masked in what is printed later.
    assert "output" in places or version(programs) >= (2, 22)
    assert str(canary.folder / "variables.json") in places["files"]
    found = {Path(path).suffix for path in places["files"] if Path(path).parent == canary.folder / "packets"}
    assert ".stdin" in found
    modules = [path for path in places.get("passing", []) if path.startswith(str(canary.folder / "remote"))]
    assert bool(modules) != pipelining
    if resource.getrlimit(resource.RLIMIT_CORE)[0]:
        assert "0" not in watch.core_limits["under git_fetch: sleep"]
    with canary.watch() as watch:
        planted = [{"ansible.builtin.debug": {"msg": server.password}}]
        shown = canary.folder / "planted.yml"
        shown.write_text(json.dumps([{"hosts": "databases", "gather_facts": False, "tasks": planted}]))
        assert canary.run_by_ansible_runner(shown, GOOD[0], programs).returncode == 0
    files = watch.places()["files"]
    assert any(str(event) in files for event in canary.events())
    assert any(path.endswith("/stdout") for path in files)


@pytest.mark.canary
@pytest.mark.parametrize("way", ["ssh", "ssh, pipelining"])
def test_what_is_planted_is_found_on_every_core(
    canary: Canary, playbook: RunPlaybook, programs: Path, way: str
) -> None:
    plant(canary, playbook, way, programs)


def version(programs: Path) -> tuple[int, ...]:
    question = "import ansible.release as r; print(r.__version__)"
    said = subprocess.run([programs / "python", "-c", question], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split(".")[:2]))


@pytest.mark.canary
def test_what_is_handed_out_is_masked_since_2_22(canary: Canary, playbook: RunPlaybook, programs: Path) -> None:
    """The module's and the lookup's results are for the user: the variable holds the password, the output does not."""
    text = canary.folder / "text"
    text.touch(0o600)
    looked_up = canary.secret("looked-up")
    text.write_text(json.dumps({"password": looked_up}))
    manager = {name: canary.team.variables[f"migrate_aws_{name}"] for name in ("region", "endpoint_url")}
    module = {"secret_id": canary.hosts[GOOD[0]]["migrate_secret_id"], **manager}
    show: list[dict[str, Any]] = [
        {"dbops.migrations.secret_lookup": module, "register": "found"},
        {
            "ansible.builtin.set_fact": {
                "looked_up": f"{{{{ lookup('dbops.migrations.secret', '{text}', store='file') }}}}"
            }
        },
        {"ansible.builtin.debug": {"msg": "{{ found.credentials.password }} {{ looked_up.credentials.password }}"}},
        {"ansible.builtin.assert": {"that": f"found.credentials.password | length == {len(canary.password)}"}},
    ]
    book = canary.book(*({**task, "vars": {"ansible_python_interpreter": sys.executable}} for task in show))
    tasks = json.loads(book.read_text())
    tasks[0]["tasks"] = tasks[0]["tasks"][1:-1]
    book.write_text(json.dumps(tasks))
    options = ["--limit", GOOD[0], "-vvvv"]
    result = playbook(book, canary.inventory(), *options, env=canary.account(), programs=programs)
    assert result.rc == 0, result.stdout[-3000:]
    masks = version(programs) >= (2, 22)
    assert ("$REDACTED$" in result.stdout) == masks
    for password in (canary.password, looked_up):
        assert (password in result.stdout + result.stderr) != masks
