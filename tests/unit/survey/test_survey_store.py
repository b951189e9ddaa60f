# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey's directory holds: observations, decisions, names, and files named after anything."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Absence, Decision
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey import decisions, names, store
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import Writer, file_name
from hypothesis import given
from hypothesis import strategies as st
from parts.survey_shop import DAY, NIGHT, document, documents, flow, observations

RUN = "20261124T100000Z"


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _kept(directory: Path, looks: list[Any], writes: bool = True) -> store.Stored:
    return store.keep(store.observed(looks), Writer(directory, writes))


# --- Files ---


@pytest.mark.parametrize("text", ["mariadb@db1", "nginx", "web-1.example.com", "a_b"])
def test_a_name_that_can_be_a_file_is_one(text: str) -> None:
    assert file_name(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "..", "../../etc/passwd", "a/b", "a\0b", "Web", "a b", "\ud800", "é", "-a", "x" * 300]
)
def test_any_other_name_is_made_one(text: str) -> None:
    name = file_name(text)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789@._-")
    assert not name.startswith((".", "-"))
    assert 0 < len(name) < 120


@given(st.lists(st.text(), unique=True, max_size=5))
def test_names_of_files_differ(texts: list[str]) -> None:
    assert len({file_name(text).lower() for text in texts}) == len(texts)


def test_files_are_written_whole_if_they_differ(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "new" / "survey")
    assert writer.write("components/a.md", "one\n")
    assert not writer.write("components/a.md", "one\n")
    assert writer.write("components/a.md", "two\n")
    assert _files(writer.directory) == {"components/a.md": b"two\n"}
    assert writer.written == ["components/a.md", "components/a.md"]
    # A map of an infrastructure is for this account alone.
    path = writer.directory / "components" / "a.md"
    assert [one.stat().st_mode & 0o777 for one in (path, path.parent, tmp_path / "new")] == [0o600, 0o700, 0o700]
    # Unless its owner says otherwise.
    path.chmod(0o644)
    writer.write("components/a.md", "three\n")
    assert path.stat().st_mode & 0o777 == 0o644
    writer.remove("components/a.md")
    assert _files(writer.directory) == {}


def test_nothing_is_written_where_nothing_may_be(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    writer = Writer(tmp_path, False)
    assert writer.write("components/a.md", "one\n")
    writer.remove("old")
    assert writer.written == ["components/a.md", "old"]
    assert _files(tmp_path) == {"old": b"old"}


def test_what_cannot_be_written_is_an_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "components").write_text("people's")
    with pytest.raises(
        Error, match=r"components/a.md cannot be written: File exists. Fix its owner or mode, or free some space"
    ):
        Writer(tmp_path).write("components/a.md", "one")
    (tmp_path / "index.html").mkdir()
    with pytest.raises(Error, match=r"index.html cannot be written: Is a directory"):
        Writer(tmp_path).write("index.html", "one")
    with pytest.raises(Error, match="gone cannot be removed: No such file"):
        Writer(tmp_path).remove("gone")
    assert _files(tmp_path) == {"components": b"people's"}


# --- Observations ---


def test_observations_are_documents_of_one_run(tmp_path: Path) -> None:
    looks = observations(documents()[:2])
    looks[0]["host"] = "front"
    looks[1]["survey"]["started"] = "2026-11-24T10:00:09Z"
    new = _kept(tmp_path, [*looks, {"host": "old1", "error": "unreachable"}])
    # By the inventory's name, whatever the host calls itself.
    assert sorted(_files(tmp_path)) == [f"observations/{host}/{RUN}.json" for host in ("app1", "front", "old1")]
    assert [(one.host, one.run) for one in new.documents] == [("front", RUN), ("app1", RUN)]
    assert new.absences == [Absence(1, "old1", RUN, "unreachable")]
    there = store.load(tmp_path)
    assert there.documents == sorted(new.documents, key=lambda one: one.host)
    assert (there.absences, there.looks, there.refused) == (new.absences, {"app1": 1, "front": 1}, {})


def test_the_same_observations_are_kept_once(tmp_path: Path) -> None:
    looks = [*observations(documents()), {"host": "old1", "error": "unreachable"}]
    _kept(tmp_path, looks)
    before = _files(tmp_path)
    assert _kept(tmp_path, looks[::-1]) == ([], [], {}, {})
    assert _files(tmp_path) == before
    # Two runs that began in the same second.
    other = documents()[0]._replace(samples=7)
    assert _kept(tmp_path, observations([other])).documents == [other]
    assert len(_files(tmp_path)) == len(before) + 1
    assert _kept(tmp_path, observations([other])).documents == []


