# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages own the programs. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable

from ..document import Service, Unseen
from .commands import find, printed

# The paths of one question: an argument list has an end.
_AT_ONCE = 200


def with_packages(services: list[Service]) -> tuple[list[Service], list[Unseen]]:
    """Return the services with their packages and versions; a container's programs are none of the host's packages."""
    paths = sorted({one.executable for one in services if one.executable and not one.container})
    if find("dpkg-query"):
        owners = _dpkg(paths)
    elif find("rpm"):
        owners = _rpm(paths)
    else:
        return services, [Unseen("packages", "There is neither dpkg nor rpm.", "Look up the packages manually.")]
    found = []
    for one in services:
        package, version = owners.get(one.executable or "", (None, None)) if not one.container else (None, None)
        found.append(one._replace(package=package, version=version))
    return found, []


def _dpkg(paths: list[str]) -> dict[str, tuple[str, str]]:
    packages: dict[str, str] = {}
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        # A package may say /bin where the path is /usr/bin.
        asked = {name: path for path in some for name in (path.removeprefix("/usr") if _moved(path) else path, path)}
        for line in printed("dpkg-query", "--search", *asked).splitlines():
            owners, _colon, name = line.rpartition(": ")
            if name in asked and not owners.startswith("diversion "):
                packages[asked[name]] = owners.split(",")[0].strip()
    versions = {}
    names = sorted(set(packages.values()))
    for start in range(0, len(names), _AT_ONCE):
        output = printed(
            "dpkg-query", "--show", "--showformat", "${binary:Package}\t${Version}\n", *names[start : start + _AT_ONCE]
        )
        for line in output.splitlines():
            name, _tab, version = line.partition("\t")
            versions[name] = versions[name.partition(":")[0]] = version
    return {path: (name.partition(":")[0], versions[name]) for path, name in packages.items() if name in versions}


def _moved(path: str) -> bool:
    return path.startswith(("/usr/bin/", "/usr/sbin/", "/usr/lib"))


def _rpm(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    found = {}
    for path in paths:
        output = printed("rpm", "--query", "--queryformat", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", "--file", path)
        # What nobody owns is answered in a sentence.
        name, tab, version = output.partition("\n")[0].partition("\t")
        if tab:
            found[path] = (name, version)
    return found
