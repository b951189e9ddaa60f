# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sheets, runbooks, and the table of flows, as people and programs read them."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import signatures
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Absence,
    Decision,
    Inputs,
    Overview,
    overview,
    with_names,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Account,
    DataDirectory,
    Document,
    MySQL,
    Schema,
    Storage,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import (
    Code,
    Grid,
    Items,
    Link,
    Page,
    Section,
    Words,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import MARK, markdown, text
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.moving import PHASES, in_bytes, waves_page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.sheets import sheet
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.table import flows
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from parts.survey_shop import NIGHT, document, documents, flow, service, waiting

KNOWN = signatures()
SERVER = MySQL(
    "10.11.10-MariaDB",
    "mariadb",
    [Schema("mysql", 2**22, 31), Schema("shop", 190 * 2**30, 84), Schema("stock", None, None)],
    [Account("shop", "10.20.0.21", "gunicorn", "shop", 4), Account("backup", "localhost", None, None, 1)],
    "replica",
    "10.20.0.31:3306",
)
PARSER = MarkdownIt("gfm-like", {"linkify": False})
HEADINGS = [
    "Role",
    "Technologies",
    "Firewalls",
    "Running processes",
    "Storage",
    "Communication with other components",
    "Moving it step by step",
    "Open questions",
]
# What hosts could have in a process's title to be more than a text.
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://203.0.113.9/x.png)",
    "a | b | c",
    "`code` and ``more``",
    "**bold** _it_ ~~gone~~",
    "# heading",
    "- item",
    "1. item",
    "12) item",
    "> quote",
    "=====",
    "-----",
    "    indented",
    "\tindented",
    "&lt;b&gt; &amp; &#60;",
    "http://203.0.113.9/ www.example.com joe@example.com",
    "<http://203.0.113.9/>",
    "[x]: http://203.0.113.9/",
    "$$math$$",
    "line\nbreak\r\n\n# and heading",
    "back\\slash\\",
    "\x1b[2J\x07\x00",
    "\u202egnissem\u2066",
    "{{ lookup('pipe', 'id') }} {% raw %}",
    "```\ncode",
    "@team #12",
    "<!-- comment -->",
    ":smile:",
]


def _shop() -> list[Document]:
    """Return the shop by day and by night, with what its database server says about itself."""
    looks = [*documents(), *documents(NIGHT)]
    return [one._replace(mysql=SERVER) if one.host == "db1" else one for one in looks]


def _whole(*looks: Document, **more: Any) -> Overview:
    plain = Inputs(looks or _shop(), {}, [], KNOWN, {}, {}, None, "first", {}, "Survey")
    return overview(plain._replace(**more))


def _plain(tokens: list[Token]) -> str:
    """Return what a reader sees, and fail if it is more than text."""
    seen = ""
    for token in tokens:
        if token.type == "inline":
            seen += _plain(token.children or [])
        elif token.type in ("text", "text_special"):
            seen += token.content
        else:
            assert token.type in ("paragraph_open", "paragraph_close"), token
    return seen


def _shown(plain: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in plain).split())


@given(st.text())
@example("1. a")
@example("<b>")
@example("a:/b")
@pytest.mark.parametrize("before", ["", "a ", "1", "-"])
def test_markdown_shows_a_text_as_it_is(before: str, plain: str) -> None:
    assert _plain(PARSER.parse(text(before + plain))) == _shown(before + plain)


@pytest.mark.parametrize("plain", HOSTILE)
def test_markdown_makes_nothing_of_hostile_texts(plain: str) -> None:
    assert _plain(PARSER.parse(text(plain))) == _shown(plain)
    page = Page(
        plain,
        "a",
        [
            Section(
                plain,
                [
                    Words(plain),
                    Items([plain, Link(plain, "b@c")]),
                    Items([plain], numbered=True),
                    Grid([plain, "b"], [[plain, Link(plain, "b@c")]]),
                    Code([plain]),
                ],
            )
        ],
    )
    tokens = PARSER.parse(markdown(page, "components/"))
    inner = [one for token in tokens for one in [token, *(token.children or [])]]
    assert [one.type for one in inner if one.type.endswith("_open") and one.type != "paragraph_open"] == [
        "heading_open",
        "heading_open",
        *("bullet_list_open", "list_item_open", "list_item_open", "link_open"),
        *("ordered_list_open", "list_item_open"),
        *("table_open", "thead_open", "tr_open", "th_open", "th_open"),
        *("tbody_open", "tr_open", "td_open", "td_open", "link_open"),
    ]
    assert [one.attrs["href"] for one in inner if one.type == "link_open"] == ["components/b@c.md"] * 2
    assert [one.content for one in inner if one.type.startswith("html")] == [MARK + "\n"]
    assert [one.content for one in inner if one.type == "fence"] == [_shown(plain) + "\n"]
    texts = "".join(one.content for one in inner if one.type in ("text", "text_special"))
    assert texts == _shown(plain) * 7 + "b" + _shown(plain) * 2


