# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role runner on fresh machines, over SSH, as an account with sudo, in a network of their own."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from integration.roles.support import Team, changed, failure, said
from parts import NotOnThisSystem, centos_stand_in, debian_root, private_folder, wheelhouse
from parts.debian_packages import debian_mirror
from parts.door import ACCOUNT, Door, Window
from parts.http_proxy import HttpProxy
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

pytestmark = pytest.mark.runner

PREPARE = "dbops.migrations.prepare_runner"
HOME = "/opt/dbops-migrations"
LIBRARIES = "boto3>=1.42.97, GitPython>=3.2.1, PyMySQL[rsa]>=1.2.4"
DEBIAN_PACKAGES = "ca-certificates, gnupg, openssh-client, python3-packaging, python3-venv"
# What a person sets up before Ansible comes: an account that may become root.
SET_UP = (
    f"useradd --create-home {ACCOUNT} && "
    f"printf '%s\\n' '{ACCOUNT} ALL=(ALL) NOPASSWD: ALL' 'Defaults:{ACCOUNT} !env_reset, !use_pty' "
    f">/etc/sudoers.d/{ACCOUNT}"
)
INSTALL = "apt-get update -q && apt-get install -q -y --no-install-recommends"
# In place of SELinux's program: it finds something to do until it has done it.
RESTORECON = """\
#!/bin/sh
echo "$@" >>/var/log/labels
[ ! -e /var/log/labelled ] || exit 0
case "$1" in
  *n*) echo "Would relabel $2" ;;
  *) echo "Relabeled $2" && touch /var/log/labelled ;;
esac
"""


@dataclass
class Machine:
    """A fresh machine, the way to it, and what is on the other side of its network."""

    door: Door
    team: Team
    playbook: RunPlaybook

    def path(self, path: str) -> Path:
        return self.door.root / path[1:]

    def prepare(self, *options: str, **variables: Any) -> PlaybookResult:
        runner = {**self.door.variables(), **variables}
        inventory = {"all": {"children": {"runners": {"hosts": {"runner": runner}}}}}
        return self._run(PREPARE, inventory, *options)

    def migrate(self, name: str, **variables: Any) -> PlaybookResult:
        # The team's own variables name the Python and a folder of this machine; the role's defaults are meant.
        own = {"migrate_python": None, "migrate_home": None, "ansible_python_interpreter": None}
        inventory = self.team.inventory(**{**own, **self.door.variables(), **variables})
        return self._run(f"dbops.migrations.{name}", inventory, "--limit", "orders")

    def _run(self, *arguments: Any) -> PlaybookResult:
        start = time.monotonic()
        result = self.playbook(*arguments)
        counts = {host: {key: stats[key] for key in ("ok", "changed")} for host, stats in result.stats.items()}
        # For make test-runner, which shows what each step took.
        print(f"{time.monotonic() - start:6.1f} s", *arguments[0].split(".")[-1:], *arguments[2:], counts)
        return result

    def mode_and_owner(self, path: str) -> tuple[int, int]:
        found = self.path(path).stat()
        return stat.S_IMODE(found.st_mode), found.st_uid

    def account(self, name: str) -> list[str] | None:
        """Return an account's line of /etc/passwd."""
        lines = (self.door.root / "etc/passwd").read_text().splitlines()
        return next((line.split(":") for line in lines if line.startswith(f"{name}:")), None)


@contextlib.contextmanager
def behind(root: Path, ports: Sequence[int]) -> Iterator[Door]:
    """Give the door of a machine whose network reaches these ports of ours, and nothing else."""
    with (
        private_folder("door") as folder,
        private_folder("window") as other,
        Door(folder, root) as door,
        Window(other, door, ports),
    ):
        yield door


@contextlib.contextmanager
def fresh(system: str, release: str, packages: str = "") -> Iterator[Path]:
    """Give the folder of a new machine that a person has set up for Ansible."""
    with private_folder("root") as root:
        if system == "CentOS":
            centos_stand_in.create(root, release)
        else:
            debian_root.create(root, release)
        set_up = SET_UP if system == "CentOS" else f"{INSTALL} sudo {packages} && {SET_UP}"
        assert debian_root.run(root, ["sh", "-c", set_up], "/") == 0
        root.chmod(0o755)
        yield root


def plan(source: str, packages: str = "", way: str = "", new: str = "") -> list[str]:
    """Return what check mode says."""
    return [
        *([f"packages, from the repositories of the host{way}: {packages}"] if packages else []),
        *([f"account: {new}, a system account without a login, at home in {HOME}"] if new else []),
        f"directories of {new or ACCOUNT}: {HOME}, {HOME}/fetched, {HOME}/preview",
        f"libraries, in {HOME}/venv, from {source}{way}: {LIBRARIES}",
    ]


