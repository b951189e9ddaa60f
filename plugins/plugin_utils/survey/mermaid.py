# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map as Mermaid, which many places show that show Markdown."""

from __future__ import annotations

import re

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import Chart
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import cut, kind_of, ports

_LONGEST = 60
# Light, with dark text, on which either theme's lines can be told.
_CLASSES = {
    "store": "fill:#d9e7fd,stroke:#1967d2,color:#1c2430",
    "front": "fill:#f0defc,stroke:#8430ce,color:#1c2430",
    "app": "fill:#d5f0e2,stroke:#137a4b,color:#1c2430",
    "other": "fill:#f3ecc9,stroke:#7a6a1f,color:#1c2430",
    "unknown": "fill:#e7eaee,stroke:#6b7480,color:#1c2430",
    "outside": "fill:#ffffff,stroke:#6b7480,color:#1c2430,stroke-dasharray:4",
}
# What has no meaning in a label, wherever it stands.
_HARMLESS = re.compile(r"[^A-Za-z0-9 .,:@/()–·…_-]")


def mermaid(chart: Chart) -> str:
    """Return a map as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    kinds: dict[str, list[str]] = {}
    for box in chart.boxes:
        outside = box.kind in ("asking", "asked", "unseen")
        title = f"{box.title} · {box.detail}" if box.detail else box.title
        lines.append(f'  subgraph {box.id}["{_label(title)}"]')
        for node in box.nodes:
            lines.append(f'    {node.id}["{"<br>".join(_label(text) for text in (node.title, node.detail) if text)}"]')
            kinds.setdefault("outside" if outside else kind_of(node.role), []).append(node.id)
        lines.append("  end")
    for arrow in chart.arrows:
        line = "-->" if arrow.answered else "-.->"
        lines.append(f'  {arrow.client} {line}|"{_label(ports(arrow, 3))}"| {arrow.server}')
    for kind, ids in sorted(kinds.items()):
        lines += [f"  classDef {kind} {_CLASSES[kind]}", f"  class {','.join(ids)} {kind}"]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    text = _HARMLESS.sub(lambda match: f"#{ord(match.group())};", cut(text, _LONGEST))
    # At the beginning a number with a dot, or a dash, would be a list.
    return re.sub(r"^\d+(?=\. )|^-(?= )", lambda match: "".join(f"#{ord(one)};" for one in match.group()), text) or " "
