# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all documents say together, and what a person should look at."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis import waves
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import signatures
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.notes import notes
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Absence,
    Decision,
    External,
    Inputs,
    Overview,
    overview,
    with_names,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Document
from parts.survey_shop import NIGHT, document, documents, flow, service, waiting

KNOWN = signatures()
AWAY = Absence(1, "old1", "20261124T100000Z", "unreachable")


def _inputs(looks: list[Document], /, **more: Any) -> Inputs:
    plain = Inputs(looks, {}, [], KNOWN, {}, {}, None, "first", {}, "Survey")
    return plain._replace(**more)


def _whole(**more: Any) -> Overview:
    return overview(_inputs([*documents(), *documents(NIGHT)], **more))


def _waves(whole: Overview) -> list[list[list[str]]]:
    return [[group.components for group in wave.groups] for wave in whole.plan.waves]


def _said(whole: Overview, kind: str) -> list[tuple[str, str, str]]:
    return [(one.severity, one.component, one.text) for one in notes(whole) if one.kind == kind]


def test_a_shop_is_seen_whole() -> None:
    whole = _whole(looks={"db1": 2}, absences=[AWAY], groups={"db1": ["data", "all", "ungrouped"], "new1": ["data"]})
    assert list(whole.facts) == [
        "haproxy@lb1",
        "invoices@app1",
        "mariadb@db1",
        "redis@cache1",
        "shop@app1",
        "shop@app2",
    ]
    database = whole.facts["mariadb@db1"]
    assert [one.client for one in database.used_by] == ["shop@app1", "invoices@app1", "shop@app2"]
    assert [one.port for one in database.listeners] == [3306]
    assert database.copied
    assert database.copied.bytes == 208 * 2**30
    assert {one.server for one in whole.facts["shop@app2"].uses} == {
        "mariadb@db1",
        "redis@cache1",
        "203.0.113.20",
        "10.20.0.90",
    }
    assert whole.externals["203.0.113.20"] == External("203.0.113.20", ["pay.example.net"], False, True)
    assert whole.externals["198.51.100.7"] == External("198.51.100.7", [], False, False)
    assert (whole.hosts["db1"].groups, whole.hosts["db1"].looks, whole.hosts["db1"].missed) == (["data"], 2, "")
    # A host that nobody was to look at is none of the survey's.
    assert list(whole.hosts) == ["app1", "app2", "cache1", "db1", "lb1", "old1"]
    assert (whole.hosts["old1"].document, whole.hosts["old1"].missed) == (None, "unreachable")
    assert (whole.bandwidth, whole.assumed) == (1000.0, True)
    assert _waves(whole) == [
        [["mariadb@db1"], ["redis@cache1"]],
        [["invoices@app1"], ["shop@app1"], ["shop@app2"]],
        [["haproxy@lb1"]],
    ]


def test_the_order_of_documents_is_all_one() -> None:
    looks = [*documents()[:2], *documents(NIGHT)[1:3]]
    assert len({str(overview(_inputs([*some]))) for some in permutations(looks)}) == 1


def test_an_absence_counts_if_it_is_the_latest() -> None:
    day, night = (Absence(1, "db1", run, "away") for run in ("20261124T100000Z", "20261126T100000Z"))
    assert _whole(absences=[day]).hosts["db1"].missed == ""
    later = _whole(absences=[night, day])
    assert later.hosts["db1"].missed == "away"
    assert _said(later, "not_seen") == [
        ("high", "", "db1 could not be surveyed: away. What is shown is from an earlier survey.")
    ]


def test_decisions_change_the_plan_and_are_checked() -> None:
    decisions = {
        "redis@cache1": Decision(fate="retire"),
        "mariadb@db1": Decision("The database", "Ann", "keep"),
        "shop@app2": Decision(fate="move", wave=4),
        "haproxy@lb1": Decision(wave=2),
        "shop@app9": Decision(owner="Bob"),
    }
    whole = _whole(decisions=decisions)
    assert _waves(whole) == [[["invoices@app1"], ["shop@app1"]], [["shop@app2"]], [["haproxy@lb1"]]]
    assert [wave.number for wave in whole.plan.waves] == [1, 4, 5]
    assert whole.gone == ["shop@app9"]
    assert whole.shown("mariadb@db1") == "The database (mariadb@db1)"
    assert _said(whole, "gone") == [
        (
            "medium",
            "shop@app9",
            "shop@app9 is in decisions.yml, but no survey has found it. Correct its name or delete its entry.",
        )
    ]
    assert _said(whole, "uses_retired") == [
        ("high", name, f"{name} uses redis@cache1, which will be retired.") for name in ("shop@app1", "shop@app2")
    ]
    assert [component for _severity, component, _text in _said(whole, "uses_kept")] == [
        "invoices@app1",
        "shop@app1",
        "shop@app2",
    ]
    assert _said(whole, "wave_refused") == [
        (
            "high",
            "haproxy@lb1",
            "haproxy@lb1 cannot move in wave 2: the order must be shop@app2 before haproxy@lb1.",
        )
    ]


def test_stores_can_move_last() -> None:
    assert _waves(_whole(order="last")) == [
        [["haproxy@lb1"], ["invoices@app1"]],
        [["shop@app1"], ["shop@app2"]],
        [["mariadb@db1"], ["redis@cache1"]],
    ]


def test_two_hosts_with_one_address_are_not_mistaken_for_each_other() -> None:
    site = [
        document("web", "10.0.0.1", services=[service("shop")], flows=[flow("shop", "out", "10.0.0.1", "10.0.0.2", 9)]),
        *(
            document(host, "10.0.0.2", services=[service("db")], listeners=[waiting("db", 9)])
            for host in ("berlin", "paris")
        ),
    ]
    whole = overview(_inputs(site))
    assert [one.server for one in whole.facts["shop@web"].uses] == ["10.0.0.2"]
    assert whole.externals["10.0.0.2"].unclear
    assert whole.facts["db@berlin"].used_by == whole.facts["db@paris"].used_by == []


def test_what_depends_on_each_other_is_said() -> None:
    looks = [
        document(
            host,
            here,
            services=[service("shop")],
            listeners=[waiting("shop", 80)],
            flows=[flow("shop", "out", here, there, 80)],
        )
        for host, here, there in (("a", "10.0.0.1", "10.0.0.2"), ("b", "10.0.0.2", "10.0.0.1"))
    ]
    pinned = {"shop@a": Decision(wave=1), "shop@b": Decision(wave=2)}
    whole = overview(_inputs(looks, decisions=pinned))
    assert _said(whole, "together") == [
        ("medium", "shop@a", "These depend on each other and must move in one step: shop@a, shop@b.")
    ]
    [(_severity, component, text)] = _said(whole, "wave_refused")
    assert component == "shop@b"
    assert text == "shop@b cannot move in wave 2: these must move together: shop@a, shop@b."


def test_what_a_person_should_look_at_is_said_the_most_severe_first() -> None:
    whole = _whole(absences=[AWAY], refused={"observations/db1/x.json": "This is not JSON."})
    found = notes(whole)
    assert [one.severity for one in found] == sorted(
        (one.severity for one in found), key=["high", "medium", "low"].index
    )
    assert _said(whole, "unreadable") == [("high", "", "observations/db1/x.json could not be used: This is not JSON.")]
    assert _said(whole, "exposed") == [
        ("high", "mariadb@db1", "The firewall lets any address reach mariadb@db1 on 3306/tcp."),
        ("low", "haproxy@lb1", "The firewall lets any address reach haproxy@lb1 on 443/tcp."),
    ]
    assert _said(whole, "unanswered")[0] == (
        "medium",
        "shop@app1",
        "shop@app1 gets no answer from an address outside on 5672/tcp.",
    )
    named = with_names(whole, {"10.20.0.90": "old1", "203.0.113.20": "other"})
    assert _said(named, "unanswered")[0][2] == "shop@app1 gets no answer from old1 on 5672/tcp."
    assert named.externals["203.0.113.20"].names == ["pay.example.net"]
    assert _said(whole, "partly_seen") == [
        ("low", "", "cache1: The rules of the firewall are closed to this account. Run the module as root.")
    ]
    # One rule of many hosts is one line.
    assert _said(whole, "unused_rule")[0][2] == (
        "app1, app2, db1, lb1: no traffic used the rule 'ip saddr 10.20.0.0/24 tcp dport 22 accept' in inet filter "
        "input."
    )
    # They go to where many read.
    assert not [one for one in found if "198.51.100" in one.text]


def test_conversations_that_the_rules_do_not_let_in_are_said() -> None:
    lb = documents()[0]
    more = [flow("haproxy", "in", "10.20.0.10", f"198.51.100.{number}", 8404) for number in (1, 2)]
    whole = overview(_inputs([lb._replace(flows=[*lb.flows, *more])]))
    assert _said(whole, "not_allowed") == [
        (
            "medium",
            "haproxy@lb1",
            "2 connections to haproxy@lb1 on 8404/tcp would be blocked by the current firewall rules.",
        )
    ]


def test_networkx_is_asked_for_only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves.NETWORKX, "missing", "No module named 'networkx'")
    with pytest.raises(
        Error, match=r"The Python library networkx is missing for .*Install it: .* -m pip install 'networkx'\."
    ):
        _whole()
