# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sample of the survey costs: ``python -m programs.benchmarks.survey [SOCKETS] [PROCESSES]``.

The processes are real and sleep. The sockets are real connections over loopback to this process from another, as one
may not have so many. Root has them in namespaces of their own, so that nothing else is looked at, and has the kernel
track them. Between two samples
some connections end, and as many begin, all of them of a process that has half of all sockets. The seconds are those
of the processor, for the 61 samples of a minute, between which nobody waits.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.look import survey
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.sockets import PROTOCOLS, Table

_CLIENTS = """
import resource, socket, sys
port, count = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
clients = []
for number in range(count):
    client = socket.socket()
    client.bind((f"127.0.1.{1 + number // 5000}", 0))
    client.connect(("127.0.0.1", port))
    clients.append(client)
input()
"""


_TRACK = "table inet track { chain in { type filter hook input priority 0; ct state new counter\n}\n}"
# How many connections end, and begin, in a second.
_CHURN = 20


@contextmanager
def load(count: int, processes: int) -> Iterator[socket.socket]:
    """Have as many sockets and processes more, and a listener that others may connect to."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        for _number in range(processes):
            child = stack.enter_context(subprocess.Popen(["sleep", "600"]))
            stack.callback(child.kill)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        command = [sys.executable, "-c", _CLIENTS, str(listener.getsockname()[1]), str(count // 2)]
        clients = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE))
        stack.callback(clients.kill)
        for _number in range(count // 2):
            stack.enter_context(listener.accept()[0])
        yield listener


def cost(listener: socket.socket, samples: int) -> float:
    """Return the seconds that a look with so many samples takes."""
    began = time.process_time()
    with _Churn(listener) as churn:
        survey(samples - 1, 1, _Clock(), churn.renew)
        return time.process_time() - began - churn.seconds


class _Churn(ExitStack):
    """Connections that end between two samples, while others begin, and the seconds that this takes."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__()
        self._listener = listener
        self.seconds = 0.0

    def renew(self, _seconds: float) -> None:
        began = time.process_time()
        self.close()
        for _number in range(_CHURN):
            self.enter_context(socket.create_connection(self._listener.getsockname()))
            self.enter_context(self._listener.accept()[0])
        self.seconds += time.process_time() - began


class _Clock:
    """Gives a new second at each second call, as a look asks twice for each sample, so that nobody waits."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self) -> float:
        self._calls += 1
        return float(self._calls // 2)


def main(count: int, processes: int) -> None:
    """Measure, and print."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with load(count, processes) as listener:
        there = sum(len(Table(protocol).changes(ended=True).opened) for protocol in PROTOCOLS)
        seconds = cost(listener, 61)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{there} sockets, {processes} processes: {seconds:.1f} s of processor a minute")
    print(f"{peak:.0f} MiB at most, of which {before:.0f} before it began")


if __name__ == "__main__":
    if os.geteuid() == 0 and os.getpid() != 1:
        inside = [
            "unshare",
            "--net",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
            'ip link set lo up && nft -f - && exec "$@"',
            "sh",
        ]
        sys.exit(subprocess.run([*inside, *sys.orig_argv], input=_TRACK, text=True, check=False).returncode)
    main(*(int(text) for text in (sys.argv[1:] + ["20000", "2000"][len(sys.argv) - 1 :])))
