# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A survey's directory: what was observed goes in, and all that people look at comes out of all that is there."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import Signature, signatures
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.notes import notes
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Found,
    Inputs,
    Overview,
    overview,
    with_names,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey import decisions, names, store
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.drawn import drawn
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import Writer, file_name
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import MARK, markdown
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.moving import waves_page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.sheets import sheet
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.table import flows

SHEETS = "components"
# What is made again by each run, besides the sheets.
_MADE = ("index.html", "map.svg", "map.mmd", "flows.csv", "waves.md")


def report(options: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Keep what was observed, and report on it with all that was kept before.

    :param options: ``directory``; ``observations``, of each host ``host`` and ``survey`` or ``error``, perhaps none;
        ``inventory``, of each host ``groups`` and ``ansible_host``; and, where they are given, ``signatures`` (a file),
        ``bandwidth`` (megabits a second) and ``data_stores`` (``first`` or ``last``).
    :param check: nothing is written.
    :raises Error: the directory cannot be used, or a file that people wrote is not what it should be; what was observed
        has then been kept.
    """
    directory = Path(options["directory"])
    bandwidth = options.get("bandwidth")
    if bandwidth is not None and not bandwidth > 0:
        raise Error(2515, f"The bandwidth is {bandwidth:g}. Give more than 0 megabits a second.")
    _refuse_others(directory)
    writer = Writer(directory, not check)
    new = store.keep(store.observed(options.get("observations") or []), writer)
    stored = store.load(directory, new, {*writer.written})
    inventory = options.get("inventory") or {}
    whole = overview(
        Inputs(
            documents=stored.documents,
            looks=stored.looks,
            absences=stored.absences,
            signatures=_signatures(options.get("signatures")),
            decisions=decisions.load(directory),
            groups={host: known["groups"] for host, known in inventory.items()},
            bandwidth=bandwidth,
            order=options.get("data_stores") or "first",
            refused=stored.refused,
            title="Infrastructure survey",
        )
    )
    known = {**_resolved(whole, writer, bool(new.documents)), **_addresses(inventory)}
    whole = with_names(whole._replace(refused={**whole.refused, **_in_the_way(whole, directory)}), known)
    found = notes(whole)
    _write(whole, found, writer)
    return _result(whole, found, writer)


def _refuse_others(directory: Path) -> None:
    """Refuse a directory that has been somebody's before it was a survey's.

    :raises Error: it has been.
    """
    if not ((directory / store.FOLDER).is_dir() or _is_ours(directory / "waves.md")):
        for name in _MADE:
            if (directory / name).exists():
                raise Error(
                    2516,
                    f"{directory} has a file {name} that is not of a survey, and would be overwritten. Give the survey "
                    "a directory of its own.",
                )


def _signatures(path: str | None) -> list[Signature]:
    if not path:
        return signatures()
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Error(
            2517, f"The signatures in {path} cannot be read: {reason}. Give a file of text in UTF-8."
        ) from error
    return signatures(text, path)


def _resolved(whole: Overview, writer: Writer, looked: bool) -> dict[str, str]:
    """Return what the resolver calls addresses outside.

    It is asked only when something new was observed: what is known then counts as observed, too, so that the same
    observations give the same report.
    """
    known = names.load(writer.directory)
    if looked:
        nameless = [one for one in whole.externals.values() if not one.names and one.address not in known]
        # There may be more than there is time for; those that are asked for something matter most.
        known |= names.ask(one.address for one in sorted(nameless, key=lambda one: not one.asked))
        names.keep(known, writer)
    return known


def _addresses(inventory: Mapping[str, Any]) -> dict[str, str]:
    """Return the hosts of the inventory that it knows by an address: one that was not seen may be asked by others."""
    found: dict[str, str] = {}
    for host, known in sorted(inventory.items(), reverse=True):
        try:
            found[str(ipaddress.ip_address(known["ansible_host"]))] = host
        except ValueError:
            continue
    return found


def _in_the_way(whole: Overview, directory: Path) -> dict[str, str]:
    """Return files of people that have the name of a sheet, with what to do."""
    paths = (f"{SHEETS}/{file_name(name)}.md" for name in whole.facts)
    why = "It is a file of somebody's with the name of a sheet, which was not written. Give it another name."
    return {path: why for path in paths if (directory / path).exists() and not _is_ours(directory / path)}


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK.encode()
    except OSError:
        return False


def _write(whole: Overview, found: Sequence[Found], writer: Writer) -> None:
    """Write all files but the observations, and remove the sheets of components that no longer exist."""
    sheets = [sheet(facts, whole) for facts in whole.facts.values()]
    files = {f"{SHEETS}/{one.target}.md": markdown(one) for one in sheets}
    files.update(drawn(whole, found, sheets))
    files["flows.csv"] = flows(whole)
    files["waves.md"] = markdown(waves_page(whole), f"{SHEETS}/")
    for name, text in files.items():
        if name not in whole.refused:
            writer.write(name, text)
    for path in sorted((writer.directory / SHEETS).glob("*.md")):
        name = path.relative_to(writer.directory).as_posix()
        if name not in files and _is_ours(path):
            writer.remove(name)


def _result(whole: Overview, found: Sequence[Found], writer: Writer) -> dict[str, Any]:
    return {
        "changed": bool(writer.written),
        "components": len(whole.facts),
        "hosts": sum(host.document is not None and not host.missed for host in whole.hosts.values()),
        "not_seen": [{"host": name, "error": host.missed} for name, host in whole.hosts.items() if host.missed],
        "flows": len(whole.edges),
        "externals": len(whole.externals),
        "findings": [one._asdict() for one in found],
        "waves": [
            {"number": wave.number, "steps": [group.components for group in wave.groups]} for wave in whole.plan.waves
        ],
        "files": sorted(writer.written),
        "refused": [f"{name}: {why}" for name, why in whole.refused.items()],
    }
