# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SSH server of a machine that is a folder, with a network of its own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import debian_root
from .process import Server
from .sshd import make_key

ACCOUNT = "deploy"


class Door(Server):
    """An sshd that leads into a folder with a system of its own, with that system's account.

    It is alone in a network namespace: from there no way leads out, not even to this machine.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        super().__init__(folder)
        self.root = root
        self.key = folder / "key"

    def prepare(self) -> None:
        for name in ("host_key", "key"):
            make_key(self.folder / name)
        # As debian_root.run: with processes' list, and with what tells pip about the package registries.
        network = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
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
        sshd = shlex.join(["/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")])
        return ["unshare", "--net", "sh", "-c", f"ip link set lo up && exec {sshd}"]

    def ready(self) -> bool:
        """Tell whether it listens; nobody else sees that, from another network."""
        return "Server listening on" in self.log.read_text()

    def ssh_options(self) -> list[str]:
        """Return the options of ssh that lead here. The account is sshd's, which does not concern Ansible."""
        assert self._process is not None
        # Each of the programs that started sshd became the next: they share the process.
        way = f"nsenter --target {self._process.pid} --net socat - TCP:{self.host}:{self.port}"
        settings = {
            "User": "root",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ControlMaster": "no",
            "ControlPath": "none",
            "ProxyCommand": way,
        }
        return ["-F", "none", *(text for item in settings.items() for text in ("-o", "=".join(item)))]

    def variables(self) -> dict[str, Any]:
        """Return the inventory's way to the account."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.host,
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(self.ssh_options()),
            "ansible_ssh_transfer_method": "piped",
            # One connection a task: none is kept open.
            "ansible_pipelining": True,
        }


class Window(Server):
    """Lets those behind a door reach some ports of this machine's loopback, by the same numbers, and nothing else."""

    def __init__(self, folder: Path, door: Door, ports: Sequence[int]) -> None:
        super().__init__(folder)
        self._door = door
        self._ports = ports

    def command(self) -> Sequence[str | Path]:
        forward = [text for port in self._ports for text in ("-R", f"{self.host}:{port}:{self.host}:{port}")]
        return ["ssh", "-v", "-N", *self._door.ssh_options(), "-i", self._door.key, *forward, self.host]

    def ready(self) -> bool:
        """Tell whether the server has agreed to each."""
        return self.log.read_text(errors="replace").count("remote forward success") == len(self._ports)
