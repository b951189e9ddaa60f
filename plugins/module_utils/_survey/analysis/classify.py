# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service is: its technology and its role, with the evidence. Private to the collection.

The signatures are data, in signatures.yml. Evidence is combined: two clues that are each right in 80% of the cases
leave a doubt of 0.2 × 0.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..._core.dependency import Dependency
from ..._core.errors import Error
from ..document import Listener, Service

with Dependency("PyYAML", prepared=False) as PYYAML:
    import yaml

# How much each kind of evidence says by itself.
_WEIGHTS = {"program": 0.8, "package": 0.8, "command": 0.8, "unit": 0.6, "port": 0.3}
_LISTS = ("programs", "units", "packages", "commands", "ports")


class Signature(NamedTuple):
    """How a technology is recognised; signatures.yml says what the fields mean."""

    technology: str
    role: str
    programs: frozenset[str]
    units: frozenset[str]
    packages: tuple[str, ...]
    commands: tuple[re.Pattern[str], ...]
    ports: frozenset[int]


class Finding(NamedTuple):
    """What a service may be.

    :ivar confidence: from 0 to 1.
    :ivar evidence: in words: "program nginx", "port 80".
    """

    technology: str
    role: str
    confidence: float
    evidence: list[str]


def signatures(more: Optional[str] = None, name: str = "") -> list[Signature]:
    """Return the collection's signatures, and a person's own, which replace those of the same technology.

    :param more: their own, as YAML.
    :param name: of the file that it is from.
    :raises Error: theirs are not signatures; the message says where.
    """
    path = Path(__file__).with_name("signatures.yml")
    found = {one.technology: one for one in _read(path.read_text(encoding="utf-8"), path.name)}
    found.update((one.technology, one) for one in (_read(more, name) if more is not None else ()))
    return list(found.values())


def classify(service: Service, listeners: Iterable[Listener], known: Sequence[Signature]) -> list[Finding]:
    """Return what a service may be, the likeliest first; empty: nobody knows it.

    :param listeners: of its host.
    """
    ports = sorted({one.port for one in listeners if one.service == service.id})
    found = [finding for one in known for finding in _compared(one, service, ports)]
    return sorted(found, key=lambda one: (-one.confidence, one.technology))


def _compared(signature: Signature, service: Service, ports: list[int]) -> list[Finding]:
    evidence: list[tuple[str, str]] = []
    names = [name for name in dict.fromkeys((service.program, service.name)) if name in signature.programs]
    evidence += [("program", name) for name in names[:1]]
    unit = re.sub(r"@.*", "@", (service.unit or "").rsplit(".service", 1)[0])
    if unit in signature.units:
        evidence.append(("unit", str(service.unit)))
    if service.package and service.package.startswith(signature.packages or ("\0",)):
        evidence.append(("package", service.package))
    evidence += [("command", match.group()) for match in _matches(signature.commands, service.command)][:1]
    # A port alone is anybody's, and of many ports one is evidence enough.
    evidence += [("port", str(port)) for port in ports if port in signature.ports][:1]
    doubt = 1.0
    for kind, _value in evidence:
        doubt *= 1 - _WEIGHTS[kind]
    if not evidence:
        return []
    words = [f"{kind} {value}" for kind, value in evidence]
    return [Finding(signature.technology, signature.role, round(1 - doubt, 2), words)]


def _matches(patterns: Sequence[re.Pattern[str]], text: str) -> list[re.Match[str]]:
    return [match for pattern in patterns if (match := pattern.search(text))]


def _read(text: str, name: str) -> list[Signature]:
    PYYAML.check()
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Error(2529, f"The signatures in {name} are not valid YAML: {error}.") from error
    if not isinstance(entries, list):
        raise Error(2530, f"The signatures in {name} are not a list.")
    return [_signature(entry, f"Signature {number} in {name}") for number, entry in enumerate(entries, 1)]


def _signature(entry: Any, place: str) -> Signature:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("technology", "role")):
        raise Error(2531, f"{place} lacks technology or role, which are strings.")
    unknown = sorted(map(str, entry.keys() - {"technology", "role", *_LISTS}))
    if unknown:
        raise Error(2532, f"{place} has the unknown key {unknown[0]}. There are technology, role, {', '.join(_LISTS)}.")
    for key in _LISTS:
        kind: type = int if key == "ports" else str
        values = entry.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
            raise Error(2533, f"{place}: {key} is not a list of {'numbers' if kind is int else 'strings'}.")
    try:
        commands = tuple(re.compile(pattern) for pattern in entry.get("commands", []))
    except re.error as error:
        raise Error(2534, f"{place}: a command is not a valid regular expression: {error}.") from error
    return Signature(
        technology=entry["technology"],
        role=entry["role"],
        programs=frozenset(entry.get("programs", [])),
        units=frozenset(entry.get("units", [])),
        packages=tuple(entry.get("packages", [])),
        commands=commands,
        ports=frozenset(entry.get("ports", [])),
    )
