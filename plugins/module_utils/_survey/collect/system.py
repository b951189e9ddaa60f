# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounted file systems, and how names are resolved. Private to the collection."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Optional

from ..document import HostName, Mount, Resolution
from .texts import read_or_empty, shown

_NETWORK = re.compile(r"nfs\d?|cifs|smb\d|ceph|glusterfs|lustre|gpfs|afs|9p|fuse\.(?:sshfs|glusterfs|ceph|s3fs|rclone)")
# Storage that the kernel knows no device for. An overlay is a container's root.
_DEVICELESS = ("zfs", "overlay")


def mounts() -> list[Mount]:
    """Return the file systems with storage after them, sorted; the latest of those at one place.

    Network file systems are not asked for their size: one whose server is away would never answer.
    """
    without_device = {
        line.split()[1] for line in read_or_empty("/proc/filesystems").splitlines() if line.startswith("nodev")
    }
    found = {}
    for line in read_or_empty("/proc/self/mounts").splitlines():
        source, path, kind, options = (_unescaped(field) for field in line.split(" ")[:4])
        network = bool(_NETWORK.fullmatch(kind))
        # What another program serves (fuse.*) is not in the kernel's list; as a block device it is fuseblk.
        if not network and kind not in _DEVICELESS and (kind in without_device or kind.startswith("fuse.")):
            continue
        size, used = (0, 0) if network else _sizes(path)
        found[path] = Mount(shown(path), shown(kind), shown(source), network, "ro" in options.split(","), size, used)
    return [found[path] for path in sorted(found)]


def resolution() -> Resolution:
    """Return what /etc/hosts and /etc/resolv.conf say; what cannot be read is empty."""
    hosts = []
    for line in _lines("/etc/hosts"):
        address = _address(line[0])
        if address and line[1:]:
            hosts.append(HostName(address, line[1:]))
    nameservers: list[str] = []
    search: list[str] = []
    for line in _lines("/etc/resolv.conf"):
        if line[0] == "nameserver" and line[1:]:
            address = _address(line[1])
            nameservers += [address] if address else []
        elif line[0] in ("search", "domain"):
            # resolv.conf(5): the last one counts.
            search = line[1:]
    return Resolution(hosts, nameservers, search)


def _sizes(path: str) -> tuple[int, int]:
    try:
        answer = os.statvfs(path)
    except OSError:
        return 0, 0
    return answer.f_blocks * answer.f_frsize, (answer.f_blocks - answer.f_bfree) * answer.f_frsize


def _unescaped(field: str) -> str:
    """Return a field of the table of mounts, in which a space is ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)


def _lines(path: str) -> list[list[str]]:
    lines = (re.split(r"[#;]", line)[0].split() for line in read_or_empty(path).splitlines())
    return [[shown(word) for word in words] for words in lines if words]


def _address(text: str) -> Optional[str]:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
