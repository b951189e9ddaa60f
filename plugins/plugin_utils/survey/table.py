# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""flows.csv: who talks to whom, a line for each client, server and port, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.correlate import Node
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Overview, answered
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import line

_ENDS = ("component", "host", "service", "address", "name")
_HEAD = [
    *(f"client_{name}" for name in _ENDS),
    *(f"server_{name}" for name in _ENDS),
    *("protocol", "port", "established", "samples", "first_seen", "last_seen", "translated", "seen_by"),
]


def flows(whole: Overview) -> str:
    """Return all conversations as CSV with a head, also those of what belongs to the hosts themselves."""
    owners = {
        (facts.component.host, service): name
        for name, facts in whole.facts.items()
        for service in facts.component.services or [""]
    }

    def end(node: Node) -> list[str]:
        external = whole.externals.get(node.address or "")
        known = external.names[:1] if external else []
        return [
            owners.get((node.host or "", node.service or ""), ""),
            node.host or "",
            node.service or "",
            node.address or "",
            *(known or [""]),
        ]

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEAD)
    for edge in whole.edges:
        row = [
            *end(edge.client),
            *end(edge.server),
            edge.protocol,
            str(edge.port or ""),
            "yes" if edge.established else "unknown" if answered(edge) else "no",
            str(edge.samples),
            edge.first_seen,
            edge.last_seen,
            "yes" if edge.translated else "no",
            " ".join(edge.seen_by),
        ]
        writer.writerow(map(_cell, row))
    return out.getvalue()


def _cell(text: str) -> str:
    """Return a text that a spreadsheet takes for nothing but text."""
    plain = line(text)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain
