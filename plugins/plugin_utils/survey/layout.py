# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are on the map: boxes in columns, who asks to the left of who is asked.

This is the one layout that there is, whether or not Graphviz is installed: it draws differently from version to
version, and the same observations have to give the same picture on every machine.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Optional

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import Box, Chart

# Pixels.
WIDTH, HEAD, ROW = 232, 36, 42
_BETWEEN, _UNDER, _LANE, _MARGIN = 164, 26, 12, 20
# A map that is wider than that is hard to read; more steps than columns share them.
_COLUMNS = 6
_SWEEPS = 12


class Place(NamedTuple):
    """A rectangle, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Layout(NamedTuple):
    """Where everything stands.

    :ivar boxes: by their ids.
    :ivar nodes: by their ids.
    :ivar ways: of each arrow of the chart, in its order, points; between every second and third it goes straight.
    """

    width: int
    height: int
    boxes: dict[str, Place]
    nodes: dict[str, Place]
    ways: list[list[tuple[int, int]]]


class _Point(NamedTuple):
    """What is in a column: a box, or the lane in which all arrows to a box pass through the column."""

    box: str
    lane: Optional[int] = None


_Links = Sequence[tuple[_Point, _Point]]
_Near = dict[_Point, list[_Point]]


def layout(chart: Chart) -> Layout:
    """Return where everything stands."""
    home = {node.id: box.id for box in chart.boxes for node in box.nodes}
    ends = [(home[one.client], home[one.server]) for one in chart.arrows]
    pairs = sorted({(client, server) for client, server in ends if client != server})
    linked = {name for pair in pairs for name in pair}
    columns = _columns([box for box in chart.boxes if box.id in linked], pairs)
    standing, links = _lanes(columns, pairs)
    standing = _ordered(standing, links)
    heights = {box.id: HEAD + ROW * len(box.nodes) for box in chart.boxes}
    tops = _tops(standing, links, heights)
    lowest = max((top + _height(point, heights) for point, top in tops.items()), default=_MARGIN - _UNDER)
    boxes = {
        point.box: Place(_left(column), tops[point], WIDTH, heights[point.box])
        for column, points in enumerate(standing)
        for point in points
        if point.lane is None
    }
    alone = [box for box in chart.boxes if box.id not in linked]
    boxes.update(_rows(alone, heights, lowest + _UNDER, max(len(standing), min(4, len(alone)))))
    nodes = {
        node.id: Place(boxes[box.id].x, boxes[box.id].y + HEAD + ROW * number, WIDTH, ROW)
        for box in chart.boxes
        for number, node in enumerate(box.nodes)
    }
    ways = [
        _way(nodes[one.client], nodes[one.server], client, server, columns, tops)
        for one, (client, server) in zip(chart.arrows, ends)
    ]
    # Room for what goes out to the right of the last column and back.
    last = len(standing) - 1
    back = any(columns.get(client, last) == columns.get(server, last) == last for client, server in ends)
    return Layout(
        max((place.x + WIDTH for place in boxes.values()), default=0) + _MARGIN + _BETWEEN * 2 // 3 * back,
        max((place.y + place.height for place in boxes.values()), default=0) + _MARGIN,
        boxes,
        nodes,
        ways,
    )


def _left(column: int) -> int:
    return _MARGIN + column * (WIDTH + _BETWEEN)


def _height(point: _Point, heights: Mapping[str, int]) -> int:
    return heights[point.box] if point.lane is None else _LANE


def _columns(boxes: Sequence[Box], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return of each box its column, so that most arrows go to the right."""
    place = {name: number for number, name in enumerate(_line([box.id for box in boxes], pairs))}
    forward = [(one, other) for one, other in pairs if place[one] < place[other]]
    columns = dict.fromkeys(place, 0)
    # In this order each box has its own column before it pushes others.
    for one, other in sorted(forward, key=lambda pair: place[pair[0]]):
        columns[other] = max(columns[other], columns[one] + 1)
    # Who only asks stands just before the first that it asks.
    asked = {other for _one, other in forward}
    for name in place:
        others = [columns[other] for one, other in forward if one == name]
        if name not in asked and others:
            columns[name] = min(others) - 1
    last = max(columns.values(), default=0)
    ends = {box.id for box in boxes if box.kind == "asked"}
    columns.update((name, last) for name in ends if not any(one == name for one, _other in pairs))
    if last >= _COLUMNS:
        columns = {name: column * (_COLUMNS - 1) // last for name, column in columns.items()}
    return columns


def _line(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the boxes in a line in which few arrows go back: the heuristic of Eades, Lin and Smyth."""
    after: dict[str, set[str]] = {name: set() for name in names}
    before: dict[str, set[str]] = {name: set() for name in names}
    for one, other in pairs:
        after[one].add(other)
        before[other].add(one)
    left: list[str] = []
    right: list[str] = []
    rest = sorted(names)
    while rest:
        # The last ones that are left first, then the first ones, then whoever asks most and is asked least.
        name = next((one for one in rest if not after[one]), "")
        if name:
            right.append(name)
        else:
            name = next((one for one in rest if not before[one]), "")
            name = name or min(rest, key=lambda one: (len(before[one]) - len(after[one]), one))
            left.append(name)
        rest.remove(name)
        for other in after.pop(name):
            before[other].discard(name)
        for other in before.pop(name):
            after[other].discard(name)
    return left + right[::-1]


def _lanes(
    columns: Mapping[str, int], pairs: Sequence[tuple[str, str]]
) -> tuple[list[list[_Point]], list[tuple[_Point, _Point]]]:
    """Return what is in each column, in no order yet, and what is linked with what in the next one."""
    standing: list[list[_Point]] = [[] for _number in range(max(columns.values(), default=-1) + 1)]
    for name, column in sorted(columns.items()):
        standing[column].append(_Point(name))
    lanes: set[_Point] = set()
    links: set[tuple[_Point, _Point]] = set()
    for client, server in pairs:
        step = 1 if columns[client] < columns[server] else -1
        between = [_Point(server, column) for column in range(columns[client] + step, columns[server], step)]
        chain = [_Point(client), *between, _Point(server)][::step]
        if columns[client] != columns[server]:
            lanes.update(between)
            links.update(zip(chain, chain[1:]))
    for lane in sorted(lanes):
        standing[lane.lane or 0].append(lane)
    return standing, sorted(links, key=str)


def _ordered(standing: list[list[_Point]], links: _Links) -> list[list[_Point]]:
    """Return the columns, each in the order in which few arrows cross."""
    near = _neighbours(links)
    best, fewest = standing, _crossings(standing, links)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        order = range(len(standing)) if side == 0 else range(len(standing) - 1, -1, -1)
        current = [list(points) for points in standing]
        rank = {point: number for points in current for number, point in enumerate(points)}
        for column in order:
            points = current[column]
            wanted = {point: _mean((rank[one] for one in near[side].get(point, ())), rank[point]) for point in points}
            points.sort(key=wanted.__getitem__)
            rank.update((point, number) for number, point in enumerate(points))
        standing = current
        crossings = _crossings(standing, links)
        if crossings < fewest:
            best, fewest = standing, crossings
    return best


def _neighbours(links: _Links) -> tuple[_Near, _Near]:
    """Return of each point those to its left, and those to its right."""
    left: _Near = {}
    right: _Near = {}
    for one, other in links:
        left.setdefault(other, []).append(one)
        right.setdefault(one, []).append(other)
    return left, right


def _mean(values: Iterable[float], otherwise: float) -> float:
    every = list(values)
    return sum(every) / len(every) if every else otherwise


def _crossings(standing: Iterable[Sequence[_Point]], links: _Links) -> int:
    rank = {point: (column, number) for column, points in enumerate(standing) for number, point in enumerate(points)}
    count, column, ends = 0, -1, list[int]()
    for one, other in sorted(links, key=lambda pair: (rank[pair[0]], rank[pair[1]])):
        if rank[one][0] != column:
            column, ends = rank[one][0], []
        count += len(ends) - bisect(ends, rank[other][1])
        insort(ends, rank[other][1])
    return count


def _tops(standing: Sequence[Sequence[_Point]], links: _Links, heights: Mapping[str, int]) -> dict[_Point, int]:
    """Return the upper edges: each point as near the middle of its neighbours as those above and under it allow."""
    near = _neighbours(links)
    middle: dict[_Point, float] = {}
    for points in standing:
        total = 0
        for point in points:
            middle[point] = total + _height(point, heights) / 2
            total += _height(point, heights) + _gap(point)
        middle.update((point, middle[point] - total / 2) for point in points)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for points in standing if side == 0 else reversed(standing):
            sides = near if sweep >= _SWEEPS - 2 else (near[side],)
            wanted = [
                _mean((middle[one] for some in sides for one in some.get(point, ())), middle[point]) for point in points
            ]
            middle.update(zip(points, _apart(points, wanted, heights)))
    tops = {point: round(middle[point] - _height(point, heights) / 2) for points in standing for point in points}
    highest = min(tops.values(), default=0)
    return {point: top - highest + _MARGIN for point, top in tops.items()}


def _gap(point: _Point) -> int:
    return _UNDER if point.lane is None else _LANE // 2


def _apart(points: Sequence[_Point], wanted: Sequence[float], heights: Mapping[str, int]) -> Iterator[float]:
    """Return the middles nearest to those that are wanted (least squares) at which nothing overlaps."""
    # How far each would be from the first one, if they stood as close as they may: what is left must not decrease.
    offsets = [0.0]
    for one, other in zip(points, points[1:]):
        between = max(_gap(one), _gap(other)) + (_height(one, heights) + _height(other, heights)) / 2
        offsets.append(offsets[-1] + between)
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets):
        total, count = value - offset, 1
        while pools and pools[-1][0] / pools[-1][1] >= total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    levels = [total / count for total, count in pools for _number in range(count)]
    return (level + offset for level, offset in zip(levels, offsets))


def _rows(boxes: Sequence[Box], heights: Mapping[str, int], top: int, most: int) -> dict[str, Place]:
    """Return where boxes stand that no arrow leads to: in rows under the others."""
    places = {}
    for start in range(0, len(boxes), most or 1):
        row = boxes[start : start + most]
        for column, box in enumerate(row):
            places[box.id] = Place(_left(column), top, WIDTH, heights[box.id])
        top += max(heights[box.id] for box in row) + _UNDER
    return places


def _way(
    client: Place,
    server: Place,
    start: str,
    end: str,
    columns: Mapping[str, int],
    tops: Mapping[_Point, int],
) -> list[tuple[int, int]]:
    out, into = client.y + ROW // 2, server.y + ROW // 2
    there = columns.get(end, 0) - columns.get(start, 0)
    if there == 0:
        # In one column: out to the right and back.
        return [(client.x + WIDTH, out), (server.x + WIDTH, into)]
    lanes = range(columns[start] + 1, columns[end]) if there > 0 else range(columns[start] - 1, columns[end], -1)
    way = [(client.x + WIDTH * (there > 0), out)]
    for column in lanes:
        middle = tops[_Point(end, column)] + _LANE // 2
        sides = [(_left(column), middle), (_left(column) + WIDTH, middle)]
        way += sides if there > 0 else sides[::-1]
    return [*way, (server.x + WIDTH * (there < 0), into)]
