# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole report: what goes into a survey's directory, and what stays as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey import names
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.markdown import MARK
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.report import report
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.summary import artifact, lines
from parts.survey_shop import DAY, INVENTORY, NIGHT, document, documents, flow, observations, service, waiting

AWAY = {"host": "old1", "error": "Failed to connect to the host via ssh: timed out."}
MADE = ["flows.csv", "index.html", "map.mmd", "map.svg", "waves.md"]
SHEETS = [f"components/{name}.md" for name in ("haproxy@lb1", "mariadb@db1", "redis@cache1", "shop@app1", "shop@app2")]
DECIDED = "components:\n  mariadb@db1: {owner: Ann}\n  gone@db9: {owner: Bob}\n"


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand for the resolver, and return what it was asked."""
    asked: list[str] = []

    def ask(addresses: Any) -> dict[str, str]:
        new = [*addresses]
        asked.extend(new)
        return {address: "monitor.example.net" if address == "198.51.100.7" else "" for address in new}

    monkeypatch.setattr(names, "ask", ask)
    return asked


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _report(directory: Path, looks: list[Any] | None = None, check: bool = False, **more: Any) -> dict[str, Any]:
    if looks is None:
        looks = [*observations(documents()), AWAY]
    return report({"directory": str(directory), "observations": looks, "inventory": INVENTORY, **more}, check)


def test_a_directory_is_filled(tmp_path: Path, resolver: list[str]) -> None:
    result = _report(tmp_path)
    kept = [f"observations/{host}/20261124T100000Z.json" for host in ("app1", "app2", "cache1", "db1", "lb1", "old1")]
    assert result["files"] == sorted([*MADE, *SHEETS, *kept, "names.json"])
    assert sorted(_files(tmp_path)) == result["files"]
    assert {name: result[name] for name in ("changed", "components", "hosts", "flows", "externals", "refused")} == {
        "changed": True,
        "components": 5,
        "hosts": 5,
        "flows": 12,
        "externals": 4,
        "refused": [],
    }
    assert result["not_seen"] == [AWAY]
    assert result["waves"] == [
        {"number": 1, "steps": [["mariadb@db1"], ["redis@cache1"]]},
        {"number": 2, "steps": [["shop@app1"], ["shop@app2"]]},
        {"number": 3, "steps": [["haproxy@lb1"]]},
    ]
    assert set(result["findings"][0]) == {"severity", "kind", "component", "text"}
    # Those that are asked for something come first; what /etc/hosts or the inventory says needs no question.
    assert resolver == ["10.20.0.90", "198.51.100.7", "198.51.100.99"]
    assert "monitor.example.net" in (tmp_path / "flows.csv").read_text()
    assert ",10.20.0.90,old1," in (tmp_path / "flows.csv").read_text()
    json.dumps(result)


def test_the_same_again_changes_nothing(tmp_path: Path, resolver: list[str]) -> None:
    _report(tmp_path / "one")
    _report(tmp_path / "other", [AWAY, *observations(documents())[::-1]])
    one = _files(tmp_path / "one")
    assert _files(tmp_path / "other") == one
    resolver.clear()
    for looks in ([AWAY, *observations(documents())], []):
        result = _report(tmp_path / "one", looks)
        assert (result["changed"], result["files"]) == (False, [])
    assert _files(tmp_path / "one") == one
    assert resolver == []


def test_runs_add_up_in_any_order(tmp_path: Path) -> None:
    for folder, runs in (("one", (DAY, NIGHT)), ("other", (NIGHT, DAY))):
        for when in runs:
            _report(tmp_path / folder, observations(documents(when)))
    assert _files(tmp_path / "one") == _files(tmp_path / "other")
    # What runs at night only.
    assert (tmp_path / "one" / "components" / "invoices@app1.md").exists()


def test_check_mode_writes_nothing_and_says_the_same(tmp_path: Path) -> None:
    for looks in (observations(documents()), observations(documents(NIGHT))):
        before = _files(tmp_path)
        would = _report(tmp_path / "survey", looks, check=True)
        assert _files(tmp_path) == before
        assert _report(tmp_path / "survey", looks) == would


def test_what_people_add_is_theirs(tmp_path: Path) -> None:
    theirs = {
        "decisions.yml": DECIDED,
        "notes.md": "Ours.",
        "components/README.md": "Ours.",
        "components/mariadb@db1.txt": "Ours.",
        "observations/README.md": "Ours.",
        "observations/db1/notes.md": "Ours.",
        # The name of a sheet.
        "components/shop@app1.md": "# Our notes\n",
    }
    for name, text in theirs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    result = _report(tmp_path)
    assert {name: (tmp_path / name).read_text() for name in theirs} == theirs
    assert not set(result["files"]) & theirs.keys()
    assert result["refused"] == [
        "components/shop@app1.md: It is a file of somebody's with the name of a sheet, which was not written. Give it "
        "another name."
    ]
    assert [one["text"] for one in result["findings"] if one["kind"] == "gone"] == [
        "gone@db9 is in decisions.yml, but no survey has found it. Correct its name or delete its entry."
    ]
    assert "| Owner | Ann |" in (tmp_path / "components" / "mariadb@db1.md").read_text()


def test_sheets_of_what_no_longer_exists_are_removed(tmp_path: Path) -> None:
    _report(
        tmp_path,
        observations(
            [*documents(), document("tmp1", "10.20.0.99", services=[service("a")], listeners=[waiting("a", 9)])]
        ),
    )
    assert (tmp_path / "components" / "a@tmp1.md").exists()
    shutil.rmtree(tmp_path / "observations" / "tmp1")
    would = _report(tmp_path, [], check=True)
    assert "components/a@tmp1.md" in would["files"]
    assert (tmp_path / "components" / "a@tmp1.md").exists()
    assert _report(tmp_path, []) == would
    assert sorted(path.name for path in (tmp_path / "components").iterdir()) == [Path(name).name for name in SHEETS]


def test_bad_files_are_named_and_the_others_used(tmp_path: Path) -> None:
    _report(tmp_path)
    folder = tmp_path / "observations" / "db1"
    (folder / "half.json").write_text('{"schema_version": 1, "host": "d')
    (folder / "foreign.json").write_text('{"name": "shop"}')
    result = _report(tmp_path, [])
    assert [one.split(": ")[0] for one in result["refused"]] == [
        "observations/db1/foreign.json",
        "observations/db1/half.json",
    ]
    assert [one["kind"] for one in result["findings"]].count("unreadable") == 2
    assert result["components"] == 5


def test_what_a_host_returns_may_be_anything(tmp_path: Path) -> None:
    looks = [*observations(documents()[:2]), {"host": "odd1", "survey": {"schema_version": 1}}, {"host": "odd2"}]
    result = _report(tmp_path, looks)
    assert [one["host"] for one in result["not_seen"]] == ["odd1", "odd2"]
    assert result["not_seen"][0]["error"].startswith(
        "What it returned cannot be used: This is not a valid survey document"
    )
    assert result["not_seen"][1]["error"] == "No reason was given."
    assert [one.split(": ")[0] for one in result["refused"]] == ["odd1"]


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "../../../etc/passwd",
        "a|b`c",
        "\x1b[2J\r\nx",
        "{{ 6 * 7 }}",
        "Ünï",
        ".hidden",
        "x" * 300,
    ],
)
def test_hostile_names_are_harmless(tmp_path: Path, name: str) -> None:
    looks = [
        document(
            host,
            "10.0.0.1",
            services=[service(name, unit=None, command=name)],
            listeners=[waiting(name, 80)],
            flows=[flow(name, "out", "10.0.0.1", "10.0.0.2", 80)],
        )
        for host in ("a", name)
    ]
    directory = tmp_path / "survey"
    result = _report(directory, observations(looks))
    assert result["components"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["survey"]
    assert sorted(_files(directory)) == result["files"]
    for path in directory.rglob("*.md"):
        written = path.read_text()
        assert written.startswith(MARK)
        assert all(char.isprintable() or char == "\n" for char in written)
        assert "<script" not in written.replace("\\<script", "")
    assert _report(directory, [])["changed"] is False
    for line in lines(result, {}):
        assert line.isprintable()
    assert "{" not in json.dumps(artifact(result)["findings"]).replace('{"', "")


def test_two_hosts_with_one_address_stay_apart(tmp_path: Path) -> None:
    looks = [
        document(host, "10.0.0.1", services=[service("db")], listeners=[waiting("db", 9)])
        for host in ("berlin", "paris")
    ]
    asking = document(
        "web", "10.0.0.2", services=[service("shop")], flows=[flow("shop", "out", "10.0.0.2", "10.0.0.1", 9)]
    )
    _report(tmp_path, observations([*looks, asking]))
    sheet = (tmp_path / "components" / "shop@web.md").read_text()
    assert "| 10.0.0.1 | several hosts share this address | 9/tcp |" in sheet


def test_signatures_of_ones_own_count(tmp_path: Path) -> None:
    path = tmp_path / "ours.yml"
    path.write_text("- {technology: Invoices, role: batch, programs: [invoices]}\n")
    _report(tmp_path / "survey", observations(documents(NIGHT)), signatures=str(path))
    assert "| Invoices | batch |" in (tmp_path / "survey" / "components" / "invoices@app1.md").read_text()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ours.yml", b"- 1", "Signature 1 in .*/ours.yml lacks technology or role"),
        (
            "ours.yml",
            b"\xff",
            r"The signatures in .*/ours.yml cannot be read: 'utf-8' codec .* Give a file of text in UTF-8\.",
        ),
        ("other.yml", b"", "The signatures in .*/ours.yml cannot be read: No such file or directory"),
        ("survey/decisions.yml", b"components: 1", "decisions.yml: components is not a dictionary"),
    ],
)
def test_what_people_wrote_wrong_is_an_error_and_nothing_observed_is_lost(
    tmp_path: Path, name: str, text: bytes, message: str
) -> None:
    (tmp_path / "survey").mkdir()
    (tmp_path / name).write_bytes(text)
    with pytest.raises(Error, match=message):
        _report(tmp_path / "survey", signatures=str(tmp_path / "ours.yml") if name != "survey/decisions.yml" else None)
    assert len([*(tmp_path / "survey" / "observations").rglob("*.json")]) == 6


@pytest.mark.parametrize("name", MADE)
def test_a_directory_of_others_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("theirs")
    with pytest.raises(Error, match=rf"has a file {name} that is not of a survey, and would be overwritten"):
        _report(tmp_path)
    assert _files(tmp_path) == {name: b"theirs"}


def test_all_observations_can_be_forgotten(tmp_path: Path) -> None:
    _report(tmp_path)
    shutil.rmtree(tmp_path / "observations")
    assert _report(tmp_path, [])["components"] == 0
    assert sorted(_files(tmp_path)) == sorted([*MADE, "names.json"])


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan")])
def test_a_bandwidth_is_more_than_nothing(tmp_path: Path, bandwidth: float) -> None:
    with pytest.raises(Error, match=r"The bandwidth is .*\. Give more than 0 megabits a second\."):
        _report(tmp_path, bandwidth=bandwidth)
    assert _files(tmp_path) == {}


def test_a_person_and_a_workflow_are_told(tmp_path: Path) -> None:
    result = _report(tmp_path)
    assert list(lines(result, {"cache1": "Missing sudo password"})) == [
        "Seen: 5 of 6 hosts, 5 components, 12 flows, 4 external peers, 3 waves",
        "Findings: 2 high, 2 medium, 4 low",
        "Seen without becoming root: cache1: Missing sudo password",
        "Not seen: old1: Failed to connect to the host via ssh: timed out.",
    ]
    many = {**result, "not_seen": [{"host": f"h{number:02}", "error": "away"} for number in range(30)]}
    assert list(lines(many, {}))[-1] == "Not seen: 10 more; see the report"
    known = artifact({**result, "not_seen": [{"host": "10.0.0.7", "error": "of joe@example.com"}]})
    assert known["counts"] == {
        "hosts": 6,
        "not_seen": 1,
        "findings": 8,
        "components": 5,
        "flows": 12,
        "externals": 4,
        "waves": 3,
    }
    assert known["not_seen"] == ["(address)"]
    assert all(set(finding) == {"kind", "severity", "component"} for finding in known["findings"])
