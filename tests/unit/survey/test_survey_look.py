# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at this machine, beside what Python and the machine's own programs say about it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey import collect
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import look, system
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import services as services_module
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.identity import (
    identity,
    interfaces,
    virtualization,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.look import survey
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.services import Services
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import HostName, as_json, read

_USER = pwd.getpwuid(os.getuid()).pw_name
_BUSY = (
    "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(flush=True); input()"
)

_BECOME = """
own = socket.socket()
os.set_inheritable(own.fileno(), True)
print(os.fstat(own.fileno()).st_ino, flush=True)
os.execvp("sleep", ["sleep", "60"])
"""


def _clockwork() -> tuple[Callable[[], float], Callable[[float], None]]:
    """Return a clock and what waits by it, so that nobody waits."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return lambda: now[0], sleep


def test_a_look_is_a_document_that_says_what_it_did_not_see() -> None:
    document = survey(0.3, 0.1, *_clockwork())
    assert read(as_json(document)) == document
    assert document.samples == 4
    assert not [entry.why for entry in document.unseen if "this version" in entry.why]
    ids = [service.id for service in document.services]
    assert len(ids) == len(set(ids))


def test_samples_for_which_there_was_no_time_are_left_out() -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.6
        return now[0]

    waited: list[float] = []
    # At 0, 1, 2, 4 and 5 seconds.
    assert survey(5, 1, clock, waited.append).samples == 5
    assert all(0 <= seconds <= 1 for seconds in waited)


def test_addresses_that_the_kernel_does_not_tell_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a policy forbids netlink, which this machine does not."""

    def refuse() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(look, "interfaces", refuse)
    document = survey(0, 1)
    assert document.identity.interfaces == []
    assert document.unseen[0].what == "identity"
    assert document.unseen[0].why == "The kernel does not report the host's addresses (Operation not permitted)."


def test_processes_of_one_program_are_one_service(tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text(_BUSY)
    services = Services()
    children = [
        subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _number in range(2)
    ]
    for child in children:
        assert child.stdout
        child.stdout.readline()
    services.look()
    children[0].communicate(b"\n")
    services.look()
    found = [service for service in services.services() if service.name == "shop"]
    children[1].communicate(b"\n")
    assert [(service.user, service.processes) for service in found] == [(_USER, 2)]
    assert found[0].id.startswith(f"shop@{_USER}")
    # What both used since the window began, one of which has ended; what was resident is the other's alone.
    assert 0.55 < found[0].cpu_seconds < 5
    assert 1_000_000 < found[0].memory_bytes < 40_000_000


def test_a_unix_socket_joins_two_services(tmp_path: Path) -> None:
    scripts = {
        "keeper": "server = socket.socket(socket.AF_UNIX)\nserver.bind(sys.argv[1]); server.listen()\n"
        "print(flush=True); end = server.accept(); print(flush=True); input()",
        "asker": "client = socket.socket(socket.AF_UNIX)\nclient.connect(sys.argv[1])\nprint(flush=True); input()",
    }
    with contextlib.ExitStack() as stack:
        for name, text in scripts.items():
            (tmp_path / f"{name}.py").write_text(f"import socket, sys\n{text}")
            command = [sys.executable, str(tmp_path / f"{name}.py"), str(tmp_path / "socket")]
            child = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            stack.callback(child.kill)
            assert child.stdout
            child.stdout.readline()
        found = survey(0.2, 0.1, *_clockwork()).unix_flows
    ours = [flow for flow in found if flow.path == str(tmp_path / "socket")]
    names = [(str(flow.client).partition("/")[0], str(flow.server).partition("/")[0], flow.samples) for flow in ours]
    assert names == [(f"asker@{_USER}", f"keeper@{_USER}", 3)]


@pytest.mark.parametrize(
    ("part", "question", "what", "why"),
    [
        ("unix", "_messages", "sockets", "The kernel does not report Unix sockets (Operation not permitted)."),
        ("tracking", "ask", "conntrack", "The kernel does not report connection tracking (Operation not permitted)."),
    ],
)
def test_what_the_kernel_does_not_tell_is_named(
    monkeypatch: pytest.MonkeyPatch, part: str, question: str, what: str, why: str
) -> None:
    """Where a policy forbids netlink, which this machine does not."""

    def refuse(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(getattr(collect, part), question, refuse)
    monkeypatch.setattr(collect.tracking, "read_or_empty", lambda _path: "1\n")
    assert (what, why) in {(entry.what, entry.why) for entry in survey(0, 1).unseen}


def test_namespaces_that_may_not_be_entered_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose root may not, which the machine of the tests is not."""

    def refuse(_place: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(collect.namespaces, "_enter", refuse)
    monkeypatch.setattr(os, "readlink", lambda path, **_more: f"{path} net:[1]")
    spaces = collect.namespaces.Namespaces()
    spaces.notice({os.getpid(): None})
    assert spaces.look() == ([], [])
    assert spaces.closed == "Operation not permitted"


def test_a_process_is_what_it_became() -> None:
    services = Services()
    with subprocess.Popen(["sh", "-c", "read line; exec sleep 60"], stdin=subprocess.PIPE) as child:
        services.look()
        assert child.stdin
        child.stdin.write(b"\n")
        child.stdin.close()
        # Until the shell is the other program.
        for _number in range(200):
            if Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep"):
                break
            time.sleep(0.01)
        services.look()
        assert f"sleep@{_USER}" in {service.id.partition("/")[0] for service in services.services()}
        child.kill()


def test_a_socket_is_found_once_it_is_asked_for() -> None:
    services = Services()
    services.look()
    with socket.socket() as own:
        inode = os.fstat(own.fileno()).st_ino
        services.find([inode, 0], [])
    assert list(services.owners) == [inode]
    assert f"@{_USER}" in services.owners[inode]
    services.find([], [inode])
    assert services.owners == {}


def test_a_socket_that_nobody_has_is_looked_for_again() -> None:
    """It is in no process's table while it travels from one to another."""
    services = Services()
    services.look()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with socket.socket() as travelling:
            inode = os.fstat(travelling.fileno()).st_ino
            socket.send_fds(ours, [b"x"], [travelling.fileno()])
        services.find([inode], [])
        assert services.owners == {}
        _text, files, _flags, _address = socket.recv_fds(theirs, 1, 1)
        for _look in range(3):
            services.look()
            services.find([], [])
        os.close(files[0])
    assert list(services.owners) == [inode]


def test_a_socket_belongs_to_the_program_that_its_process_has_become() -> None:
    services = Services()
    command = [sys.executable, "-c", "import os, socket, sys\nprint(flush=True); input()\n" + _BECOME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        services.look()
        services.look()
        child.stdin.write(b"\n")
        child.stdin.flush()
        inode = int(child.stdout.readline())
        for _number in range(200):
            if Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep"):
                break
            time.sleep(0.01)
        services.find([inode], [])
        assert services.owners[inode].startswith(f"sleep@{_USER}")
        assert {f"sleep@{_USER}", f"{Path(os.path.realpath(sys.executable)).name}@{_USER}"} <= {
            service.id.partition("/")[0] for service in services.services()
        }
        child.kill()


def test_a_search_that_would_burden_the_host_is_put_off_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services_module, "_FIRST", 0.0)
    monkeypatch.setattr(services_module, "_EACH", 0.0)
    document = survey(0, 1)
    assert {service for flow in document.flows if (service := flow.service)} == set()
    assert "sockets" in {entry.what for entry in document.unseen if entry.why.startswith("The processes of some")}


def test_the_machine_is_as_its_own_programs_say() -> None:
    found = identity(interfaces())
    assert found.hostname == socket.gethostname()
    assert found.kernel == os.uname().release
    assert found.processors == os.cpu_count()
    assert found.memory_bytes > 1 << 28
    assert abs(found.uptime_seconds - float(Path("/proc/uptime").read_text().split()[0])) < 60
    assert found.os_id in Path("/etc/os-release").read_text()
    assert "127.0.0.1/8" in {interface.name: interface.addresses for interface in found.interfaces}["lo"]


@pytest.mark.parametrize(
    ("vendor", "product", "tag", "expected"),
    [
        ("Amazon EC2", "m5.large", "", "aws"),
        ("Google", "Google Compute Engine", "", "gcp"),
        ("Microsoft Corporation", "Virtual Machine", "7783-7084-3265-9085-8269-3286-77", "azure"),
        ("Microsoft Corporation", "Virtual Machine", "", "hyperv"),
        ("VMware, Inc.", "VMware7,1", "", "vmware"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "", "kvm"),
        ("innotek GmbH", "VirtualBox", "", "virtualbox"),
        ("Dell Inc.", "PowerEdge R650", "", None),
        ("", "", "", None),
    ],
)
def test_dmi_tells_what_the_machine_runs_on(vendor: str, product: str, tag: str, expected: str | None) -> None:
    assert virtualization(vendor, product, tag, container=False) == expected
    assert virtualization(vendor, product, tag, container=True) == "container"


def test_the_root_is_mounted_and_what_has_no_storage_is_left_out() -> None:
    found = {mount.path: mount for mount in system.mounts()}
    usage = shutil.disk_usage("/")
    assert found["/"].size_bytes == usage.total
    assert abs(found["/"].used_bytes - usage.used) < 1 << 30
    assert not found["/"].network
    assert not {"/proc", "/sys"} & set(found)


def test_other_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine does not have: the kernel's tables are made up."""
    files = {
        "/proc/filesystems": "nodev\tproc\nnodev\tnfs4\nnodev\tfuse\n\text4\n",
        "/proc/self/mounts": (
            "proc /proc proc rw 0 0\n"
            "nas:/export /srv/a\\040b nfs4 ro,vers=4.2 0 0\n"
            "/dev/sdz9 /nowhere\\011here ext4 rw 0 0\n"
            "u@h:/ /remote fuse.sshfs rw 0 0\n"
            "lxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n"
        ),
    }
    monkeypatch.setattr(system, "read_or_empty", files.__getitem__)
    assert [(mount.path, mount.network, mount.read_only, mount.size_bytes) for mount in system.mounts()] == [
        ("/nowhere?here", False, False, 0),
        ("/remote", True, False, 0),
        ("/srv/a b", True, True, 0),
    ]


def test_resolvers_and_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/etc/hosts": "# nothing\n10.0.0.5 db db.example # the database\nFE80:0::1 link\nbroken line\n10.0.0.6\n",
        "/etc/resolv.conf": "; nothing\ndomain old.example\nsearch a.example b.example\nnameserver 10.0.0.53\n",
    }
    monkeypatch.setattr(system, "read_or_empty", files.__getitem__)
    found = system.resolution()
    assert found.hosts == [HostName("10.0.0.5", ["db", "db.example"]), HostName("fe80::1", ["link"])]
    assert (found.nameservers, found.search) == (["10.0.0.53"], ["a.example", "b.example"])
