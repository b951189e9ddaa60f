# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rows are proven to be undone with their transaction; the dictionary is a fake, and real in
tests/integration/migration/test_statements.py."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import dialect_of
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import classify
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.nontransactional import (
    TransactionalTables,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError

GOOD, OTHER_ENGINE, VIEW = (b"1", b"1"), (b"1", b"0"), (b"0", None)
TABLES: dict[tuple[str, str], list[Any]] = {
    ("here", "a"): [GOOD],
    ("here", "b"): [GOOD],
    ("there", "a"): [GOOD],
    ("here", "Ärger"): [GOOD],
    ("here", "m"): [OTHER_ENGINE],
    ("there", "m"): [OTHER_ENGINE],
    ("here", "v"): [VIEW],
    ("here", "Ü"): [VIEW],
    ("here", "t"): [GOOD, "trigger"],
    ("my_app", "a"): [GOOD],
}
PART = re.compile(
    r"SELECT (\d+), .*? FROM information_schema\.(\w+) WHERE \w+ = _utf8mb4 X'(\w+)' AND \w+ = _utf8mb4 X'(\w+)'"
)


class Server:
    """A session whose server has these tables."""

    def __init__(self) -> None:
        self.mariadb, self.version, self.sql_modes = True, 101119, frozenset[str]()
        self.character_set_client = "utf8mb4"
        self.current_schema: str | None = "here"
        self.grants = [b"GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION"]
        self.questions: list[bytes] = []
        self.fails = False
        self.wide = False

    def rows(self, question: bytes) -> Any:
        if question == b"SHOW GRANTS":
            return [(row,) for row in self.grants]
        self.questions.append(question)
        if self.fails:
            return ServerError(1104, "too many rows", "asking")
        return self.answer(question)

    def answer(self, question: bytes) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        assert question.endswith(b" LIMIT 9223372036854775807")
        for number, what, schema, table in PART.findall(question.decode()):
            name = bytes.fromhex(schema).decode(), bytes.fromhex(table).decode()
            for fact in TABLES.get(name, []):
                if what == "tables" and fact != "trigger":
                    found.append((number.encode(), *fact))
                elif what == "triggers" and fact == "trigger":
                    found.append((number.encode(), b"1", b"0"))
        if self.wide:
            return [tuple(value and value.decode().encode("utf-16-be") for value in row) for row in found]
        return found


def proven(text: str | bytes, server: Server | None = None) -> bool:
    server = server or Server()
    found = text if isinstance(text, bytes) else text.encode()
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    return tables.proven(classify(found, dialect_of(server)))  # type: ignore[arg-type]


PROVEN = [
    "INSERT INTO a VALUES (1)",
    "INSERT INTO `a` (i) VALUES (1), (NOW())",
    "INSERT INTO there.a VALUES (1)",
    "INSERT INTO Ärger VALUES (1)",
    "INSERT INTO a SELECT i FROM b JOIN m ON b.i = m.i",
    "INSERT INTO a SELECT i FROM information_schema.tables",
    "INSERT INTO a WITH c AS (SELECT 1) SELECT * FROM c",
    "UPDATE a AS x JOIN b ON x.i = b.i SET x.i = 1",
    "DELETE FROM a WHERE i IN (SELECT i FROM m)",
    "DELETE x FROM a AS x",
    "SELECT 1",
    "SELECT * FROM m",
    "SET @a = 1",
    "SET @a = (SELECT i FROM b)",
    "USE there",
    "CREATE TEMPORARY TABLE x (i INT)",
]
NOT_PROVEN = [
    "INSERT INTO m VALUES (1)",
    "INSERT INTO there.m VALUES (1)",
    "INSERT INTO v VALUES (1)",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO nowhere VALUES (1)",
    "INSERT INTO there.b VALUES (1)",
    "INSERT INTO information_schema.a VALUES (1)",
    "INSERT INTO a SELECT i FROM v",
    "INSERT INTO a SELECT i FROM here.v",
    "INSERT INTO a SELECT i FROM b, v",
    "INSERT INTO a SELECT i FROM Ü",
    "INSERT INTO a VALUES ((SELECT i FROM v))",
    "INSERT INTO a VALUES (f())",
    "UPDATE a JOIN m ON a.i = m.i SET a.i = 1",
    "DELETE a, t FROM a JOIN t",
    "SELECT * FROM v",
    "SET @a = (SELECT i FROM v)",
    "DO f()",
    "CALL p()",
    "ALTER TABLE a ADD j INT",
    "BEGIN",
    "FLUSH TABLES",
]


@pytest.mark.parametrize("text", PROVEN)
def test_what_is_proven(text: str) -> None:
    assert proven(text)


@pytest.mark.parametrize("text", NOT_PROVEN)
def test_what_is_not_proven(text: str) -> None:
    assert not proven(text)


@pytest.mark.parametrize(
    ("charset", "text", "expected"),
    [
        ("latin1", "INSERT INTO Ärger VALUES (1)".encode("latin-1"), True),
        ("latin1", "INSERT INTO a SELECT i FROM Ü".encode("latin-1"), False),
        ("latin1", "INSERT INTO Ärger VALUES (1)".encode(), False),
        ("utf8mb4", "INSERT INTO Ärger VALUES (1)".encode("latin-1"), False),
        ("utf8mb4", "INSERT INTO a SELECT i FROM Ü".encode("latin-1"), False),
        ("hp8", b"INSERT INTO a VALUES (1)", True),
        ("hp8", b"INSERT INTO a SELECT i FROM b", True),
        ("hp8", "INSERT INTO a SELECT i FROM Ü".encode("latin-1"), False),
    ],
)
def test_names_are_read_in_the_sessions_own_character_set(charset: str, text: bytes, expected: bool) -> None:
    server = Server()
    server.character_set_client = charset
    assert proven(text, server) is expected


def test_without_a_schema_a_bare_name_is_nothing() -> None:
    server = Server()
    server.current_schema = None
    assert not proven("INSERT INTO a VALUES (1)", server)
    assert proven("INSERT INTO here.a VALUES (1)", server)


GRANTS = [
    ("GRANT ALL PRIVILEGES ON `my\\_app`.* TO `u`@`%`", True),
    ("GRANT SELECT, INSERT, TRIGGER ON `my_app`.* TO `u`@`%`", True),
    ("GRANT SELECT, TRIGGER ON `my_app`.`a` TO `u`@`%`", True),
    ("GRANT ALL PRIVILEGES ON `my%`.* TO `u`@`%`", True),
    ('GRANT ALL PRIVILEGES ON "my_app".* TO "u"@"%"', True),
    ("GRANT SELECT, INSERT, EVENT ON `my_app`.* TO `u`@`%`", False),
    ("GRANT SELECT, TRIGGER ON `my_app`.`b` TO `u`@`%`", False),
    ("GRANT ALL PRIVILEGES ON `other`.* TO `u`@`%`", False),
    ("GRANT ALL PRIVILEGES ON `my\\_%p`.* TO `u`@`%`", True),
    ("GRANT ALL PRIVILEGES ON `my\\_a`.* TO `u`@`%`", False),
    ("GRANT USAGE ON *.* TO `u`@`%`", False),
]


@pytest.mark.parametrize(("grant", "expected"), GRANTS)
def test_without_the_privilege_triggers_are_not_shown(grant: str, expected: bool) -> None:
    server = Server()
    server.grants = [b"GRANT USAGE ON *.* TO `u`@`%`", grant.encode()]
    assert proven("INSERT INTO my_app.a VALUES (1)", server) is expected


def test_a_privilege_may_be_revoked_in_part() -> None:
    server = Server()
    server.grants = [b"GRANT ALL PRIVILEGES ON *.* TO `u`@`%`", b"REVOKE TRIGGER ON `there`.* FROM `u`@`%`"]
    assert proven("INSERT INTO a VALUES (1)", server)
    assert not proven("INSERT INTO there.a VALUES (1)", server)


def test_a_question_that_the_server_refuses_proves_nothing() -> None:
    server = Server()
    server.fails = True
    assert not proven("INSERT INTO a VALUES (1)", server)


def test_answers_in_a_wide_character_set() -> None:
    server = Server()
    server.wide = True
    assert proven("INSERT INTO a VALUES (1)", server)
    assert not proven("INSERT INTO m VALUES (1)", server)


def effect(text: str) -> Any:
    return classify(text.encode(), dialect_of(Server()))  # type: ignore[arg-type]


def test_each_name_is_asked_for_once_until_it_may_have_changed() -> None:
    server = Shower(b"CREATE TABLE `a` (\n  `i` int\n) ENGINE=InnoDB")
    tables = TransactionalTables(server)  # type: ignore[arg-type]

    def asked(text: str) -> int:
        before = len(server.questions)
        tables.proven(effect(text))
        return len(server.questions) - before

    assert [asked("INSERT INTO a SELECT 1 FROM b") for _time in range(2)] == [1, 0]
    tables.passed(effect("INSERT INTO a SELECT 1 FROM b"))
    tables.passed(effect("ALTER TABLE c ADD d INT"))
    tables.passed(effect("COMMIT"))
    assert asked("INSERT INTO a SELECT 1 FROM b") == 0
    for text in (
        "ALTER TABLE A ADD c INT",
        "RENAME TABLE x TO b",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1",
        "CALL p()",
        "SELECT f()",
        "SET ROLE r",
        "DROP DATABASE x",
        "GRANT SELECT ON a TO b",
    ):
        tables.passed(effect(text))
        assert asked("INSERT INTO a SELECT 1 FROM b") == 1, text
        assert asked("INSERT INTO a SELECT 1 FROM b") == 0


def test_a_question_may_be_asked_beforehand() -> None:
    server = Server()
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    first = effect("INSERT INTO a VALUES (1)")
    tables.learn(first, server.answer(tables.question(first)))
    assert tables.proven(first)
    assert server.questions == []
    assert tables.question(first) == b""
    second = effect("INSERT INTO b VALUES (1)")
    assert tables.question(second) != b""
    tables.learn(first, [(b"0", b"1", b"1")])
    tables.learn(second, ServerError(1104, "", ""))
    assert tables.proven(second)
    assert len(server.questions) == 1


def test_rows_of_a_temporary_table_go_with_the_session() -> None:
    server = Server()
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    insert = effect("INSERT INTO new VALUES (1)")
    assert not tables.proven(insert)
    tables.passed(effect("CREATE TEMPORARY TABLE New (i INT)"))
    assert tables.proven(insert)
    tables.passed(effect("ALTER TABLE new RENAME TO newer"))
    assert tables.proven(effect("INSERT INTO newer VALUES (1)"))
    tables.passed(effect("DROP TABLE here.new"))
    assert not tables.proven(insert)


def test_a_temporary_table_may_have_been_dropped_unseen() -> None:
    server = Server()
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    for name in ("a", "m"):
        tables.passed(effect(f"CREATE TEMPORARY TABLE {name} (i INT)"))
    assert tables.proven(effect("INSERT INTO a VALUES (1)"))
    assert not tables.proven(effect("INSERT INTO m VALUES (1)"))


class Shower(Server):
    """A server that answers SHOW CREATE TABLE with a text, or refuses it."""

    def __init__(self, text: bytes | None) -> None:
        super().__init__()
        self.text = text

    def answer(self, question: bytes) -> Any:
        if not question.startswith(b"SHOW CREATE TABLE "):
            return super().answer(question)
        return [(b"t", self.text)] if self.text is not None else ServerError(1142, "denied", "asking")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (b"CREATE TABLE `a` (\n  `i` int\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", 1),
        (b"CREATE TABLE `a` (\n  `i` int\n) ENGINE=MyISAM", 2),
        (b"CREATE TABLE `a` (\n  `i` int COMMENT 'ENGINE='\n) ENGINE=InnoDB", 2),
        (b"CREATE TABLE `a` (\n  `i` int\n) ENGINE=InnoDB SEQUENCE=1", 2),
        (b"CREATE TEMPORARY TABLE `a` (\n  `i` int\n) ENGINE=InnoDB", 2),
        (None, 2),
    ],
)
def test_what_a_new_table_is_its_definition_tells_and_otherwise_the_dictionary(text: bytes | None, asked: int) -> None:
    server = Shower(text)
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    tables.passed(effect("CREATE TABLE a (i INT)"), new=True)
    assert tables.proven(effect("INSERT INTO a VALUES (1)"))
    assert server.questions[0] == b"SHOW CREATE TABLE `here`.`a`"
    assert len(server.questions) == asked


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("ALTER TABLE a ADD j INT", True),
        ("ALTER TABLE a RENAME TO b", False),
        ("RENAME TABLE a TO b", False),
        ("DROP TABLE a", False),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1", False),
        ("CALL p()", False),
        ("INSERT INTO b SELECT f()", False),
    ],
)
def test_a_new_table_is_new_until_it_may_have_got_a_trigger(text: str, short: bool) -> None:
    tables = TransactionalTables(Server())  # type: ignore[arg-type]
    tables.passed(effect("CREATE TABLE a (i INT)"), new=True)
    tables.passed(effect(text))
    assert tables.question(effect("INSERT INTO a VALUES (1)")).startswith(b"SHOW CREATE TABLE ") is short


