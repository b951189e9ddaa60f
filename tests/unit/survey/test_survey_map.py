# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map: what it shows, how it is folded, where things stand, and how it is written."""

from __future__ import annotations

import itertools
import random
import re
from xml.etree import ElementTree

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import (
    Arrow,
    Box,
    Chart,
    Node,
    chart,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Absence,
    Inputs,
    Overview,
    overview,
    with_names,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.layout import Place, layout
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.mermaid import mermaid
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import svg
from parts.infrastructure import HOSTILE, document, five, flow, hostile, many

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def shop() -> Overview:
    return overview(five())


@pytest.fixture(scope="module")
def large() -> Overview:
    return overview(many(200))


def _nodes(drawn: Chart) -> dict[str, Node]:
    return {node.id: node for box in drawn.boxes for node in box.nodes}


def _arrows(drawn: Chart) -> set[tuple[str, str, str, bool]]:
    titles = {name: node.title for name, node in _nodes(drawn).items()}
    return {(titles[one.client], titles[one.server], ",".join(one.ports), one.answered) for one in drawn.arrows}


def test_of_a_few_hosts_every_component_is_shown_with_what_is_known_of_it(shop: Overview) -> None:
    drawn = chart(shop)
    assert drawn.fold == "component"
    assert [(box.kind, box.title, box.detail) for box in drawn.boxes] == [
        ("asked", "Outside", "servers"),
        ("asking", "Outside", "clients"),
        ("host", "cache1", "data"),
        ("host", "db1", "data"),
        ("host", "lb1", "edge"),
        ("host", "web1", "web"),
        ("host", "web2", "web"),
        ("unseen", "Hosts not seen", ""),
    ]
    nodes = {node.names[0]: node for node in _nodes(drawn).values()}
    assert {*shop.facts} <= {*nodes}
    database = nodes["mariadbd@db1"]
    assert (database.title, database.role, database.waves, database.severity, database.findings) == (
        "Shop database",
        "database",
        [1],
        "high",
        1,
    )
    assert (nodes["backup1"].kind, nodes["198.51.100.20"].title) == ("unseen", "payments.example.net")
    arrows = _arrows(drawn)
    assert ("gunicorn", "Shop database", "3306/tcp", True) in arrows
    assert ("nginx", "gunicorn", "8000/tcp", True) in arrows
    assert ("nightly-report", "192.0.2.44", "25/tcp", False) in arrows
    # Of 29 clients outside, those without room are one.
    assert ("25 more", "haproxy", "80/tcp", True) in arrows


@pytest.mark.parametrize(
    ("count", "fold"), [(5, "component"), (20, "component"), (40, "role"), (200, "role"), (1000, "group")]
)
def test_a_map_of_more_is_folded_and_stays_small(count: int, fold: str) -> None:
    whole = overview(many(count))
    drawn = chart(whole)
    assert drawn.fold == fold
    nodes = _nodes(drawn)
    assert len(nodes) <= 120
    assert len(drawn.arrows) <= 240
    # Nothing is left out: everything is folded into some node, and into one only.
    names = [name for node in nodes.values() for name in node.names]
    unseen = {name for name, host in whole.hosts.items() if host.document is None}
    assert sorted(names) == sorted({*whole.facts, *whole.externals, *unseen})
    inside = sum(node.inside for node in nodes.values())
    assert inside + sum(one.connections for one in drawn.arrows) == len(whole.connections) or drawn.omitted
    assert len(svg(drawn)) < 200_000
    assert len(mermaid(drawn)) < 50_000


def test_a_fold_by_host_keeps_the_host_and_its_group() -> None:
    hosts = [
        document(f"h{number}", f"10.0.0.{number}", ["nginx", "mariadbd", "redis-server"], []) for number in range(1, 31)
    ]
    groups = {one.host: ["odd" if number % 2 else "even"] for number, one in enumerate(hosts)}
    drawn = chart(overview(five()._replace(documents=hosts, groups=groups, absences=[], decisions={})))
    assert drawn.fold == "host"
    assert [(box.title, box.detail, len(box.nodes)) for box in drawn.boxes] == [
        ("even", "15 hosts", 15),
        ("odd", "15 hosts", 15),
    ]
    node = drawn.boxes[0].nodes[0]
    assert (node.title, node.detail) == ("h1", "1 cache, 1 database, 1 more")
    assert node.names == ["mariadbd@h1", "nginx@h1", "redis-server@h1"]


def test_hosts_without_groups_are_folded_too() -> None:
    drawn = chart(overview(many(200)._replace(groups={})))
    assert [box.title for box in drawn.boxes if box.kind == "group"] == ["no group"]
    assert {node.title for box in drawn.boxes if box.kind == "group" for node in box.nodes} >= {
        "database",
        "web server",
    }


def test_where_every_host_is_a_group_of_its_own_the_map_is_still_small() -> None:
    inputs = many(400)
    drawn = chart(overview(inputs._replace(groups={one.host: [one.host] for one in inputs.documents})))
    groups = [box for box in drawn.boxes if box.kind == "group"]
    assert len(groups) == 40
    assert [box.detail for box in groups if box.title == "361 more groups"] == ["361 hosts"]


def test_groups_that_show_hosts_share_none(large: Overview) -> None:
    assert {box.title for box in chart(large).boxes if box.kind == "group"} == {
        name.partition("-")[0] for name in large.hosts if not name.startswith("old")
    }


def test_what_asks_a_host_that_was_not_seen_leads_to_it() -> None:
    asks = document("a", "10.0.0.1", ["nginx"], [flow("nginx", "10.0.0.1", "10.0.0.9", 5672, answered=False)])
    inputs = five()._replace(documents=[asks], absences=[Absence(1, "old", "first", "No route to host.")], decisions={})
    drawn = chart(with_names(overview(inputs), {"10.0.0.9": "old"}))
    assert _arrows(drawn) == {("nginx", "old", "5672/tcp", False)}
    assert [(box.kind, [node.title for node in box.nodes]) for box in drawn.boxes] == [
        ("host", ["nginx"]),
        ("unseen", ["old"]),
    ]


@pytest.mark.parametrize("count", [5, 40, 200])
def test_the_order_of_hosts_does_not_matter(count: int) -> None:
    inputs = many(count)
    expected = chart(overview(inputs))
    texts = svg(expected), mermaid(expected)
    for seed in range(3):
        dice = random.Random(seed)
        documents, absences, groups = [*inputs.documents], [*inputs.absences], [*inputs.groups.items()]
        for values in (documents, absences, groups):
            dice.shuffle(values)
        other = inputs._replace(
            documents=documents,
            absences=absences,
            groups={name: dice.sample(some, len(some)) for name, some in groups},
        )
        drawn = chart(overview(other))
        assert drawn == expected
        assert (svg(drawn), mermaid(drawn)) == texts


def _touch(one: Place, other: Place) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


@pytest.mark.parametrize("inputs", [five(), many(20), many(40), many(200), many(1000)], ids=lambda one: str(one.title))
def test_nothing_covers_anything_else_and_arrows_go_where_they_should(inputs: Inputs) -> None:
    drawn = chart(overview(inputs))
    found = layout(drawn)
    for one, other in itertools.combinations(found.boxes.values(), 2):
        assert not _touch(one, other)
    for place in found.boxes.values():
        assert place.x >= 0
        assert place.y >= 0
        assert place.x + place.width <= found.width
        assert place.y + place.height <= found.height
    right = 0
    for arrow, way in zip(drawn.arrows, found.ways):
        client, server = found.nodes[arrow.client], found.nodes[arrow.server]
        assert way[0] in [(client.x + side, client.y + client.height // 2) for side in (0, client.width)]
        assert way[-1] in [(server.x + side, server.y + server.height // 2) for side in (0, server.width)]
        # Where it goes straight, it crosses no box.
        for (start, y), (end, _y) in zip(way[1:-1:2], way[2:-1:2]):
            lane = Place(min(start, end), y, abs(end - start), 1)
            assert not [box for box in found.boxes.values() if _touch(lane, box)]
        right += way[-1][0] >= way[0][0]
    assert right >= 0.9 * len(drawn.arrows)
    assert found.width <= 2400


def test_what_depends_on_each_other_can_be_drawn() -> None:
    boxes = [Box(name, "host", name, "", [_plain(name)]) for name in "abc"]
    ring = [Arrow(f"n{one}", f"n{other}", ["1/tcp"], 1, True) for one, other in ("ab", "bc", "ca")]
    found = layout(Chart("ring", "component", boxes, ring, 0))
    assert [found.boxes[name].x for name in "abc"] == sorted({place.x for place in found.boxes.values()})


def test_an_empty_survey_has_a_map() -> None:
    drawn = chart(overview(five()._replace(documents=[], absences=[], decisions={}, groups={})))
    assert drawn.boxes == []
    assert ElementTree.fromstring(svg(drawn)).tag == f"{_SVG}svg"
    assert mermaid(drawn) == "flowchart LR\n"


def _plain(name: str) -> Node:
    return Node(f"n{name}", "component", name, "", "", [name], [], None, 0, 0)


def test_the_svg_is_whole_and_says_what_it_shows(shop: Overview) -> None:
    drawn = chart(shop)
    root = ElementTree.fromstring(svg(drawn))
    labelled = str(root.get("aria-labelledby")).split()
    assert [element.get("id") for element in root[:2]] == labelled
    links = root.findall(f".//{_SVG}a")
    assert [link.get("data-node") for link in links] == [node.id for box in drawn.boxes for node in box.nodes]
    titles = [link.findtext(f"{_SVG}title") for link in links]
    database = "Shop database (db1, data): mariadbd · MariaDB · database. Wave 1. 1 finding, the most severe high."
    assert database in titles
    arrows = [one.findtext(f"{_SVG}title") for one in root.iter(f"{_SVG}g") if "data-from" in one.attrib]
    assert len(arrows) == len(drawn.arrows)
    assert "nightly-report asks 192.0.2.44 at 25; no answer" in arrows


def test_what_comes_from_outside_is_only_text() -> None:
    whole = overview(hostile())
    drawn = chart(whole)
    assert any(HOSTILE in name for node in _nodes(drawn).values() for name in node.names)
    text = svg(drawn)
    root = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(_SVG) for element in root.iter()} == {
        *("svg", "title", "desc", "style", "rect", "path", "g", "text", "a")
    }
    allowed = {"href", "class", "id", "role", "transform", "d", "x", "y", "rx", "width", "height", "viewBox"}
    allowed |= {"fill-opacity", "text-anchor", "aria-labelledby", "data-node", "data-find", "data-from", "data-to"}
    assert {name for element in root.iter() for name in element.attrib} <= allowed
    assert all(str(link.get("href")).startswith("index.html#") for link in root.iter(f"{_SVG}a"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    # A line of Mermaid is one of these, and a label has nothing that could end it or mean something.
    label = r'"(?:[A-Za-z0-9 .,:@/()–·…_-]|#\d+;|<br>)+"'
    line = re.compile(
        rf"flowchart LR|  subgraph b\d+\[{label}\]|    [a-z]\w*\[{label}\]|  end|"
        rf"  \w+ (?:-->|-\.->)\|{label}\| \w+|  classDef \w+ [\w:#,-]+|  class [\w,]+ \w+"
    )
    for one in mermaid(drawn).splitlines():
        assert line.fullmatch(one), one
