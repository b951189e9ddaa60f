# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts on a network that nothing else reaches: each has a network, a name and processes of its own, and an sshd."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from . import NotOnThisSystem
from .sshd import make_key

if TYPE_CHECKING:
    # It came with Python 3.11.
    from typing import Self

# The network, and the address of the controller, which is the switch.
INSIDE, CONTROLLER = "10.99.0.0/16", "10.99.0.254"
# Addresses that nobody has (RFC 5737) are of those outside.
OUTSIDE = "203.0.113.0/24"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "HOME": "/root", "LANG": "C.UTF-8"}
# As the first process of its namespace, a shell has to take leave of those that others have left.
_STAY = "echo; while :; do sleep 3600; done"


class Host:
    """A host. Its processes, and what it has written into its files, go with the network.

    :param system: a folder with a system, on which its own files lie; None: it shares this machine's files.
    :ivar pid: its first process, by this machine's number.
    """

    def __init__(self, network: Network, name: str, addresses: Sequence[str], system: Path | None) -> None:
        self.name = name
        self.address = addresses[0]
        self._network = network
        self._system = system
        inside = ["mount -t proc proc /proc", f"hostname {name}", _STAY]
        if system:
            own, root = network.folder / name, network.folder / name / "root"
            for folder in ("upper", "work", "root"):
                (own / folder).mkdir(parents=True)
            # Accounts of the host's own must find their way in.
            (own / "upper").chmod(0o755)
            layers = f"lowerdir={system},upperdir={own / 'upper'},workdir={own / 'work'}"
            inside = [
                f"mount -t overlay -o {layers} overlay {root}",
                f"mount -t proc proc {root}/proc",
                f"hostname {name}",
                f"exec chroot {root} sh -c {shlex.quote(_STAY)}",
            ]
        enter = ["unshare", "--net", "--uts", "--pid", "--mount", "--fork", "--kill-child=KILL"]
        outer = network.keep([*enter, "sh", "-ec", "; ".join(inside)])
        self.pid = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
        network.plug(self.pid, name, addresses)

    def path(self, path: str | Path) -> Path:
        """Return where this machine finds a file of the host's."""
        return Path(f"/proc/{self.pid}/root{path}")

    def command(self, *command: str | Path, user: str = "") -> list[str]:
        """Return a command as one that runs on the host.

        :param user: whose it is; root's if it is empty.
        """
        within = ["--net", "--uts", "--pid", "--mount", *(["--root", "--wd"] if self._system else [])]
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        return ["nsenter", f"--target={self.pid}", *within, *as_user, *map(str, command)]

    def run(self, *command: str | Path, text: str = "") -> str:
        """Run a command to completion and return what it printed."""
        return _run(self.command(*command), text)

    def start(self, *command: str | Path, user: str = "", port: int = 0) -> None:
        """Start a program that stays, and wait until it listens.

        :param port: of TCP.
        """
        self._network.start(self.command(*command, user=user))
        end = time.monotonic() + 60
        while port and not self._listens(port):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: {command[0]} does not listen. {self._network.tail()}")
            time.sleep(0.05)

    def _listens(self, port: int) -> bool:
        tables = (Path(f"/proc/{self.pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
        entries = (line.split() for table in tables for line in table)
        return any(entry[1].endswith(f":{port:04X}") and entry[3] == "0A" for entry in entries)

    def open_door(self, *users: str) -> None:
        """Start sshd, which lets these accounts in with the network's key."""
        folder = Path("/run" if self._system else self._network.folder, f"door-{self.name}")
        place = self.path(folder)
        place.mkdir(mode=0o755)
        make_key(place / "host_key")
        (place / "keys").write_text(self._network.key.with_suffix(".pub").read_text())
        settings = [
            "Port 22",
            f"HostKey {folder / 'host_key'}",
            "PidFile none",
            f"AuthorizedKeysFile {folder / 'keys'}",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin prohibit-password",
            f"AllowUsers {' '.join(users)}",
            "MaxStartups 100",
        ]
        (place / "sshd_config").write_text("\n".join([*settings, ""]))
        self.path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config", port=22)

    def variables(self, user: str) -> dict[str, Any]:
        """Return the inventory's way to an account."""
        return {
            "ansible_host": self.address,
            "ansible_user": user,
            "ansible_connection": "ssh",
            "ansible_ssh_private_key_file": str(self._network.key),
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            "-o LogLevel=ERROR",
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=3",
            "ansible_control_path_dir": str(self._network.folder / "cp"),
            # Nothing asks for a terminal, and these hosts have none.
            "ansible_pipelining": True,
            "ansible_python_interpreter": "/usr/bin/python3",
        }


class Network:
    """A context: a switch, which is the controller's own network too, and the hosts on it.

    :param folder: private, for the key, ssh's sockets, the hosts' own files, and what their programs print.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "key"
        self._log = folder / "log"
        self._stack = contextlib.ExitStack()
        self._output: IO[bytes] | None = None
        self._switch = 0

    def __enter__(self) -> Self:
        probe = "ip link add bridge0 type bridge && ip link add survey0 type veth peer name survey1"
        enter = ["unshare", "--net", "--pid", "--mount", "--fork", "sh", "-c", probe]
        if os.geteuid() or subprocess.run(enter, capture_output=True, check=False).returncode:
            raise NotOnThisSystem("Only root can make hosts of network namespaces, and not on every machine.")
        with self._stack:
            self._output = self._stack.enter_context(self._log.open("ab"))
            make_key(self.key)
            self._switch = self.keep(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"])
            for command in (
                "link set lo up",
                "link add switch type bridge",
                f"address add {CONTROLLER}/{INSIDE.split('/')[1]} dev switch",
                "link set switch up",
            ):
                self._ip(self._switch, command)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def host(self, name: str, *addresses: str, system: Path | None = None) -> Host:
        """Make a host, inside or outside as its first address says."""
        return Host(self, name, addresses, system)

    def programs(self, programs: Path) -> Path:
        """Return a folder with an ansible-playbook that runs in the controller's network.

        :param programs: the folder of the real one.
        """
        folder = self.folder / "programs"
        folder.mkdir(exist_ok=True)
        inside = shlex.join(["nsenter", f"--net=/proc/{self._switch}/ns/net", str(programs / "ansible-playbook")])
        (folder / "ansible-playbook").write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
        (folder / "ansible-playbook").chmod(0o755)
        return folder

    def tail(self) -> str:
        """Return the end of what the hosts' programs have printed."""
        return self._log.read_text(errors="replace")[-2000:]

    def keep(self, command: Sequence[str]) -> int:
        """Start what holds namespaces, wait for the line that it prints, and return its process."""
        process = self._started(command, subprocess.PIPE)
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError(f"A host cannot be made. {self.tail()}")
        return process.pid

    def start(self, command: Sequence[str]) -> None:
        """Start a program of a host's. It ends at the latest with the host."""
        self._started(command, self._output)

    def plug(self, pid: int, name: str, addresses: Sequence[str]) -> None:
        """Connect the network of a process with the switch."""
        here, there = (INSIDE, OUTSIDE) if addresses[0].startswith("10.") else (OUTSIDE, INSIDE)
        self._ip(pid, f"link add eth0 type veth peer name {name} netns {self._switch}")
        self._ip(self._switch, f"link set {name} master switch up")
        for address in addresses:
            self._ip(pid, f"address add {address}/{here.split('/')[1]} dev eth0")
        self._ip(pid, "link set lo up")
        self._ip(pid, "link set eth0 up")
        self._ip(pid, f"route add {there} dev eth0")

    def _started(self, command: Sequence[str], output: IO[bytes] | int | None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=self._output,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        return process

    @staticmethod
    def _ip(pid: int, command: str) -> None:
        _run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *command.split()])


def _run(command: Sequence[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stdout + done.stderr).strip()[-500:]}")
    return done.stdout
