# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role runner: in a private folder of this machine, and on a bare Debian over SSH."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.roles.support import Team, changed, failure, said
from parts import CHECKOUT, NotAvailable, debian_root, private_folder
from parts.process import Server
from parts.sshd import make_key

if TYPE_CHECKING:
    from conftest import RunPlaybook

PREPARE = "dbops.migrations.prepare_runner"
ACCOUNT = "deploy"
# What a person sets up before Ansible comes: an account that may become root.
SET_UP = (
    "apt-get update -q && apt-get install -q -y --no-install-recommends sudo && rm -r /var/lib/apt/lists/* && "
    f"useradd --create-home {ACCOUNT} && "
    f"printf '%s\\n' '{ACCOUNT} ALL=(ALL) NOPASSWD: ALL' 'Defaults:{ACCOUNT} !env_reset, !use_pty' "
    f">/etc/sudoers.d/{ACCOUNT}"
)


class Door(Server):
    """An sshd that leads into a folder with a system of its own, with that system's account."""

    def __init__(self, folder: Path, root: Path) -> None:
        super().__init__(folder)
        self.root = root
        self.key = folder / "key"

    def prepare(self) -> None:
        for name in ("host_key", "key"):
            make_key(self.folder / name)
        # As debian_root.run: with processes' list, and with the way to the package registries.
        network = {name: value for name, value in os.environ.items() if name.startswith(debian_root.NETWORK_VARIABLES)}
        if (self.root / debian_root.TRUSTED[1:]).exists():
            network |= {"PIP_CERT": debian_root.TRUSTED, "SSL_CERT_FILE": debian_root.TRUSTED}
        home = {"HOME": f"/home/{ACCOUNT}", "USER": ACCOUNT, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        variables = " ".join(shlex.quote(f"{name}={value}") for name, value in {**network, **home}.items())
        root = shlex.quote(str(self.root))
        inside = f'mount -t proc proc {root}/proc && exec chroot --userspec={ACCOUNT} {root} /bin/sh -c "$0"'
        enter = self.folder / "enter"
        command = f'env -i {variables} unshare --mount sh -c {shlex.quote(inside)} "$SSH_ORIGINAL_COMMAND"'
        enter.write_text(f"#!/bin/sh\nexec {command}\n")
        enter.chmod(0o700)
        settings = [
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            f"HostKey {self.folder / 'host_key'}",
            "PidFile none",
            f"AuthorizedKeysFile {self.key}.pub",
            "StrictModes no",
            # Without PAM, sshd refuses an account whose password is locked.
            "UsePAM yes",
            "PermitRootLogin prohibit-password",
            f"ForceCommand {enter}",
            "MaxStartups 100",
        ]
        (self.folder / "sshd_config").write_text("\n".join([*settings, ""]))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config"]

    def variables(self) -> dict[str, Any]:
        """The inventory's way to the account. sshd is told another one, which is none of Ansible's business."""
        return {
            "ansible_host": self.host,
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": "-F none -o User=root -o StrictHostKeyChecking=no"
            " -o UserKnownHostsFile=/dev/null -o ControlMaster=no -o ControlPath=none",
            "ansible_ssh_transfer_method": "piped",
        }


def runners(**variables: Any) -> dict[str, Any]:
    return {"all": {"children": {"runners": {"hosts": {"runner": variables}}}}}


def private(home: Path, **more: Any) -> dict[str, Any]:
    """The inventory of a runner in a folder of this machine, without touching the system."""
    python = {"ansible_python_interpreter": sys.executable, "runner_python": sys.executable}
    return runners(
        ansible_connection="local", runner_home=str(home), runner_packages=[], runner_become=False, **python, **more
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_folder_and_the_way_through_it(team: Team, playbook: RunPlaybook) -> None:
    """What prepare_runner makes is what the role migrate uses, without a variable but the folder."""
    planned = playbook(PREPARE, private(team.home), "--check")
    assert changed(planned)["runner"] > 0
    assert not team.home.exists()

    assert changed(playbook(PREPARE, private(team.home)))["runner"] > 0
    assert {name: mode(team.home / name) for name in (".", "fetched", "preview")} == {
        ".": 0o750,
        "fetched": 0o700,
        "preview": 0o700,
    }
    assert changed(playbook(PREPARE, private(team.home))) == {"runner": 0}
    assert changed(playbook(PREPARE, private(team.home), "--check")) == {"runner": 0}

    done = playbook("dbops.migrations.migrate", team.inventory(migrate_python=None))
    assert said(done, "orders")[0].endswith("from version none to 2, 2 migration(s)")


def test_libraries_are_those_that_the_modules_name() -> None:
    defaults = yaml.safe_load((CHECKOUT / "roles/runner/defaults/main.yml").read_text())
    names = sorted(line.split(">=")[0] for line in defaults["runner_libraries"])
    assert names == ["GitPython", "PyMySQL[rsa]", "boto3"]


@pytest.fixture(scope="module")
def debian() -> Iterator[Door]:
    """A bare Debian 12 with an account, behind an SSH server."""
    with private_folder("root") as root, private_folder("door") as folder:
        try:
            debian_root.create(root)
        except NotAvailable as reason:
            pytest.skip(str(reason))
        assert debian_root.run(root, ["sh", "-c", SET_UP], "/") == 0
        root.chmod(0o755)
        with Door(folder, root) as door:
            yield door


@pytest.mark.fresh
def test_a_bare_debian(debian: Door, playbook: RunPlaybook) -> None:
    inventory = runners(**debian.variables())
    home = debian.root / "opt/dbops-migrations"

    planned = playbook(PREPARE, inventory, "--check")
    assert changed(planned)["runner"] > 0
    told = planned.result("runner", "Say what would be installed")["msg"]
    assert told[0] == "packages: ca-certificates, gnupg, openssh-client, python3-packaging, python3-venv"
    assert not home.exists()
    assert not (debian.root / "usr/bin/ssh").exists()

    assert changed(playbook(PREPARE, inventory))["runner"] > 0
    owner = (debian.root / "home" / ACCOUNT).stat().st_uid
    assert [(mode(path), path.stat().st_uid) for path in (home, home / "fetched", home / "preview")] == [
        (0o750, owner),
        (0o700, owner),
        (0o700, owner),
    ]
    imports = "import boto3, git, pymysql, cryptography"
    assert debian_root.run(debian.root, ["/opt/dbops-migrations/venv/bin/python", "-c", imports], "/") == 0

    assert changed(playbook(PREPARE, inventory)) == {"runner": 0}
    assert changed(playbook(PREPARE, inventory, "--check")) == {"runner": 0}


@pytest.mark.fresh
def test_a_system_that_is_not_known(debian: Door, playbook: RunPlaybook) -> None:
    release = debian.root / "etc/os-release"
    was = release.read_text()
    release.unlink()
    release.write_text(was.replace("12", "11"))
    (debian.root / "etc/debian_version").write_text("11.11\n")
    message = failure(playbook(PREPARE, runners(**debian.variables())), "runner", "operating system is known")
    assert message.startswith("Debian 11.11 is not known to this role")