def test_looks_add_up_and_it_is_all_one_in_which_order_they_came(tmp_path: Path) -> None:
    for folder, runs in (("one", (DAY, NIGHT)), ("other", (NIGHT, DAY))):
        for when in runs:
            _kept(tmp_path / folder, observations(documents(when)))
    one, other = (store.load(tmp_path / folder) for folder in ("one", "other"))
    assert one == other
    assert one.looks == dict.fromkeys(("app1", "app2", "cache1", "db1", "lb1"), 2)
    assert [look.samples for look in one.documents] == [62] * 5
    # What has not been written counts all the same.
    _kept(tmp_path / "third", observations(documents(NIGHT)))
    for writes in (False, True):
        writer = Writer(tmp_path / "third", writes)
        new = store.keep(store.observed(observations(documents(DAY))), writer)
        assert store.load(tmp_path / "third", new, writer.written) == one


def test_what_is_not_a_document_is_refused_by_its_name_and_the_others_are_used(tmp_path: Path) -> None:
    _kept(tmp_path, observations(documents()))
    folder = tmp_path / "observations" / "db1"
    whole = (folder / f"{RUN}.json").read_text()
    (folder / "half.json").write_text(whole[: len(whole) // 2])
    (folder / "foreign.json").write_text('{"name": "shop", "version": "1.0.0"}')
    (folder / "list.json").write_text('["error"]')
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.json").write_text("")
    (folder / "newer.json").write_text(whole.replace('"schema_version":1', '"schema_version":2'))
    (folder / "absence.json").write_text('{"schema_version": 1, "host": "db1", "run": 7, "error": "away"}')
    (folder / "away.json").symlink_to("nowhere")
    # People's own, and what an interrupted run left.
    (folder / "README.md").write_text("Ann looks after this host.")
    (folder / ".survey-1.json").write_text("{")
    there = store.load(tmp_path)
    assert [one.host for one in there.documents] == ["app1", "app2", "cache1", "db1", "lb1"]
    assert {name.removeprefix("observations/db1/"): why.split(":")[0] for name, why in there.refused.items()} == {
        "absence.json": "This is not a valid survey document",
        "away.json": "No such file or directory",
        "binary.json": "'utf-8' codec can't decode byte 0xff in position 0",
        "empty.json": "This is not JSON, or only a part of it",
        "foreign.json": "This is JSON, but not a survey document",
        "half.json": "This is not JSON, or only a part of it",
        "list.json": "This is JSON, but not a survey document",
        "newer.json": "This document has the schema version 2; this version of the collection reads 1. Survey the host "
        "again, or use the version that wrote it.",
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flows": [flow("a", "out", "10.0.0.1", "example.com", 80)]}, "flows has 'example.com', no address"),
        (
            {"flows": [flow("a", "out", "10.0.0.1", "10.0.0.2", 80, translated="10.0.0.3:http")]},
            "flows has '10.0.0.3:http', no address with its port",
        ),
        (
            {"flows": [flow("a", "out", "10.0.0.1", "10.0.0.2", 80, translated="[10.0.0.3/9]:80")]},
            "flows has '10.0.0.3/9', no address",
        ),
    ],
)
def test_addresses_that_are_invalid_are_refused(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    look = document("a", "10.0.0.1", **wrong)
    new = _kept(tmp_path, observations([look]))
    assert new.documents == []
    assert new.refused["a"].startswith(f"This is not a valid survey document: {message}")
    assert [one.error.split(":")[0] for one in new.absences] == ["What it returned cannot be used"]


def test_addresses_of_every_kind_are_read(tmp_path: Path) -> None:
    look = document(
        "a",
        "10.0.0.1",
        flows=[
            flow("a", "out", "fe80::1%eth0", "fe80::2%eth0", 80),
            flow("a", "out", "2001:db8::1", "2001:db8::2", 80, translated="[2001:db8::3]:8080"),
        ],
    )
    _kept(tmp_path, observations([look]))
    assert store.load(tmp_path).documents[0].flows == look.flows


def test_texts_of_hosts_are_kept_as_they_are(tmp_path: Path) -> None:
    # Half a character cannot be written.
    flows = [flow("<b>é\u202e{{ 1 }}|`\ud83d", "out", "10.0.0.1", "10.0.0.2", 1)]
    new = _kept(tmp_path, observations([document("A/../b", "10.0.0.1", flows=flows)]))
    [path] = [*tmp_path.rglob("*.json")]
    assert path.parent.parent == tmp_path / "observations"
    assert store.load(tmp_path).documents == new.documents
    assert [one.service for one in new.documents[0].flows] == ["<b>é\u202e{{ 1 }}|`?"]


def test_a_directory_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "observations").write_text("")
    with pytest.raises(Error, match="observations cannot be read: Not a directory"):
        store.load(tmp_path)


# --- Decisions ---

WRITTEN = """
components:
  mariadb@db1:
    name: |
      The
      database
    owner: Ann
    decision: move
    wave: 2
    notes: "Before Easter"
  redis@cache1: {decision: retire}
  nginx@lb1:
"""


def test_decisions_are_read(tmp_path: Path) -> None:
    assert decisions.load(tmp_path) == {}
    (tmp_path / decisions.FILE).write_text(WRITTEN)
    assert decisions.load(tmp_path) == {
        "mariadb@db1": Decision("The database", "Ann", "move", 2, "Before Easter"),
        "redis@cache1": Decision(fate="retire"),
        "nginx@lb1": Decision(),
    }


@pytest.mark.parametrize("text", ["", "---\n", "components:\n", "components: {}"])
def test_a_file_without_decisions_is_none(text: str) -> None:
    assert decisions.read(text) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "decisions.yml is not valid YAML: while parsing"),
        ("a: !!python/object:os.system x", "decisions.yml is not valid YAML: could not determine a constructor"),
        ("a: 2026-13-99", "decisions.yml is not valid YAML: month must be in 1..12. Correct it there."),
        ("[" * 1500, "decisions.yml is not valid YAML: it is nested too deep"),
        ("- a", "decisions.yml must have one key, components, with a dictionary of components under it."),
        ("component: {}", "decisions.yml must have one key, components"),
        ("components: [a]", "decisions.yml: components is not a dictionary. Write each component's name as a key."),
        ("components: {1: }", "decisions.yml: 1 is not a string. Write the component's name in quotes."),
        (
            "components: {a: move}",
            "decisions.yml: a is not a dictionary. It may have name, owner, decision, wave, notes.",
        ),
        ("components: {a: {onwer: x}}", "decisions.yml: a has the unknown key onwer. Did you mean owner?"),
        ("components: {a: {7: x}}", "decisions.yml: a has the unknown key 7. It may have name, owner,"),
        ("components: {a: {owner: 7}}", "decisions.yml: a: owner is not a string. Write it in quotes."),
        ("components: {a: {decision: delete}}", "a: decision is 'delete'. It can be move, replace, retire, keep."),
        ("components: {a: {decision: [move]}}", "a: decision is ['move']. It can be move,"),
        ("components: {a: {wave: 0}}", "decisions.yml: a: wave is 0. Give a number from 1."),
        ("components: {a: {wave: yes}}", "decisions.yml: a: wave is True. Give a number from 1."),
        ("components: {a: {wave: '1'}}", "decisions.yml: a: wave is '1'. Give a number from 1."),
        ("components: {a: {wave: 1, wave: 2}}", "decisions.yml has wave twice."),
        ("components: {a: {wave: 1}, b: , a: {}}", "decisions.yml has a twice. Merge the two."),
    ],
)
def test_other_decisions_are_refused_with_their_place(text: str, message: str) -> None:
    with pytest.raises(Error) as raised:
        decisions.read(text)
    assert message in str(raised.value)


