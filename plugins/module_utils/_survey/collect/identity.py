# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host is: names, addresses, system, machine. Private to the collection."""

from __future__ import annotations

import ipaddress
import os
import shlex
import socket
import struct
from collections.abc import Iterator
from typing import Optional

from ..document import Identity, Interface
from .netlink import ask, attributes, messages
from .services import uptime
from .texts import read_or_empty, shown

# What a piece of DMI's vendor and product, in small letters, says; the first that fits.
_MACHINES = (
    ("amazon ec2", "aws"),
    ("google", "gcp"),
    ("alibaba", "alibaba"),
    ("digitalocean", "digitalocean"),
    ("hetzner", "hetzner"),
    ("openstack", "openstack"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("parallels", "parallels"),
    ("xen", "xen"),
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("bochs", "kvm"),
)
# The tag that Microsoft gives the machines of Azure; those of Hyper-V elsewhere have others.
_AZURE = "7783-7084-3265-9085-8269-3286-77"
# rtnetlink(7): RTM_GETADDR, IFA_ADDRESS, IFA_LOCAL.
_GET, _ADDRESS, _LOCAL = 22, 1, 2


def identity(addresses: list[Interface]) -> Identity:
    """Return what the host is, with its interfaces as they were found."""
    system = os.uname()
    release = _os_release()
    vendor, product = (_dmi(name) for name in ("sys_vendor", "product_name"))
    return Identity(
        hostname=shown(system.nodename),
        interfaces=addresses,
        os_name=release.get("PRETTY_NAME", ""),
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        kernel=shown(system.release),
        architecture=shown(system.machine),
        virtualization=virtualization(vendor, product, _dmi("chassis_asset_tag"), _in_container()),
        vendor=vendor,
        product=product,
        processors=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        uptime_seconds=int(uptime()),
    )


def virtualization(vendor: str, product: str, tag: str, container: bool) -> Optional[str]:
    """Return Identity.virtualization.

    :param tag: DMI's chassis_asset_tag.
    """
    if container:
        return "container"
    if tag == _AZURE:
        return "azure"
    if "microsoft" in vendor.lower() and "virtual machine" in product.lower():
        return "hyperv"
    machine = f"{vendor} {product}".lower()
    return next((name for piece, name in _MACHINES if piece in machine), None)


def interfaces() -> list[Interface]:
    """Return the interfaces of this network namespace with their addresses, sorted.

    :raises OSError: the kernel does not tell.
    """
    found: dict[str, list[str]] = {}
    for name, address in sorted(_addresses()):
        found.setdefault(name, []).append(address)
    return [Interface(name, addresses) for name, addresses in found.items()]


def _addresses() -> Iterator[tuple[str, str]]:
    for piece in ask(socket.NETLINK_ROUTE, _GET, bytes(8)):
        for message in messages(piece):
            yield from _address(message)


def _address(message: bytes) -> Iterator[tuple[str, str]]:
    _family, prefix, _flags, _scope, index = struct.unpack_from("=BBBBI", message)
    values = attributes(message[8:])
    # Of a point-to-point link, IFA_ADDRESS is the other end's.
    packed = values.get(_LOCAL) or values.get(_ADDRESS)
    if not packed:
        return
    try:
        name = socket.if_indextoname(index)
    except OSError:
        # It has just been removed.
        return
    address = ipaddress.ip_address(packed)
    zone = f"%{name}" if address.version == 6 and address.is_link_local else ""
    yield name, f"{address}{zone}/{prefix}"


def _os_release() -> dict[str, str]:
    text = read_or_empty("/etc/os-release") or read_or_empty("/usr/lib/os-release")
    found = {}
    for line in text.splitlines():
        name, _equals, value = line.partition("=")
        try:
            found[name] = shown(" ".join(shlex.split(value)))
        except ValueError:
            found[name] = shown(value)
    return found


def _dmi(name: str) -> str:
    return shown(read_or_empty(f"/sys/class/dmi/id/{name}").strip())


def _in_container() -> bool:
    return os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")
