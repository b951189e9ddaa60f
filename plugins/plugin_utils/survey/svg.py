# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map as SVG: a file of its own, which may be in the page as well. No text in it is more than text."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import (
    Arrow,
    Box,
    Chart,
    Node,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import STORES
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import file_name
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.layout import (
    HEAD,
    ROW,
    WIDTH,
    Place,
    layout,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import line

_Way = Sequence[tuple[int, int]]
# Links lead into the page beside the file; the page makes them its own.
PAGE = "index.html"
# Arrows that still can have their ports beside them.
_LABELS = 60
_FRONT = frozenset({"web server", "load balancer", "proxy", "database proxy", "name server", "mail", "file transfer"})
_APPLICATIONS = frozenset({"application", "worker", "build server", "build agent", "identity"})
KINDS = {
    "store": "data store",
    "front": "front end",
    "app": "application",
    "other": "other",
    "unknown": "unknown role",
    "outside": "outside",
}
MARKS = {"high": "M0-6 6 5H-6Z", "medium": "M0-6 6 0 0 6-6 0Z", "low": "M-4-4H4V4H-4Z"}
_STYLE = """
.map{--paper:#fff;--card:#fff;--head:#eef1f5;--edge:#c3cad4;--ink:#1c2430;--soft:#566172;--line:#7d8998;--lit:#0b57d0;
--store:#1967d2;--front:#8430ce;--app:#137a4b;--other:#7a6a1f;--unknown:#6b7480;--outside:#6b7480;
--high:#b3261e;--medium:#a25b00;--low:#566172;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.map{--paper:#12161c;--card:#1b212a;--head:#262e3a;--edge:#3c4756;--ink:#e8ecf2;
--soft:#a9b4c2;--line:#77859a;--lit:#8ab4f8;--store:#8ab4f8;--front:#d3a5fb;--app:#6fd6a1;--other:#dcc76a;
--unknown:#9aa5b4;--outside:#9aa5b4;--high:#ff8a80;--medium:#ffb74d;--low:#a9b4c2}}
.map .paper{fill:var(--paper)}
.map .box>rect{fill:var(--card);stroke:var(--edge)}
.map .box>path{fill:var(--head)}
.map .outer>rect{stroke-dasharray:5 4}
.map text{fill:var(--ink);font-size:13px}
.map .name{font-weight:600}
.map .soft{fill:var(--soft);font-size:11.5px}
.map .rule{stroke:var(--edge);stroke-opacity:.6}
.map .bar.store{fill:var(--store)}.map .bar.front{fill:var(--front)}.map .bar.app{fill:var(--app)}
.map .bar.other{fill:var(--other)}.map .bar.unknown{fill:var(--unknown)}.map .bar.outside{fill:var(--outside)}
.map .wave{fill:var(--soft);font-size:11px;text-anchor:end}
.map .high{fill:var(--high)}.map .medium{fill:var(--medium)}.map .low{fill:var(--low)}
.map .hit{fill:transparent}
.map a{cursor:pointer}
.map a:hover .hit,.map a:focus .hit,.map .lit .hit{fill:var(--lit);fill-opacity:.14}
.map a:focus{outline:none}
.map a:focus .hit{stroke:var(--lit);stroke-width:2}
.map .arrow path{fill:none;stroke:var(--line);stroke-width:1.4}
.map .arrow .head{fill:var(--line);stroke:none}
.map .arrow.silent path{stroke:var(--high);stroke-dasharray:6 4}
.map .arrow.silent .head{fill:var(--high)}
.map .arrow.lit path,.map .arrow:hover path{stroke:var(--lit);stroke-width:2.6}
.map .arrow.lit .head,.map .arrow:hover .head{fill:var(--lit);stroke:none}
.map .arrow .reach{stroke:transparent!important;stroke-width:9!important;stroke-dasharray:none!important}
.map .port{font-size:11px;fill:var(--soft);text-anchor:middle;paint-order:stroke;stroke:var(--paper);stroke-width:5px;
stroke-linejoin:round}
.map.dim .arrow:not(.lit){opacity:.12}
.map.dim a:not(.lit){opacity:.45}
"""


def svg(chart: Chart) -> str:
    """Return a map as SVG, in light and in dark."""
    places = layout(chart)
    nodes = {node.id: node for box in chart.boxes for node in box.nodes}
    # As large as it is drawn where there is room, and readable where there is not.
    least = places.width * 3 // 4
    wide = f"@media screen{{.map{{width:{places.width}px;max-width:100%;min-width:{least}px;height:auto}}}}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map" role="group" aria-labelledby="map-title map-text" '
        f'width="{places.width}" height="{places.height}" viewBox="0 0 {places.width} {places.height}">',
        f'<title id="map-title">{escaped(chart.title)}: who talks to whom</title>',
        f'<desc id="map-text">{escaped(_description(chart))}</desc>',
        f"<style>{_STYLE}{wide}</style>",
        f'<rect class="paper" width="{places.width}" height="{places.height}"/>',
    ]
    for box in chart.boxes:
        lines += _box(box, places.boxes[box.id])
    labels = _labels(chart, places.ways)
    for arrow, way, label in zip(chart.arrows, places.ways, labels):
        lines += _arrow(arrow, way, nodes, label)
    for box in chart.boxes:
        for node in box.nodes:
            lines += _node(box, node, places.nodes[node.id])
    return "\n".join([*lines, "</svg>"]) + "\n"