def _sections(page: Page) -> dict[str, str]:
    written = markdown(page)
    return {part.partition("\n")[0]: part for part in written.split("\n## ")[1:]}


def test_a_sheet_has_its_headings_in_order() -> None:
    whole = with_names(_whole(groups={"db1": ["data"]}), {"10.20.0.90": "old1"})
    for name, facts in whole.facts.items():
        page = sheet(facts, whole)
        assert (page.title, page.target) == (name, name)
        assert [section.title for section in page.sections] == HEADINGS
        assert all(section.blocks for section in page.sections)
        assert markdown(page).startswith(MARK)
        for grid in (one for section in page.sections for one in section.blocks if isinstance(one, Grid)):
            assert {len(row) for row in grid.rows} == {len(grid.head)}
    database = _sections(sheet(whole.facts["mariadb@db1"], whole))
    assert "| Groups | data |" in database["Role"]
    assert "| mariadb-server | 10.11.10-1.el9 |" in database["Technologies"]
    assert "| 3306 | tcp | 10.20.0.30 | Yes |" in database["Firewalls"]
    assert "| /var/lib/mysql | 208 GiB | /var/lib/mysql (xfs, 289 GiB free) |" in database["Storage"]
    assert "| shop | 190 GiB | 84 |" in database["Storage"]
    replication = "replication: replica, of 10.20.0.31:3306."
    assert f"The server reports version 10.11.10-MariaDB, {replication}" in database["Technologies"]
    assert "| stock | not measured |" in database["Storage"]
    accounts = database["Communication with other components"].partition("These accounts were connected")[2]
    assert "| shop | 10.20.0.21 | gunicorn | shop | 4 |" in accounts
    assert "| backup | localhost |" in accounts
    assert "nas.example.net" in database["Storage"]
    assert (
        "| [invoices@app1](invoices@app1.md) | app1 | 3306/tcp | yes |"
        in database["Communication with other components"]
    )
    assert "1. Freeze: " in database["Moving it step by step"]
    app = _sections(sheet(whole.facts["shop@app1"], whole))
    assert "/usr/bin/python3.11 -m gunicorn" in app["Running processes"]
    assert "| old1 | outside | 5672/tcp | no |" in app["Communication with other components"]
    assert "| pay.example.net | outside | 443/tcp | yes |" in app["Communication with other components"]
    job = _sections(sheet(whole.facts["invoices@app1"], whole))
    assert "| /etc/cron.d/shop | 0 2 \\* \\* \\* | shop |" in job["Running processes"]
    assert "\\*\\*\\*\\*" in job["Running processes"]
    cache = _sections(sheet(whole.facts["redis@cache1"], whole))
    assert "could not be read. That does not mean that there is none." in cache["Firewalls"]
    assert "- How much data does it have? The size could not be measured." in cache["Open questions"]
    assert "- Not visible on its host: The rules of the firewall are closed" in cache["Open questions"]


def test_a_decision_is_shown() -> None:
    decided = Decision("The shop's database", "Ann", "keep", None, "Ask | Bob")
    whole = _whole(decisions={"mariadb@db1": decided})
    page = sheet(whole.facts["mariadb@db1"], whole)
    assert page.title == "The shop's database (mariadb@db1)"
    parts = _sections(page)
    for row in ("| Owner | Ann |", "| Decision | keep |", "| Notes | Ask \\| Bob |"):
        assert row in parts["Role"]
    assert "It does not move: the decision is keep." in parts["Moving it step by step"]
    assert "None." in parts["Open questions"]
    plan = _sections(waves_page(whole))
    assert "| [The shop's database](mariadb@db1.md) | Ann | Ask \\| Bob |" in plan["Staying"]
    assert "mariadb@db1" not in plan["Wave 1: freeze"]


def test_many_rows_are_cut() -> None:
    looks = document(
        "a",
        "10.0.0.1",
        services=[service("shop")],
        flows=[flow("shop", "out", "10.0.0.1", f"10.0.1.{number}", 80) for number in range(100)],
    )
    whole = _whole(looks)
    said = _sections(sheet(whole.facts["shop@a"], whole))["Communication with other components"]
    assert said.count("\n| ") == 43
    assert "and 60 more: see flows.csv" in said


def test_a_runbook_has_each_phase_for_each_wave() -> None:
    whole = _whole(absences=[Absence(1, "old1", "20261124T100000Z", "unreachable")], bandwidth=500.0)
    parts = _sections(waves_page(whole))
    assert list(parts) == [
        "How to read this",
        *(f"Wave {number}{phase}" for number in (1, 2, 3) for phase in ("", *(f": {one.lower()}" for one in PHASES))),
        "Hosts about which nothing is known",
    ]
    assert "Copying times assume 500 Mbit/s, 80% of it usable." in parts["How to read this"]
    assert "| old1 | unreachable |" in parts["Hosts about which nothing is known"]
    assert "Downtime: 1.2 hours if 208 GiB are copied one after the other at 500 Mbit/s" in parts["Wave 1"]
    assert "Based on the data directories /var/lib/mysql." in parts["Wave 1"]
    assert "Add the time to copy the data of redis@cache1, whose size is unknown." in parts["Wave 1"]
    assert "Downtime: a restart of each component." in parts["Wave 2"]
    assert re.findall("^ansible-playbook.*", parts["Wave 1: migrate"], re.M) == [
        "ansible-playbook -i inventory.yml dbops.migrations.migrate --limit DATABASE -e migrate_login_host=NEW_HOST -e "
        f"migrate_databases=shop,stock{more}"
        for more in (" --check --diff", "")
    ]
    assert "dbops.migrations.status --limit DATABASE" in parts["Wave 1: verify"]
    # What is the same is said once.
    assert "- shop@app1, shop@app2: It answers at 8000/tcp." in parts["Wave 2: verify"]
    assert "Point its clients to the new host" in parts["Wave 3: cut over"]
    assert "2 addresses outside" in parts["Wave 3: cut over"]
    assert "(the default; set the bandwidth)" in _sections(waves_page(_whole()))["How to read this"]


def test_names_of_schemas_that_are_more_than_names_are_not_for_a_shell() -> None:
    database = documents()[3]
    for names, option in (
        (["shop"], "migrate_login_database=shop"),
        (["{{ 1 }}", "a b", "shop"], "migrate_login_database=shop"),
        (["$(id)", "x';id"], "migrate_login_database=SCHEMA"),
    ):
        answer = SERVER._replace(schemas=[Schema(name, 1, 1) for name in names])
        said = _sections(waves_page(_whole(database._replace(mysql=answer))))["Wave 1: migrate"]
        assert f" -e {option}" in said
        assert not set(said) & set("{;")


def test_data_of_unknown_size_is_not_nothing() -> None:
    look = document(
        "a",
        "10.0.0.1",
        services=[service("postgres")],
        listeners=[waiting("postgres", 5432)],
        storage=Storage([], [], [DataDirectory("postgres", "/data", None, False)]),
    )
    parts = _sections(waves_page(_whole(look)))
    assert "| unknown |" in parts["Wave 1"]
    assert "Downtime: the time to copy the data of postgres@a, whose size is unknown." in parts["Wave 1"]
    assert "Copy its data in /data. The size is unknown." in parts["Wave 1: copy or replicate"]
    assert "0 bytes" not in "".join(parts.values())
    partial = look._replace(storage=Storage([], [], [DataDirectory("postgres", "/data", 5 * 2**30, True)]))
    assert (
        "Downtime: at least 1 minute if at least 5.0 GiB are copied" in _sections(waves_page(_whole(partial)))["Wave 1"]
    )


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (200 * 2**20, "200 MiB"),
        (3 * 2**40, "3.0 TiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_bytes_are_in_words(count: int, words: str) -> None:
    assert in_bytes(count) == words


def test_flows_are_a_table_for_programs() -> None:
    whole = with_names(_whole(), {"10.20.0.90": "old1"})
    rows = list(csv.DictReader(flows(whole).splitlines()))
    assert len(rows) == len(whole.edges) == 13
    [job] = [row for row in rows if row["client_component"] == "invoices@app1"]
    assert job == {
        "client_component": "invoices@app1",
        "client_host": "app1",
        "client_service": "invoices",
        "client_address": "",
        "client_name": "",
        "server_component": "mariadb@db1",
        "server_host": "db1",
        "server_service": "mariadbd",
        "server_address": "",
        "server_name": "",
        "protocol": "tcp",
        "port": "3306",
        "established": "yes",
        "samples": "30",
        "first_seen": "2026-11-24T10:00:00Z",
        "last_seen": "2026-11-24T10:00:30Z",
        "translated": "no",
        "seen_by": "app1 db1",
    }
    [old, *_more] = [row for row in rows if row["server_address"] == "10.20.0.90"]
    assert (old["server_name"], old["server_component"], old["established"]) == ("old1", "", "no")


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-1", "@SUM(A1)", "\t=1", "\n=1", '"a",b'])
def test_a_spreadsheet_takes_texts_for_texts(name: str) -> None:
    look = document("a", "10.0.0.1", services=[service(name)], flows=[flow(name, "out", "10.0.0.1", "10.0.0.2", 80)])
    [row] = csv.DictReader(flows(_whole(look)).splitlines())
    assert not row["client_service"].startswith(tuple("=+-@\t\r\n"))
    assert row["client_service"].removeprefix("'") == name.strip()
