# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the firewall of this network namespace lets through, as its own tools report. Private to the collection."""

from __future__ import annotations

import os
from typing import Literal

from ..document import Firewall, Table, Unseen
from . import iptables, nft
from .commands import answer, find
from .netlink import ask, attributes, messages
from .texts import read_or_empty

# Tables and chains that only one manager makes.
_MANAGERS = (
    ("firewalld", "firewalld"),
    ("ufw-", "ufw"),
    ("ufw6-", "ufw"),
    ("DOCKER", "docker"),
    ("KUBE-", "kubernetes"),
)
# nfnetlink: NETLINK_NETFILTER, NFT_MSG_GETTABLE of NFNL_SUBSYS_NFTABLES, NFTA_TABLE_NAME.
_NETFILTER, _GET_TABLES, _NAME = 12, 0x0A01, 1
_REMEDY = "Run the module as root (become: true), with nft or iptables-save on the host."


def firewall() -> tuple[Firewall, list[Unseen]]:
    """Return what it lets through, and what of it could not be read."""
    if os.geteuid():
        return _unknown(["Only root may read the firewall's rules."])
    newer, older, missing = _saved()
    listed: list[Table] = []
    if find("nft"):
        text = answer("nft", "-j", "-a", "list", "ruleset")
        try:
            listed = nft.tables(text or "", answer("nft", "-a", "list", "ruleset") or "")
        except (ValueError, KeyError, TypeError, AttributeError):
            missing.append("nft does not list its rules as JSON.")
    elif _tables() - {table.name for table in newer}:
        missing.append("The tables of nftables cannot be read: there is no nft.")
    # What iptables has put into nftables is told better by iptables. Of another's table it knows the name.
    theirs = [table for table in newer if not listed or _outline(table) in map(_outline, listed)]
    others = [table for table in listed if _outline(table) not in map(_outline, theirs)]
    found = older + theirs + others
    if missing:
        return _unknown(missing)
    names = [name for table in found for name in (table.name, *(chain.name for chain in table.chains))]
    managers = {manager for start, manager in _MANAGERS if any(name.startswith(start) for name in names)}
    return Firewall(True, sorted(managers), found), []


def _saved() -> tuple[list[Table], list[Table], list[str]]:
    """Return the tables of iptables: those in nftables, those of the older kind, and what cannot be read.

    The older kind is asked only where it has tables, as asking makes them.
    """
    newer: list[Table] = []
    older: list[Table] = []
    missing: list[str] = []
    families: tuple[tuple[str, Literal["ip", "ip6"], str], ...] = (
        ("iptables", "ip", "/proc/net/ip_tables_names"),
        ("ip6tables", "ip6", "/proc/net/ip6_tables_names"),
    )
    for program, family, names in families:
        if "nf_tables" in (answer(program, "--version") or ""):
            _save(f"{program}-save", family, newer, missing)
        if read_or_empty(names).strip():
            _save(next(filter(find, (f"{program}-legacy-save", f"{program}-save")), program), family, older, missing)
    return newer, older, missing


def _save(command: str, family: Literal["ip", "ip6"], found: list[Table], missing: list[str]) -> None:
    text = answer(command)
    if text is None:
        missing.append(f"{command} is missing or fails.")
    else:
        found += iptables.tables(text, family)


def _outline(table: Table) -> tuple[str, str, frozenset[str]]:
    return table.family, table.name, frozenset(chain.name for chain in table.chains)


def _tables() -> set[str]:
    """Return the names of the tables of nftables that there are."""
    try:
        return {
            attributes(message[4:]).get(_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
            for piece in ask(_NETFILTER, _GET_TABLES, bytes(4))
            for message in messages(piece)
        }
    except OSError:
        return set()


def _unknown(reasons: list[str]) -> tuple[Firewall, list[Unseen]]:
    return Firewall(False, [], []), [Unseen("firewall", why, _REMEDY) for why in reasons]
