# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Block devices, and where services keep their data. Private to the collection."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple, Optional

from ..document import DataDirectory, Device, Service, Unseen, Volume
from .texts import read_or_empty, shown

_DEVICES = "/sys/class/block"
_SECTOR = 512
# How many files, and seconds of the clock, counting may take for all directories together.
_MOST_FILES, _MOST_SECONDS = 100_000, 20.0


class _Store(NamedTuple):
    """A program that keeps data.

    :ivar options: those that say where.
    :ivar within: it works in the directory of its data.
    :ivar usual: where it is if nothing is said.
    """

    names: tuple[str, ...]
    options: tuple[str, ...]
    within: bool
    usual: tuple[str, ...]


_STORES = (
    _Store(("mysqld", "mariadbd"), ("--datadir",), True, ("/var/lib/mysql",)),
    _Store(("postgres", "postmaster"), ("-D", "--data-directory"), True, ("/var/lib/postgresql", "/var/lib/pgsql")),
    _Store(("mongod",), ("--dbpath",), False, ("/var/lib/mongodb", "/var/lib/mongo")),
    _Store(("redis-server", "valkey-server"), ("--dir",), True, ("/var/lib/redis", "/var/lib/valkey")),
    _Store(("etcd",), ("--data-dir",), False, ("/var/lib/etcd",)),
    _Store(("consul",), ("-data-dir",), False, ("/var/lib/consul", "/opt/consul")),
    _Store(("influxd",), ("--engine-path",), False, ("/var/lib/influxdb",)),
    _Store(("prometheus",), ("--storage.tsdb.path",), False, ("/var/lib/prometheus",)),
    _Store(("clickhouse-server", "clickhouse"), (), False, ("/var/lib/clickhouse",)),
    _Store(("beam.smp", "rabbitmq-server"), (), False, ("/var/lib/rabbitmq", "/var/lib/couchdb")),
    _Store(
        ("java",), (), False, ("/var/lib/elasticsearch", "/var/lib/opensearch", "/var/lib/cassandra", "/var/lib/kafka")
    ),
    _Store(("slapd",), (), False, ("/var/lib/ldap",)),
    _Store(("minio",), (), False, ("/var/lib/minio",)),
    _Store(("dockerd",), ("--data-root",), False, ("/var/lib/docker",)),
    _Store(("gitaly",), (), False, ("/var/opt/gitlab/git-data",)),
    _Store(("grafana", "grafana-server"), (), False, ("/var/lib/grafana",)),
)


def volumes() -> list[Volume]:
    """Return the block devices that have a size, sorted."""
    root = _DEVICES
    found = []
    for device in _names(root):
        size = read_or_empty(f"{root}/{device}/size").strip()
        if size.isdigit() and int(size):
            parents = [_name(f"{root}/{parent}", parent) for parent in _names(f"{root}/{device}/slaves")]
            if os.path.exists(f"{root}/{device}/partition"):
                parents = [os.path.basename(os.path.dirname(os.path.realpath(f"{root}/{device}")))]
            path = f"{root}/{device}"
            found.append(Volume(_name(path, device), _kind(path), int(size) * _SECTOR, parents))
    return sorted(found)


def _name(path: str, device: str) -> str:
    """Return what a device is called: of the device mapper, not by its number."""
    return shown(read_or_empty(f"{path}/dm/name").strip() or device)


def _kind(path: str) -> Device:
    mapped = read_or_empty(f"{path}/dm/uuid")
    if mapped.startswith("LVM-"):
        return "lvm"
    if mapped.startswith("CRYPT-"):
        return "crypt"
    if os.path.exists(f"{path}/md"):
        return "raid"
    if os.path.exists(f"{path}/partition"):
        return "part"
    return "disk" if os.path.exists(f"{path}/device") and not os.path.exists(f"{path}/loop") else "other"


def directories(services: list[Service], pids: dict[str, int]) -> tuple[list[DataDirectory], list[Unseen]]:
    """Return where services keep their data, with its size, and what could not be counted.

    :param pids: a process for each Service.id that still has one.
    """
    count = _Count()
    found = []
    closed = []
    for one in services:
        pid = pids.get(one.id)
        for path in _places(one, pid) if pid else []:
            # As the service sees it, also in a container.
            size = count.size(f"/proc/{pid}/root{path}")
            if size is not None or os.geteuid():
                found.append(DataDirectory(one.id, shown(path), size, count.stopped))
                closed += [one.id] if size is None else []
    unseen = []
    if closed:
        why = f"This account may not read the data of {', '.join(sorted(set(closed)))}."
        unseen.append(Unseen("storage", why, "Run the module as root (become: true)."))
    return sorted(found), unseen


def _places(service: Service, pid: int) -> list[str]:
    store = next((one for one in _STORES if service.program in one.names), None)
    if store is None:
        return []
    for option in store.options:
        match = re.search(rf"(?:^|\s){re.escape(option)}(?:\s+|=)(/\S+)", service.command)
        if match:
            return [match.group(1)]
    if store.within:
        try:
            place = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            place = "/"
        if place != "/":
            return [place]
    return [path for path in store.usual if os.path.isdir(f"/proc/{pid}/root{path}")]


class _Count:
    """The sizes of directories, until it has taken too long.

    :ivar stopped: it has.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._files = 0
        self._end = time.monotonic() + _MOST_SECONDS

    def size(self, path: str) -> Optional[int]:
        """Return the bytes that a directory's files take on the disk, each of them once, on its file system only."""
        try:
            device = os.stat(path).st_dev
            os.listdir(path)
        except OSError:
            return None
        total = 0
        linked: set[int] = set()
        folders = [path]
        while folders and not self.stopped:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        status = entry.stat(follow_symlinks=False)
                        self._files += 1
                        if status.st_dev != device or status.st_ino in linked:
                            continue
                        if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                            linked.add(status.st_ino)
                        total += status.st_blocks * _SECTOR
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
            except OSError:
                continue
            self.stopped = self._files > _MOST_FILES or time.monotonic() > self._end
        return total


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