def test_decisions_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / decisions.FILE).write_bytes(b"\xff")
    with pytest.raises(Error, match=r"decisions.yml cannot be read: 'utf-8' codec"):
        decisions.load(tmp_path)
    (tmp_path / decisions.FILE).unlink()
    (tmp_path / decisions.FILE).mkdir()
    with pytest.raises(Error, match=r"decisions.yml cannot be read: Is a directory"):
        decisions.load(tmp_path)


# --- Names ---


def test_names_are_kept(tmp_path: Path) -> None:
    assert names.load(tmp_path) == {}
    names.keep({}, Writer(tmp_path))
    assert _files(tmp_path) == {}
    names.keep({"203.0.113.9": "b.example", "203.0.113.10": ""}, Writer(tmp_path))
    assert names.load(tmp_path) == {"203.0.113.10": "", "203.0.113.9": "b.example"}
    for text in (b"[]", b"{", b"\xff", b"[" * 100_000):
        (tmp_path / names.FILE).write_bytes(text)
        assert names.load(tmp_path) == {}


def test_the_resolver_is_asked_for_no_longer_than_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"203.0.113.1": "a.example", "203.0.113.2": "203.0.113.2"}
    stuck, end = threading.Event(), threading.Event()

    def asked(address: tuple[str, int], _flags: int) -> tuple[str, str]:
        if address[0] == "203.0.113.4":
            stuck.set()
            end.wait(30)
        if address[0] not in answers:
            raise socket.gaierror(-2, "Name or service not known")
        return answers[address[0]], "0"

    monkeypatch.setattr(socket, "getnameinfo", asked)
    monkeypatch.setattr(names, "_SECONDS", 0.3)
    found = names.ask([f"203.0.113.{number}" for number in range(1, 5)])
    end.set()
    assert stuck.is_set()
    assert found == {"203.0.113.1": "a.example", "203.0.113.2": "", "203.0.113.3": ""}
    assert names.ask([]) == {}
