# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A survey's summary in a few lines, and the artifact that an AWX workflow can read."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

# Lines for each of the things that there may be hundreds of.
_LINES = 20
# Findings in AWX's artifacts, which must stay small.
_FINDINGS = 200
_COUNTED = {"components": "component", "flows": "flow", "externals": "external peer", "waves": "wave"}
# What may be an address: of a person, or of a machine.
_MAIL = re.compile(r"[^\s@/]+@[\w-]+(?:\.[\w-]+)+")
_NUMBERS = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]+")


def lines(result: Mapping[str, Any], plainly: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines.

    :param result: the report's.
    :param plainly: the hosts that were seen only without becoming root, with the reason.
    """
    unseen = {one["host"]: one["error"] for one in result["not_seen"]}
    counts = [_number(_count(result, name), word) for name, word in _COUNTED.items()]
    yield f"Seen: {result['hosts']} of {_number(result['hosts'] + len(unseen), 'host')}, {', '.join(counts)}"
    severities = Counter(finding["severity"] for finding in result["findings"])
    yield f"Findings: {', '.join(f'{count} {word}' for word, count in severities.items()) or 'none'}"
    yield from _some("Seen without becoming root", [f"{host}: {reason}" for host, reason in sorted(plainly.items())])
    yield from _some("Not seen", [f"{host}: {reason}" for host, reason in sorted(unseen.items())])
    yield from _some("Not read", [line(refused) for refused in result["refused"]])


def artifact(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the artifact for later nodes of a workflow: no text from a host, and no address."""
    findings = [
        {name: _public(finding[name]) for name in ("kind", "severity", "component")}
        for finding in result["findings"][:_FINDINGS]
    ]
    unseen = [one["host"] for one in result["not_seen"]]
    counts = {
        "hosts": result["hosts"] + len(unseen),
        "not_seen": len(unseen),
        "findings": len(result["findings"]),
        **{name: _count(result, name) for name in _COUNTED},
    }
    return {"counts": counts, "findings": findings, "not_seen": [_public(host) for host in unseen]}


def line(text: Any) -> str:
    """Return a text from a host as one line without control characters."""
    words = " ".join(str(text or "").split())
    return "".join(char if char.isprintable() else "?" for char in words).rstrip(".")[:500]


def _some(what: str, entries: list[str]) -> Iterator[str]:
    """Yield a line for each entry, up to a limit."""
    yield from (f"{what}: {entry}" for entry in entries[:_LINES])
    if len(entries) > _LINES:
        yield f"{what}: {len(entries) - _LINES} more; see the report"


def _count(result: Mapping[str, Any], name: str) -> int:
    found = result[name]
    return found if isinstance(found, int) else len(found)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _public(text: Any) -> str:
    """Return a name without addresses and without template markers."""
    plain = _MAIL.sub("(address)", line(text).translate(str.maketrans("{}<>", "()()")))
    return _NUMBERS.sub(lambda match: "(address)" if _is_address(match[0]) else match[0], plain)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
