# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is looked at ahead of time, and what is not. The session is a fake that is asked for its sql_mode alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import FileReader
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.lookahead import Lookahead


def ahead(folder: Path, *texts: str | None, judges: bool = True) -> tuple[Lookahead, SimpleNamespace]:
    """Return the files of some texts, and the session; a file without a text is not there."""
    steps = [Step(version, "a", "up", f"{version}_a.up.sql", version) for version in range(1, len(texts) + 1)]
    for step, text in zip(steps, texts):
        if text is not None:
            (folder / str(step.file)).write_text(text)
    session = SimpleNamespace(mariadb=True, version=101119, sql_modes=frozenset(), character_set_client="utf8mb4")
    return Lookahead(session, str(folder), steps, judges), session  # type: ignore[arg-type]


def run(found: Lookahead) -> list[tuple[bytes, bytes | None]]:
    """Return every statement with the one that was said to follow it."""
    seen: list[tuple[bytes, bytes | None]] = []
    while (reading := found.open()) is not None:
        while (statement := reading.take()) is not None:
            piece = found.classified(statement)
            following = found.following(reading, piece)
            seen.append((statement.text, following.statement.text if following else None))
            found.look_further(reading, following)
    return seen


def pairs(*texts: bytes | None) -> Sequence[tuple[bytes | None, bytes | None]]:
    return list(zip(texts, (*texts[1:], None)))


def test_it_looks_into_the_files_that_follow(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1", "DO 2; DO 3;", "DO 4")
    assert run(found) == pairs(b"DO 1", b"DO 2", b"DO 3", b"DO 4")


def test_it_looks_no_further_than_a_file_without_statements(tmp_path: Path) -> None:
    """There may be more of them than files that can be open."""
    found, _session = ahead(tmp_path, "DO 1", *["-- nothing"] * 2000, "DO 2")
    reading = found.open()
    assert reading is not None
    assert found.following(reading, found.classified(reading.take())) is None  # type: ignore[arg-type]
    assert run(found) == [(b"DO 2", None)]


def test_what_follows_a_change_of_the_sql_mode_is_read_after_it(tmp_path: Path) -> None:
    found, session = ahead(tmp_path, "DO 1; SET SQL_mode = 'NO_BACKSLASH_ESCAPES'; SELECT '\\'; DO 2")
    reading = found.open()
    assert reading is not None
    seen = []
    while (statement := reading.take()) is not None:
        piece = found.classified(statement)
        following = found.following(reading, piece)
        found.look_further(reading, following)
        seen.append((statement.text, following is not None))
        if b"SQL_mode" in statement.text:
            session.sql_modes = frozenset(["NO_BACKSLASH_ESCAPES"])
    setting = b"SET SQL_mode = 'NO_BACKSLASH_ESCAPES'"
    assert seen == [(b"DO 1", True), (setting, False), (b"SELECT '\\'", True), (b"DO 2", False)]


def test_it_looks_no_further_than_what_is_executed(tmp_path: Path) -> None:
    """What that does is not known before."""
    found, session = ahead(tmp_path, "DO 1; EXECUTE p; SELECT '\\'; DO 2")
    reading = found.open()
    assert reading is not None
    found.look_further(reading, found.following(reading, found.classified(reading.take())))  # type: ignore[arg-type]
    session.sql_modes = frozenset(["NO_BACKSLASH_ESCAPES"])
    assert [reading.take().text for _statement in range(3)] == [b"EXECUTE p", b"SELECT '\\'", b"DO 2"]  # type: ignore[union-attr]


def test_a_piece_is_made_once(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1; DO 2; DO 3")
    reading = found.open()
    assert reading is not None
    first = reading.take()
    assert first is not None
    following = found.following(reading, found.classified(first))
    found.look_further(reading, following)
    second = reading.take()
    assert second is not None
    assert found.classified(second) is following


def test_without_a_history_nothing_is_looked_at(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1; DO 2", "DO 3", judges=False)
    assert run(found) == [(b"DO 1", None), (b"DO 2", None), (b"DO 3", None)]


def test_a_file_that_cannot_be_read_matters_when_it_has_its_turn(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1; DO 2", None)
    with pytest.raises(Error, match=r"2_a\.up\.sql cannot be read: No such file or directory\."):
        run(found)
    (tmp_path / "2_a.up.sql").write_text("DO 3")
    assert run(found) == [(b"DO 3", None)]


def test_what_is_executed_is_known_to_its_session(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "EXECUTE p")
    reading = found.open()
    assert isinstance(reading, FileReader)
    statement = reading.take()
    assert statement is not None
    assert found.classified(statement).resolved_text == b"EXECUTE p"
    log = SimpleNamespace(prepared={"p": b"SET sql_mode = ''"})
    piece = found.classified(statement, log)  # type: ignore[arg-type]
    assert piece.resolved_text == b"SET sql_mode = ''"
    assert found.following(reading, piece) is None


def test_a_section_is_looked_at_and_not_taken(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1; DO 2; CREATE TABLE a (i INT); DO 3", "DO 4")
    reading = found.open()
    assert reading is not None
    first = found.classified(reading.take())  # type: ignore[arg-type]
    for _time in range(2):
        kinds = [(item.statement.text, item.effect.kind.name) for item in found.section(reading, first)]
        assert kinds == [(b"DO 2", "DATA"), (b"CREATE TABLE a (i INT)", "DEFINITION"), (b"DO 3", "DATA")]
    assert reading.take().text == b"DO 2"  # type: ignore[union-attr]
    assert [item.statement.text for item in found.section(reading, None)][-1] == b"DO 3"


def test_a_section_ends_where_the_reading_may_change(tmp_path: Path) -> None:
    found, _session = ahead(tmp_path, "DO 1; DO 2; SET NAMES cp932; DO 3")
    reading = found.open()
    assert reading is not None
    first = found.classified(reading.take())  # type: ignore[arg-type]
    assert [item.statement.text for item in found.section(reading, first)] == [b"DO 2", b"SET NAMES cp932"]


@pytest.mark.parametrize(
    ("count", "text", "expected"), [(10_500, "DO 1", 10_000), (30, "DO '" + "x" * (1 << 20) + "'", 8)]
)
def test_a_section_is_bounded(tmp_path: Path, count: int, text: str, expected: int) -> None:
    found, _session = ahead(tmp_path, "DO 0;" + f"{text};" * count)
    reading = found.open()
    assert reading is not None
    first = found.classified(reading.take())  # type: ignore[arg-type]
    assert sum(1 for _item in found.section(reading, first)) == expected