def walk(machine: Machine, said_before: Sequence[str], **variables: Any) -> None:
    """From a machine that is not prepared to a migrated database: what is said before is done, and done once."""
    user = variables.get("runner_user") or ACCOUNT
    was = machine.account(user)
    planned = machine.prepare("--check", **variables)
    assert changed(planned)["runner"] > 0
    assert planned.result("runner", "Show what would be done")["msg"] == said_before
    assert not machine.path(HOME).exists()
    assert machine.account(user) == was

    assert changed(machine.prepare(**variables))["runner"] > 0
    account = machine.account(user)
    assert account is not None
    number = int(account[2])
    if was is None:
        assert number < 1000
        assert account[5:] == [HOME, "/usr/sbin/nologin"]
        assert f"\n{user}:!" in machine.path("/etc/shadow").read_text()
    else:
        assert account == was
    assert {path: machine.mode_and_owner(path) for path in (HOME, f"{HOME}/fetched", f"{HOME}/preview")} == {
        HOME: (0o750, number),
        f"{HOME}/fetched": (0o700, number),
        f"{HOME}/preview": (0o700, number),
    }

    become = {"ansible_become": True, "ansible_become_user": user} if user != ACCOUNT else {}
    status = machine.migrate("status", **become)
    assert "no version yet, 2 migrations pending" in said(status, "orders")[0]
    done = machine.migrate("migrate", **become)
    assert said(done, "orders")[0].endswith("from no version yet to version 2, 2 migrations")
    assert machine.team.version("orders") == (2, 0)

    assert changed(machine.prepare(**variables)) == {"runner": 0}
    again = machine.prepare("--check", **variables)
    assert changed(again) == {"runner": 0}
    assert again.result("runner", "Show what would be done").get("msg") is None


@pytest.fixture
def ports(team: Team, git_server: GitServer, secrets_manager: SecretsManager) -> list[int]:
    """Where a migration has to go."""
    return [team.mariadb.port, git_server.port, secrets_manager.port]


@pytest.mark.fresh
def test_centos_9_without_a_network(team: Team, ports: list[int], playbook: RunPlaybook) -> None:
    """With an account of its own, and with SELinux's program played by another."""
    wheels = wheelhouse.provide("3.11")
    with fresh("CentOS", "9") as root, behind(root, ports) as door:
        machine = Machine(door, team, playbook)
        machine.path("/sys/fs/selinux").mkdir(parents=True)
        machine.path("/sys/fs/selinux/enforce").touch()
        machine.path("/usr/sbin/restorecon").write_text(RESTORECON)
        machine.path("/usr/sbin/restorecon").chmod(0o755)
        packages = (
            "ca-certificates, git-core, gnupg2, openssh-clients, python3-packaging, python3.12, python3.12-setuptools"
        )
        expected = plan(f"{wheels} on the controller", packages, new="dbops")
        walk(machine, expected, runner_wheelhouse=str(wheels), runner_user="dbops")
        labels = machine.path("/var/log/labels").read_text().splitlines()
        assert labels == [f"{option} {HOME} {HOME}/venv" for option in ("-Rivn", "-Riv", "-Riv", "-Rivn")]


def test_centos_10_with_an_internal_index(team: Team, ports: list[int], playbook: RunPlaybook, tmp_path: Path) -> None:
    for wheel in wheelhouse.provide("3.11").iterdir():
        project = tmp_path / "simple" / wheel.name.split("-")[0].replace("_", "-")
        project.mkdir(parents=True)
        (project / wheel.name).symlink_to(wheel)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as index:
        Thread(target=index.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{index.server_port}/simple"
        with fresh("CentOS", "10") as root, behind(root, [*ports, index.server_port]) as door:
            packages = "ca-certificates, git-core, gnupg2, openssh-clients, python3, python3-packaging"
            walk(Machine(door, team, playbook), plan(url, packages), runner_index_url=url)
        index.shutdown()


@pytest.mark.parametrize(
    ("suite", "user"),
    [pytest.param("bookworm", "", id="12"), pytest.param("trixie", "dbops", id="13")],
)
def test_debian_behind_a_proxy(team: Team, ports: list[int], playbook: RunPlaybook, suite: str, user: str) -> None:
    if any(os.environ.get(name) for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")):
        raise NotOnThisSystem("This machine is behind a proxy itself, which the test's own does not go through.")
    with fresh("Debian", suite) as root, HttpProxy() as proxy, behind(root, [*ports, proxy.port]) as door:
        machine = Machine(door, team, playbook)
        url = f"http://127.0.0.1:{proxy.port}"
        expected = plan("the index of the host's pip", DEBIAN_PACKAGES, f" through {url}", new=user)
        walk(machine, expected, runner_proxy=url, runner_user=user)
        assert urlsplit(debian_mirror()).hostname in proxy.hosts
        assert len(proxy.hosts) > 1
        if suite == "bookworm":
            make_unknown(root)
            message = failure(machine.prepare(), "runner", "operating system is supported")
            assert message.startswith("Debian 11.11 is not supported by this role")


@pytest.mark.parametrize(
    ("suite", "python", "other"),
    [pytest.param("bookworm", "3.11", "3.13", id="12"), pytest.param("trixie", "3.13", "3.11", id="13")],
)
def test_debian_without_a_network(
    team: Team, ports: list[int], playbook: RunPlaybook, suite: str, python: str, other: str
) -> None:
    """The packages are there; wheels for another Python are refused before the right ones are taken."""
    with fresh("Debian", suite, DEBIAN_PACKAGES.replace(",", "")) as root, behind(root, ports) as door:
        machine = Machine(door, team, playbook)
        refused = machine.prepare(runner_wheelhouse=str(wheelhouse.provide(other)))
        assert "No matching distribution found for cffi" in failure(refused, "runner", "Install the libraries")
        shutil.rmtree(machine.path(HOME))
        wheels = str(wheelhouse.provide(python))
        walk(machine, plan(f"{wheels} on the controller"), runner_wheelhouse=wheels)


def make_unknown(root: Path) -> None:
    release = root / "etc/os-release"
    was = release.read_text()
    release.unlink()
    release.write_text(was.replace("12", "11"))
    (root / "etc/debian_version").write_text("11.11\n")