@pytest.mark.parametrize(("table", "short"), [("a", True), ("t", False), ("v", False), ("nowhere", False)])
def test_a_table_that_the_dictionary_has_shown_has_no_more_triggers_when_it_is_altered(table: str, short: bool) -> None:
    tables = TransactionalTables(Server())  # type: ignore[arg-type]
    tables.proven(effect(f"INSERT INTO {table} VALUES (1)"))
    tables.passed(effect(f"ALTER TABLE {table} ENGINE=MyISAM"))
    assert tables.question(effect(f"INSERT INTO {table} VALUES (1)")).startswith(b"SHOW CREATE TABLE ") is short


def test_where_the_definition_has_no_engine_the_dictionary_is_asked() -> None:
    server = Server()
    server.sql_modes = frozenset({"NO_TABLE_OPTIONS"})
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    tables.passed(effect("CREATE TABLE a (i INT)"), new=True)
    assert b"information_schema" in tables.question(effect("INSERT INTO a VALUES (1)"))


def test_a_definition_that_was_asked_for_behind_a_trigger_proves_nothing() -> None:
    server = Shower(b"CREATE TABLE `t` (\n  `i` int\n) ENGINE=InnoDB")
    tables = TransactionalTables(server)  # type: ignore[arg-type]
    assert tables.proven(effect("INSERT INTO b VALUES (1)"))
    tables.passed(effect("CREATE TABLE t (i INT)"), new=True)
    both = effect("UPDATE t, b SET b.i = t.i")
    answer = server.answer(tables.question(both))
    tables.passed(effect("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1"))
    tables.learn(both, answer)
    assert not tables.proven(both)
