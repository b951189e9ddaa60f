# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes as /proc shows them, each of which may be gone before it has been read. Private to the collection."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, Optional

from .redaction import redacted
from .texts import read_text, shown

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNIT = re.compile(r"/([^/]+\.(?:service|scope|socket|mount))(?:/|$)")
# Docker, containerd, CRI-O and podman: 64 digits, in a scope's name or a directory of their own.
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope|/|$)")
_INTERPRETER = re.compile(r"(?:python|ruby|perl|node|php|bash|dash|sh)[\d.]*")
# The program itself follows: python -c, bash -lc, perl -ne; and options whose values do.
_INLINE, _VALUED = re.compile(r"-[A-Za-z]*[ce]"), ("-o", "-W", "-X")
# Anything else may be an option's value, and a secret.
_SCRIPT = re.compile(r"([\w.@+-]+?)(?:\.(?:py|rb|pl|js|php|sh))?")
# The program in a command line, or in what a process has put in its place: "nginx: worker process".
_CALLED = re.compile(r"(?:[^ ]*/)?([\w.+-]+)")


class Process(NamedTuple):
    """One process.

    :ivar started: seconds since the machine was started.
    :ivar executable: its path; None if it is not to be read, or a thread of the kernel's.
    :ivar called: the kernel's name of it, and a number that stands for its command line.
    :ivar cpu_seconds: since its start.
    """

    pid: int
    program: str
    name: str
    user: str
    unit: Optional[str]
    container: Optional[str]
    executable: Optional[str]
    command: str
    called: tuple[str, int]
    started: float
    memory_bytes: int
    cpu_seconds: float


def pids() -> list[int]:
    """Return the numbers of the processes that there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def process(pid: int, before: Optional[Process] = None) -> Optional[Process]:
    """Return what a process is; None if it is gone, or a thread of the kernel's. Its environment is never read.

    :param before: what it was. If it is called the same, the rest of it but its use of the machine is not read again.
    :raises PermissionError: this account may not see it.
    """
    root = f"/proc/{pid}"
    try:
        # The name is in brackets, and may itself hold brackets and spaces.
        head, _bracket, after = read_text(f"{root}/stat").rpartition(")")
        kernel_name = head.partition("(")[2]
        fields = after.split()
        line = read_text(f"{root}/cmdline")
        started, seconds = int(fields[19]) / _TICKS, (int(fields[11]) + int(fields[12])) / _TICKS
        memory = int(fields[21]) * _PAGE
        called = (kernel_name, hash(line))
        if before and before.called == called and before.started == started:
            return before._replace(memory_bytes=memory, cpu_seconds=seconds)
        arguments = line.rstrip("\0").split("\0")
        cgroup = read_text(f"{root}/cgroup")
        uid = os.stat(root).st_uid
    except (FileNotFoundError, ProcessLookupError):
        return None
    executable = _executable(root)
    if executable is None and arguments == [""]:
        return None
    program = shown(os.path.basename(executable) if executable else kernel_name)
    unit = _UNIT.findall(cgroup)
    container = _CONTAINER.search(cgroup.replace("\n", "/"))
    return Process(
        pid,
        program,
        shown(_name(program, kernel_name, arguments)),
        _user(uid),
        shown(unit[-1]) if unit else None,
        container.group(1) if container else None,
        shown(executable) if executable else None,
        redacted(arguments),
        called,
        started,
        memory,
        seconds,
    )


def socket_inodes(pid: int) -> Iterator[int]:
    """Yield the inodes of a process's sockets.

    :raises PermissionError: this account may not see them.
    """
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        return
    try:
        for name in os.listdir(folder):
            try:
                target = os.readlink(name, dir_fd=folder)
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                yield int(target[8:-1])
    except (FileNotFoundError, ProcessLookupError):
        return
    finally:
        os.close(folder)


def _executable(root: str) -> Optional[str]:
    try:
        path = os.readlink(f"{root}/exe")
    except OSError:
        return None
    return path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path


def _name(program: str, kernel_name: str, arguments: list[str]) -> str:
    """Return what a person calls it: the name that it was called by, or of an interpreter, the module or the script."""
    called = _CALLED.match(arguments[0])
    # Of a link, such as Debian's redis-server, the executable has another name. What a process merely says about itself
    # is not a name.
    if called and called[1][:15] == kernel_name and not _INTERPRETER.fullmatch(called[1]):
        return called[1]
    if not _INTERPRETER.fullmatch(program):
        return program
    rest = iter(arguments[1:])
    for argument in rest:
        if argument in _VALUED:
            next(rest, "")
        elif argument == "-m":
            return next(rest, program)
        elif not argument.startswith("-"):
            script = _SCRIPT.fullmatch(os.path.basename(argument))
            return script[1] if script else program
        elif _INLINE.fullmatch(argument):
            return program
    return program


@cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