def escaped(plain: str) -> str:
    """Return a text so that HTML and XML show it as it is, on one line; it may be in an attribute, too."""
    return html.escape(line(plain))


def kind_of(role: str) -> str:
    """Return what kind of thing a role is: a key of KINDS."""
    if role == "unknown":
        return "unknown"
    return "store" if role in STORES else "front" if role in _FRONT else "app" if role in _APPLICATIONS else "other"


def _description(chart: Chart) -> str:
    what = {"component": "a component", "host": "a host", "role": "a role in a group", "group": "a group of hosts"}
    nodes = sum(len(box.nodes) for box in chart.boxes)
    text = f"{nodes} nodes in {len(chart.boxes)} boxes, {len(chart.arrows)} arrows. A node is {what[chart.fold]}."
    if chart.omitted:
        text += f" {chart.omitted} arrows with the fewest connections are left out; flows.csv has all."
    return text


def _box(box: Box, place: Place) -> Iterator[str]:
    outer = "" if box.kind in ("host", "group") else " outer"
    room = 26 - min(len(line(box.detail)), 14)
    yield f'<g class="box{outer}" transform="translate({place.x} {place.y})">'
    yield f'<path d="M0 {HEAD}V8Q0 0 8 0H{WIDTH - 8}Q{WIDTH} 0 {WIDTH} 8V{HEAD}Z"/>'
    yield f'<rect width="{WIDTH}" height="{place.height}" rx="8" fill-opacity="0"/>'
    yield f'<text class="name" x="12" y="23">{escaped(cut(box.title, room))}</text>'
    if box.detail:
        yield f'<text class="soft" x="{WIDTH - 12}" y="23" text-anchor="end">{escaped(cut(box.detail, 14))}</text>'
    yield "</g>"


def _node(box: Box, node: Node, place: Place) -> Iterator[str]:
    kind = "outside" if box.kind in ("asking", "asked") else "unknown" if box.kind == "unseen" else kind_of(node.role)
    mark = MARKS.get(node.severity or "")
    # Room for the wave, and for the mark.
    wave = _waves(node)
    room = 24 - (5 if wave else 0) - (2 if mark else 0)
    yield (
        f'<a href="{PAGE}#{_target(box, node)}" data-node="{node.id}" data-find="{escaped(_find(box, node))}" '
        f'transform="translate({place.x} {place.y})">'
    )
    yield f"<title>{escaped(about(box, node))}</title>"
    yield f'<rect class="hit" x="1" width="{WIDTH - 2}" height="{ROW - 1}" rx="4"/>'
    yield f'<path class="rule" d="M0 0H{WIDTH}"/>'
    yield f'<rect class="bar {kind}" x="0" y="1" width="4" height="{ROW - 2}"/>'
    middle = ROW // 2 + 4 if not node.detail else 18
    yield f'<text class="name" x="14" y="{middle}">{escaped(cut(node.title, room))}</text>'
    if node.detail:
        yield f'<text class="soft" x="14" y="33">{escaped(cut(node.detail, 32))}</text>'
    if wave:
        yield f'<text class="wave" x="{WIDTH - (28 if mark else 10)}" y="18">{wave}</text>'
    if mark:
        yield f'<path class="{node.severity}" transform="translate({WIDTH - 15} 14)" d="{mark}"/>'
    yield "</a>"


def _waves(node: Node) -> str:
    if not node.waves:
        return ""
    return f"W{node.waves[0]}" if len(node.waves) == 1 else f"W{node.waves[0]}–{node.waves[-1]}"


def _target(box: Box, node: Node) -> str:
    if node.kind in ("component", "unseen") and box.kind == "host":
        return f"c-{file_name(node.names[0])}"
    return "not-seen" if box.kind == "unseen" else "components"


def _find(box: Box, node: Node) -> str:
    """Return the words by which the page's table shows what is folded in a node; empty: it is not folded."""
    if node.kind != "fold":
        return ""
    return " ".join(dict.fromkeys([box.title, node.role if node.role == node.title else "", ""])).strip()


