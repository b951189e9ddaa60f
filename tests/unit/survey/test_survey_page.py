# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page, read as a browser reads it; what a real one makes of it is in the integration tests."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from html.parser import HTMLParser

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import chart
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.notes import notes
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Found,
    Inputs,
    overview,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import line
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.page import page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.sheets import sheet
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import svg
from parts.infrastructure import HOSTILE, five, hostile, many

_VOID = {"meta", "input", "img", "br", "link", "hr", "base"}


class _Read(HTMLParser):
    """A page's elements, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        self.raw[inside].append(data) if inside in self.raw else self.texts.append(data)

    def all(self, attribute: str) -> list[str]:
        """Return an attribute's values."""
        return [values[attribute] for _tag, values in self.elements if attribute in values]


def _page(inputs: Inputs, found: list[Found] | None = None) -> str:
    whole = overview(inputs)
    sheets = [sheet(facts, whole) for facts in whole.facts.values()]
    return page(whole, notes(whole) if found is None else found, sheets, svg(chart(whole)))


@pytest.fixture(scope="module")
def shop() -> str:
    return _page(five())


def test_everything_that_is_known_is_on_the_page(shop: str) -> None:
    read = _Read(shop)
    text = " ".join(read.texts)
    for expected in (
        *("Shop database (mariadbd@db1)", "celery@web2", "MariaDB", "Dana", "4 components", "12.5 GiB"),
        *("The firewall lets any address reach mariadbd@db1 on 3306/tcp.", "The largest table is orders."),
        *("backup1", "Permission denied (publickey).", "runs/first/db9.json", "old-ftp@db1", "To be retired"),
    ):
        assert expected in text, expected
    # The sheet's eight headings, of each component.
    headings = ["Role", "Technologies", "Firewalls", "Running processes", "Storage"]
    headings += ["Communication with other components", "Moving it step by step", "Open questions"]
    assert [text for text in read.texts if text in headings[1:4]] == headings[1:4] * 11
    assert {f"c-{name}" for name in ("mariadbd@db1", "celery@web2", "haproxy@lb1")} <= {*read.all("id")}


def test_every_link_leads_somewhere_and_nothing_is_fetched(shop: str) -> None:
    read = _Read(shop)
    ids = read.all("id")
    assert len(ids) == len({*ids})
    for link in read.all("href"):
        assert link[1:] in ids if link.startswith("#") else link in ("waves.md", "map.svg"), link
    for name in ("aria-labelledby", "for"):
        assert {one for value in read.all(name) for one in value.split()} <= {*ids}
    assert not {"src", "style", "srcset", "action", "data"} & {
        name for _tag, values in read.elements for name in values
    }
    assert not {"link", "img", "iframe", "object", "base", "form"} & {tag for tag, _values in read.elements}
    assert {*re.findall(r"https?://[^\s\"')]*", shop)} == {"http://www.w3.org/2000/svg"}
    assert "@import" not in shop
    assert "url(" not in shop


def test_the_policy_lets_nothing_in_but_what_is_in_the_page(shop: str) -> None:
    read = _Read(shop)
    (policy,) = (
        values["content"] for _tag, values in read.elements if "content-security-policy" in str(values).lower()
    )
    rules = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert {name: rules[name] for name in ("default-src", "base-uri", "form-action")} == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    for kind, count in (("style", 2), ("script", 1)):
        hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in read.raw[kind]]
        assert len(hashes) == count
        assert rules[f"{kind}-src"] == " ".join(f"'sha256-{one}'" for one in hashes)


def test_what_comes_from_outside_is_only_text() -> None:
    whole = overview(hostile())
    sheets = [sheet(facts, whole) for facts in whole.facts.values()]
    hard = [Found("high", HOSTILE, next(iter(whole.facts)), HOSTILE), Found("low", "exposed", HOSTILE, HOSTILE)]
    text = page(whole, [*notes(whole), *hard], sheets, svg(chart(whole)))
    read, harmless = _Read(text), _Read(_page(five()))
    assert {tag for tag, _values in read.elements} <= {tag for tag, _values in harmless.elements}
    assert {name for _tag, values in read.elements for name in values} <= {
        name for _tag, values in harmless.elements for name in values
    }
    # The same scripts and styles, except for the map's size.
    assert read.raw["script"] == harmless.raw["script"]
    assert read.raw["style"][0] == harmless.raw["style"][0]
    assert line(HOSTILE) in " ".join(read.texts)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    ids = read.all("id")
    assert len(ids) == len({*ids})
    assert all(link[1:] in ids for link in read.all("href") if link.startswith("#"))
    assert all(re.fullmatch(r"#[\w@.-]+|waves\.md|map\.svg|components/[\w@.-]+\.md", one) for one in read.all("href"))


@pytest.mark.parametrize("inputs", [five(), many(60)], ids=["5", "60"])
def test_the_order_of_hosts_does_not_matter(inputs: Inputs) -> None:
    expected = _page(inputs)
    for seed in range(3):
        dice = random.Random(seed)
        documents, refused, decisions = [*inputs.documents], [*inputs.refused.items()], [*inputs.decisions.items()]
        for values in (documents, refused, decisions):
            dice.shuffle(values)
        other = inputs._replace(documents=documents, refused=dict(refused), decisions=dict(decisions))
        assert _page(other) == expected


def test_of_very_many_components_those_of_the_most_severe_findings_are_in_the_page() -> None:
    inputs = many(1000)
    whole = overview(inputs)
    names = [*whole.facts]
    grave = names[-1]
    text = _page(inputs, [Found("high", "exposed", grave, "Look at it."), *(_many(one) for one in names)])
    assert len(text) < 5_000_000
    read = _Read(text)
    ids = {*read.all("id")}
    assert len({one for one in ids if one.startswith("c-")}) == 300
    assert f"c-{grave}" in ids
    assert len({one for one in ids if one.startswith("r-")}) == len(names)
    away = [link for link in read.all("href") if link.startswith("components/")]
    assert len({*away}) == len(names) - 300
    assert "And 1400 more" in text
    # Closed: a browser lays out what is open only.
    opened = sum("open" in values for tag, values in read.elements if tag == "details")
    assert opened == 1


def _many(component: str) -> Found:
    return Found("low", "partly_seen", component, f"Something about {component}.")


def test_an_empty_survey_is_a_page() -> None:
    empty = five()._replace(documents=[], absences=[], decisions={}, groups={}, refused={})
    read = _Read(_page(empty))
    assert "None." in read.texts
    assert {"map", "components", "findings", "waves", "not-seen", "sheets"} <= {*read.all("id")}
