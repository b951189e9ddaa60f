# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page: everything in one file, which asks no network for anything. No text in it is more than text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.components import UNKNOWN
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Facts,
    Found,
    Overview,
    is_store,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.waves import Wave
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import (
    Block,
    Code,
    Grid,
    Items,
    Link,
    Page,
    Words,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import file_name
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.moving import downtime, size
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import KINDS, MARKS, PAGE, escaped

_GRAVEST = ("high", "medium", "low")
# So that a browser has it at once: sections of components, and findings of one kind.
_SECTIONS = 300
_FINDINGS = 100
# Characters of a cell that are not broken into lines.
_LONG = 20
_KINDS = {
    "not_seen": "Hosts that could not be surveyed",
    "unreadable": "Files that could not be used",
    "exposed": "Reachable from anywhere",
    "uses_retired": "Depends on something that will be retired",
    "wave_refused": "Impossible waves",
    "not_allowed": "Connections that the firewall would block",
    "unanswered": "Connection attempts without an answer",
    "uses_kept": "Moves, but depends on something that stays",
    "gone": "In decisions.yml, but no longer found",
    "together": "Must move together",
    "perhaps_exposed": "May be reachable from anywhere",
    "unused_rule": "Unused firewall rules",
    "partly_seen": "Partly visible",
}


def page(whole: Overview, found: Sequence[Found], sheets: Sequence[Page], map_svg: str) -> str:
    """Return the page.

    :param found: the findings, the most severe first.
    :param sheets: of all components. If there are very many, the page contains those with the most severe findings and
        links to the others.
    :param map_svg: the map, as ``svg`` returns it.
    """
    writer = _Writer(whole, found, sheets)
    # In the page itself, a link to it is one within it.
    picture = map_svg.replace(f'href="{PAGE}#', 'href="#')
    style, script = (_part(f"page.{kind}") for kind in ("css", "js"))
    styles = [style, *re.findall(r"<style>(.*?)</style>", picture, re.DOTALL)]
    policy = (
        f"default-src 'none'; style-src {_hashes(styles)}; script-src {_hashes([script])}; base-uri 'none'; "
        "form-action 'none'"
    )
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="generator" content="dbops.migrations.survey">',
        f"<title>{escaped(whole.title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#components">Skip the map</a>',
        *writer.header(),
        "<main>",
        *writer.map(picture),
        *writer.components(),
        *writer.findings(),
        *writer.waves(),
        *writer.not_seen(),
        *writer.sheets(),
        "</main>",
        "<footer><p>Made by dbops.migrations.survey. The same observations give the same page. "
        "What you know belongs in decisions.yml.</p></footer>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _part(name: str) -> str:
    """Return a part of the page, without the comment at its beginning."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8").partition("*/\n")[2]


def _hashes(texts: Iterable[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


class _Writer:
    def __init__(self, whole: Overview, found: Sequence[Found], sheets: Sequence[Page]) -> None:
        self._whole = whole
        self._found = found
        self._severities: dict[str, list[str]] = {}
        for one in found:
            self._severities.setdefault(one.component, []).append(one.severity)
        self._waves = {
            name: wave.number for wave in whole.plan.waves for group in wave.groups for name in group.components
        }
        self._names = {file_name(name): name for name in whole.facts}
        ranked = sorted(sheets, key=lambda one: (self._grave(self._names[one.target]), one.target))
        self._here = {one.target for one in ranked[:_SECTIONS]}
        self._sheets = sheets

    def _grave(self, name: str) -> tuple[int, bool]:
        severities = self._severities.get(name, [])
        gravest = next((number for number, one in enumerate(_GRAVEST) if one in severities), len(_GRAVEST))
        return gravest, not is_store(self._whole.facts[name])

    def header(self) -> Iterator[str]:
        """Write the title, the numbers, and the way to the sections."""
        whole = self._whole
        documents = [host.document for host in whole.hosts.values() if host.document]
        seen = f"{len(documents)} <small>of {len(whole.hosts)} seen</small>"
        counts = [sum(one.severity == severity for one in self._found) for severity in _GRAVEST]
        grave = f"{counts[0]} <small>high, {counts[1]} medium, {counts[2]} low</small>"
        tiles = {
            "Hosts": seen,
            "Components": str(len(whole.facts)),
            "Connections": str(len(whole.connections)),
            "Findings": grave,
            "Waves": str(len(whole.plan.waves)),
        }
        yield "<header>"
        yield f"<h1>{escaped(whole.title)}</h1>"
        if documents:
            first, last = min(one.started for one in documents), max(one.ended for one in documents)
            yield f'<p class="soft">What was seen from {_time(first)} to {_time(last)}.</p>'
        yield '<dl class="tiles">'
        for name, number in tiles.items():
            yield f"<div><dt>{name}</dt><dd>{number}</dd></div>"
        yield "</dl></header>"
        yield '<nav aria-label="Sections"><ul>'
        parts = ["Map", "Components", "Findings", "Waves", "Not seen", "Sheets"]
        yield "".join(f'<li><a href="#{one.lower().replace(" ", "-")}">{one}</a></li>' for one in parts)
        yield "</ul></nav>"

    def map(self, picture: str) -> Iterator[str]:
        """Write the map with its legend."""
        yield '<section id="map"><h2>Map</h2>'
        yield '<p class="soft">An arrow goes from who asks to who is asked. A name leads to what is known of it.'
        yield 'The map is a file, too: <a href="map.svg">map.svg</a>.</p>'
        yield f'<div class="card picture" role="region" tabindex="0" aria-label="Map">{picture}</div>'
        yield '<ul class="legend">'
        for kind, text in KINDS.items():
            yield f'<li><i class="{kind}"></i>{text}</li>'
        for severity, mark in MARKS.items():
            shape = f'<svg viewBox="-8 -8 16 16" aria-hidden="true"><path class="{severity}" d="{mark}"/></svg>'
            yield f"<li>{shape}finding: {severity}</li>"
        yield "<li>W1: wave in which it moves</li><li>dashed red: no answer</li></ul></section>"

    def components(self) -> Iterator[str]:
        """Write the table of components."""
        yield '<section id="components"><h2>Components</h2>'
        yield '<div class="filter" hidden><label for="filter">Show only</label>'
        yield '<input id="filter" type="search" placeholder="words, such as a role or a host" autocomplete="off">'
        yield '<span id="count" class="soft" role="status"></span></div>'
        yield '<div class="card scroll" role="region" tabindex="0" aria-label="Components">'
        yield '<table id="list"><thead><tr>'
        for name in ("Component", "Role", "Technology", "Host", "Findings"):
            yield f'<th scope="col">{name}</th>'
        for name in ("Wave", "Uses", "Used by", "To copy"):
            yield f'<th scope="col" class="number">{name}</th>'
        for name in ("Decision", "Owner", "Groups"):
            yield f'<th scope="col">{name}</th>'
        yield "</tr></thead><tbody>"
        for name, facts in self._whole.facts.items():
            yield self._row(name, facts)
        yield "</tbody></table></div></section>"

    def _row(self, name: str, facts: Facts) -> str:
        component, decision = facts.component, facts.decision
        cells = [
            component.role if component.role != UNKNOWN else "",
            component.technology,
            component.host,
        ]
        groups = self._whole.hosts[component.host].groups
        # What is used on the whole host, where its data could not be counted, is not a size of it.
        copied = facts.copied if facts.data and all(one.size_bytes is not None for one in facts.data) else None
        shown = size(copied) if copied else "unknown" if facts.copied else ""
        numbers = [
            str(self._waves.get(name, "")),
            str(len({one.server for one in facts.uses}) or ""),
            str(len({one.client for one in facts.used_by}) or ""),
        ]
        severities = self._severities.get(name, [])
        badges = " ".join(_badge(one, severities.count(one)) for one in _GRAVEST if one in severities)
        weight = sum(severities.count(one) * 1000**power for power, one in enumerate(reversed(_GRAVEST)))
        return "".join(
            [
                f'<tr id="r-{file_name(name)}"><th scope="row">{self._link(name)}</th>',
                *map(_data, map(escaped, cells)),
                f'<td data-value="{weight or ""}">{badges}</td>',
                *(f'<td class="number">{number}</td>' for number in numbers),
                f'<td class="number" data-value="{copied.bytes if copied else ""}">{escaped(shown)}</td>',
                *map(_data, map(escaped, [decision.fate or "", decision.owner, ", ".join(groups)])),
                "</tr>",
            ]
        )

    def findings(self) -> Iterator[str]:
        """Write the findings, those of one kind together."""
        yield '<section id="findings"><h2>Findings</h2>'
        if not self._found:
            yield "<p>None.</p>"
        kinds: dict[tuple[str, str], list[Found]] = {}
        for one in self._found:
            kinds.setdefault((one.severity, one.kind), []).append(one)
        for (severity, kind), some in kinds.items():
            title = _KINDS.get(kind, kind.replace("_", " ").capitalize())
            is_open = " open" if severity == "high" and len(some) <= 10 else ""
            yield f"<details{is_open}><summary><h3>{escaped(title)}</h3> {_badge(severity, len(some))}</summary>"
            yield '<div class="inside"><ul>'
            for one in some[:_FINDINGS]:
                link = f" {self._link(one.component, 'Sheet')}" if one.component in self._whole.facts else ""
                yield f"<li>{escaped(one.text)}{link}</li>"
            yield "</ul>"
            if len(some) > _FINDINGS:
                yield f"<p>And {len(some) - _FINDINGS} more: see the sheets of the components.</p>"
            yield "</div></details>"
        yield "</section>"

    def waves(self) -> Iterator[str]:
        """Write in which order the components move."""
        whole = self._whole
        first = "What others depend on moves first." if whole.order == "first" else "What others depend on moves last."
        yield '<section id="waves"><h2>Waves</h2>'
        yield f'<p class="soft">{first} The runbooks are in <a href="waves.md">waves.md</a>.</p>'
        for wave in whole.plan.waves:
            yield from self._wave(wave)
        for fate, title in (("keep", "Staying"), ("retire", "To be retired")):
            names = [name for name, facts in whole.facts.items() if facts.decision.fate == fate]
            if names:
                yield f"<h3>{title}</h3>{self._chips([name] for name in names)}"
        yield "</section>"

    def _wave(self, wave: Wave) -> Iterator[str]:
        groups = [group.components for group in wave.groups]
        names = [name for group in groups for name in group]
        lines = downtime([self._whole.facts[name] for name in names], self._whole)
        plural = "s" * (len(names) > 1)
        yield f"<details{' open' if len(names) <= 40 else ''}><summary><h3>Wave {wave.number}</h3>"
        yield f'<span class="soft">{len(names)} component{plural}</span></summary><div class="inside">'
        yield f"{''.join(f'<p>{escaped(one)}</p>' for one in lines)}{self._chips(groups)}</div></details>"

    def _chips(self, groups: Iterable[Sequence[str]]) -> str:
        # What moves in one step is one chip.
        chips = (" + ".join(self._link(name) for name in names) for names in groups)
        return f'<ul class="chips">{"".join(f"<li>{chip}</li>" for chip in chips)}</ul>'

    def not_seen(self) -> Iterator[str]:
        """Write which hosts and documents are missing, and what people decided about that is gone."""
        whole = self._whole
        missed = [host for host in whole.hosts.values() if host.missed]
        rows: list[list[str | Link]]
        yield '<section id="not-seen"><h2>Not seen</h2>'
        if missed:
            head = ["Host", "Groups", "Why", "Shown"]
            shown = ("nothing", "an earlier survey")
            yield "<h3>Hosts</h3>"
            yield self._grid(
                Grid(
                    head, [[one.name, ", ".join(one.groups), one.missed, shown[bool(one.document)]] for one in missed]
                ),
                "Hosts that could not be surveyed",
            )
        else:
            yield "<p>All requested hosts were surveyed.</p>"
        if whole.refused:
            yield "<h3>Files that could not be used</h3>"
            rows = [[name, why] for name, why in whole.refused.items()]
            yield self._grid(Grid(["File", "Why"], rows), "Files that could not be used")
        if whole.gone:
            yield "<h3>In decisions.yml, but no longer found</h3><ul>"
            yield "".join(f"<li>{escaped(name)}</li>" for name in whole.gone)
            yield "</ul>"
        yield "</section>"

    def sheets(self) -> Iterator[str]:
        """Write the sheets of the components, and where the others are."""
        yield '<section id="sheets"><h2>Sheets</h2>'
        left = len(self._sheets) - len(self._here)
        if left:
            yield f"<p>Here are the {len(self._here)} with the most severe findings. The components table links to the "
            yield f"other {left} in components/.</p>"
        for one in self._sheets:
            if one.target in self._here:
                yield from self._sheet(one)
        yield "</section>"

    def _sheet(self, sheet: Page) -> Iterator[str]:
        component = self._whole.facts[self._names[sheet.target]].component
        known = " · ".join(filter(None, [component.technology, component.role if component.role != UNKNOWN else ""]))
        yield f'<details><summary><h3>{escaped(sheet.title)}</h3> <span class="soft">{escaped(known)}</span></summary>'
        # The mark is inside: so a browser opens what is around it by itself.
        yield f'<div class="inside" id="c-{escaped(sheet.target)}">'
        for section in sheet.sections:
            yield f"<h4>{escaped(section.title)}</h4>"
            for block in section.blocks:
                yield self._block(block, f"{sheet.title}: {section.title}")
        yield f'<p><a href="#r-{escaped(sheet.target)}">In the table</a></p></div></details>'

    def _block(self, block: Block, label: str) -> str:
        if isinstance(block, Words):
            return f"<p>{escaped(block.text)}</p>"
        if isinstance(block, Code):
            lines = "\n".join(map(escaped, block.lines))
            return f'<pre tabindex="0"><code>{lines}</code></pre>'
        if isinstance(block, Items):
            kind = "ol" if block.numbered else "ul"
            return f"<{kind}>{''.join(f'<li>{self._cell(one)}</li>' for one in block.items)}</{kind}>"
        return self._grid(block, label)

    def _grid(self, grid: Grid, label: str) -> str:
        head = "".join(f'<th scope="col">{escaped(one)}</th>' for one in grid.head)
        rows = "".join(f"<tr>{''.join(_data(self._cell(cell)) for cell in row)}</tr>" for row in grid.rows)
        return (
            f'<div class="scroll small" tabindex="0" role="group" aria-label="{escaped(label)}"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _cell(self, cell: str | Link) -> str:
        if isinstance(cell, Link):
            return f'<a href="{self._place(cell.target)}">{escaped(cell.text)}</a>'
        return escaped(cell)

    def _link(self, name: str, text: str = "") -> str:
        shown = self._whole.shown(name)
        label = f' aria-label="{escaped(f"{text} of {shown}")}"' if text else ""
        return f'<a href="{self._place(file_name(name))}"{label}>{escaped(text or shown)}</a>'

    def _place(self, target: str) -> str:
        return escaped(f"#c-{target}" if target in self._here else f"components/{target}.md")


def _data(cell: str) -> str:
    """Return the cell of a table. What is long is broken into lines, anywhere if it has to be."""
    return f'<td class="long">{cell}</td>' if len(cell) > _LONG and not cell.startswith("<a ") else f"<td>{cell}</td>"


def _badge(severity: str, count: int) -> str:
    return f'<span class="badge {severity}">{count} {severity}</span>'


def _time(text: str) -> str:
    return escaped(text.replace("T", " ").replace("Z", " UTC"))