def about(box: Box, node: Node) -> str:
    """Return what there is to say about a node, as a sentence or two."""
    text = f"{node.title} ({box.title}{f', {box.detail}' if box.detail else ''})"
    text += f": {node.detail}." if node.detail else "."
    if node.waves:
        text += f" Wave {', '.join(map(str, node.waves))}."
    if node.findings:
        text += f" {node.findings} finding{'s' * (node.findings > 1)}, the most severe {node.severity}."
    if node.inside:
        text += f" {node.inside} conversation{'s' * (node.inside > 1)} inside."
    return text


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters; wide ones count twice."""
    length = 0
    text = line(text)
    for number, one in enumerate(text):
        length += 2 if ord(one) >= 0x1100 else 1
        if length > most:
            return text[: max(0, number - 1)].rstrip() + "…"
    return text


def ports(arrow: Arrow, most: int) -> str:
    """Return the ports of an arrow in short; TCP goes without saying."""
    every = [one.removesuffix("/tcp") for one in arrow.ports]
    return ", ".join([*every[:most], f"+{len(every) - most}"] if len(every) > most else every)


def _arrow(arrow: Arrow, way: _Way, nodes: dict[str, Node], label: tuple[int, int] | None) -> Iterator[str]:
    (x, y), (before, _y) = way[-1], way[-2]
    loop = _is_loop(way)
    # The head points to where the arrow goes.
    side = -1 if loop or x < before else 1
    path = _path([*way[:-1], (x - 7 * side, y)], loop)
    silent = "" if arrow.answered else " silent"
    asks = f"{nodes[arrow.client].title} asks {nodes[arrow.server].title} at {ports(arrow, 12)}"
    more = f", {arrow.connections} connections" if arrow.connections > 1 else ""
    yield f'<g class="arrow{silent}" data-from="{arrow.client}" data-to="{arrow.server}">'
    yield f"<title>{escaped(asks)}{more}{'' if arrow.answered else '; no answer'}</title>"
    yield f'<path class="reach" d="{path}"/><path d="{path}"/>'
    yield f'<path class="head" d="M{x} {y}l{-9 * side}-4v8Z"/>'
    if label:
        yield f'<text class="port" x="{label[0]}" y="{label[1] + 4}">{escaped(ports(arrow, 2))}</text>'
    yield "</g>"


def _is_loop(way: _Way) -> bool:
    """Return whether an arrow goes out to the right of a column and back."""
    return len(way) == 2 and way[0][0] == way[1][0]


def _bulge(way: _Way) -> int:
    return 24 + min(64, abs(way[0][1] - way[-1][1]) // 6)


def _path(way: _Way, loop: bool) -> str:
    path = f"M{way[0][0]} {way[0][1]}"
    if loop:
        right = way[0][0] + _bulge(way)
        return f"{path}C{right} {way[0][1]} {right} {way[1][1]} {way[1][0]} {way[1][1]}"
    for number, (one, other) in enumerate(zip(way, way[1:])):
        if number % 2:
            path += f"H{other[0]}"
        else:
            middle = (one[0] + other[0]) // 2
            path += f"C{middle} {one[1]} {middle} {other[1]} {other[0]} {other[1]}"
    return path


def _labels(chart: Chart, ways: Sequence[_Way]) -> list[tuple[int, int] | None]:
    """Return where the ports of each arrow stand; None: there is no room, or the arrow it joins has them already."""
    if len(chart.arrows) > _LABELS:
        return [None] * len(chart.arrows)
    taken: list[tuple[int, int, int]] = []
    known: set[tuple[object, ...]] = set()
    labels: list[tuple[int, int] | None] = []
    for arrow, way in zip(chart.arrows, ways):
        label = ports(arrow, 2)
        last = (*way[-2:], label)
        labels.append(None if last in known else _free(way, 7 * len(label) + 4, taken))
        known.add(last)
    return labels


def _free(way: _Way, width: int, taken: list[tuple[int, int, int]]) -> tuple[int, int] | None:
    """Return where a label has room on the last curve of an arrow."""
    (x, y), (to, down) = way[-2:]
    for share in (50, 38, 62, 26, 74):
        if _is_loop(way):
            point = (x + _bulge(way) * 3 // 4, y + (down - y) * share // 100)
        else:
            # The cubic curve with its handles in the middle.
            t = share / 100
            across = 1.5 * t * (1 - t) + t**3
            point = (round(x + (to - x) * across), round(y + (down - y) * (3 * t * t - 2 * t**3)))
        if all(abs(point[1] - other[1]) >= 14 or abs(point[0] - other[0]) * 2 >= width + other[2] for other in taken):
            taken.append((*point, width))
            return point
    return None
