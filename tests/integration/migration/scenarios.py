# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenarios of interchange: a directory of migrations of all kinds, and a list of steps that two tools share.

All of it follows from a seed. What the steps will lead to is foreseen only roughly, to make them worth while: after a
failure a force, often with a fixed file. Whoever carries them out looks at the state that is really there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random

# Of what kind the scenarios are, one after the other; the kinds of which there is much to try come more often.
KINDS = (
    "ordinary", "hard", "failing", "killed", "missing", "hard", "odd", "failing", "zero", "killed", "hard", "lost",
)  # fmt: skip
# What is left out of the tables below because the two tools are known to differ there: names as in Scenario.parts.
NOT_YET: frozenset[str] = frozenset()

# Statements to apply and to undo; § stands for the migration's place, its table is t§, and there is a table log.
_Part = tuple[Sequence[str], Sequence[str]]
# A command and its number.
_Action = tuple[str, int | None]

ORDINARY: dict[str, _Part] = {
    "insert": (["INSERT INTO t§ (note) VALUES ('a'), ('b'), (NULL)"], ["DELETE FROM t§"]),
    "column": (["ALTER TABLE t§ ADD c DATETIME(3) NULL, ADD d JSON"], ["ALTER TABLE t§ DROP c, DROP COLUMN d"]),
    "modify": (["ALTER TABLE t§ MODIFY x BIGINT NOT NULL DEFAULT 8"], ["ALTER TABLE t§ MODIFY x INT DEFAULT 7"]),
    "index": (["CREATE INDEX i§ ON t§ (x, note(9))"], ["DROP INDEX i§ ON t§"]),
    "unique": (["ALTER TABLE t§ ADD u INT, ADD UNIQUE KEY u§ (u)"], ["ALTER TABLE t§ DROP u"]),
    "update": (["INSERT INTO t§ (x) VALUES (1), (2)", "UPDATE t§ SET x = x * 10 WHERE x > 1"], []),
    "view": (["CREATE VIEW v§ AS SELECT id, CONCAT(note, ';') AS n FROM t§"], ["DROP VIEW v§"]),
    "foreign key": (
        [
            "CREATE TABLE parent§ (id INT PRIMARY KEY)",
            "CREATE TABLE child§ (p INT, CONSTRAINT fk§ FOREIGN KEY (p) REFERENCES parent§ (id) ON DELETE CASCADE)",
        ],
        ["ALTER TABLE child§ DROP FOREIGN KEY fk§", "DROP TABLE parent§, child§"],
    ),
    "types": (
        [
            "CREATE TABLE types§ (a ENUM('x;', 'y'), b SET('1','2'), c BIT(4), d DECIMAL(9,3), e BLOB, f DATE, "
            "g INT AS (d * 2) STORED, h VARCHAR(9) CHARACTER SET latin1, CHECK (d > 0)) COMMENT='a;b'",
            "INSERT INTO types§ (a, b, c, d, e, f, h) VALUES ('x;', '1,2', b'101', 1.25, x'00ff', '2020-02-29', 'ä')",
        ],
        ["DROP TABLE types§"],
    ),
    "partitions": (
        [
            "CREATE TABLE part§ (id INT) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), "
            "PARTITION b VALUES LESS THAN MAXVALUE)",
            "INSERT INTO part§ VALUES (1), (20)",
            "ALTER TABLE part§ TRUNCATE PARTITION a",
        ],
        ["DROP TABLE part§"],
    ),
    "rename": (
        ["ALTER TABLE t§ ADD old INT", "ALTER TABLE t§ RENAME COLUMN old TO new", "RENAME TABLE t§ TO r§, r§ TO t§"],
        ["ALTER TABLE t§ RENAME COLUMN new TO old", "ALTER TABLE t§ DROP old"],
    ),
    "data alone": (["INSERT INTO log VALUES (§, 'up')"], ["INSERT INTO log VALUES (§, 'down')"]),
    "truncate": (["CREATE TABLE tr§ (a INT)", "INSERT INTO tr§ VALUES (5)", "TRUNCATE tr§"], ["DROP TABLE tr§"]),
    "select as": (["CREATE TABLE copy§ AS SELECT id, note FROM t§"], ["DROP TABLE copy§"]),
    "warnings": (["DROP TABLE IF EXISTS nothing§", "INSERT IGNORE INTO t§ (id) VALUES (900), (900)"], []),
}
HARD: dict[str, _Part] = {
    "procedure": (
        [
            "CREATE PROCEDURE p§(IN k INT) BEGIN /* ; */ DECLARE i INT DEFAULT 0; WHILE i < k DO "
            "INSERT INTO log VALUES (§, CONCAT('p;', i)); SET i = i + 1; END WHILE; "
            "IF k > 1 THEN SELECT 'END;' AS a; SELECT 2; ELSEIF k = 1 THEN SELECT CASE k WHEN 1 THEN 2 END; END IF; "
            "END",
            "CALL p§(2)",
        ],
        ["CALL p§(1)", "DROP PROCEDURE p§"],
    ),
    "function": (
        [
            "CREATE FUNCTION f§(k INT) RETURNS VARCHAR(20) CHARSET utf8mb4 DETERMINISTIC l: BEGIN "
            "IF k IS NULL THEN RETURN ';'; END IF; REPEAT SET k = k + 1; UNTIL k > 5 END REPEAT; "
            "RETURN CONCAT('k=', k, ';'); END",
            "INSERT INTO t§ (note) VALUES (f§(1)), (f§(NULL))",
        ],
        ["DROP FUNCTION f§"],
    ),
    "triggers": (
        [
            "CREATE TRIGGER bi§ BEFORE INSERT ON t§ FOR EACH ROW BEGIN IF NEW.x > 5 THEN SET NEW.x = 5; END IF; "
            "SET @last = NEW.x; END",
            "CREATE TRIGGER au§ AFTER UPDATE ON t§ FOR EACH ROW INSERT INTO log VALUES (§, 'updated;')",
            "INSERT INTO t§ (x) VALUES (3), (9)",
            "UPDATE t§ SET x = x + 1 ORDER BY id LIMIT 1",
        ],
        ["DROP TRIGGER bi§"],
    ),
    "event": (
        [
            "CREATE EVENT e§ ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE "
            "COMMENT 'DO;' DO BEGIN DELETE FROM log WHERE n < 0; SELECT ';'; END"
        ],
        ["ALTER EVENT e§ ENABLE", "DROP EVENT e§"],
    ),
    "executable comments": (
        [
            "/*!40101 SET @old§ = @@sql_mode */",
            "/*!50003 CREATE TABLE ex§ (a INT) */",
            "INSERT INTO ex§ VALUES (1 /*M!100100 + 1 */ /*!80000 + 2 */)",
            "INSERT INTO ex§ VALUES /*!40000 (2), */ (3) /*!99999 , (4) */",
            "CREATE /*! TABLE */ ey§ (a INT /*!80013 COMMENT 'my;' */ /*M!100201 COMMENT 'maria;' */)",
        ],
        ["/*!40000 DROP TABLE ey§ */", "DROP TABLE /*!50000 IF EXISTS */ ex§"],
    ),
    "quotes": (
        [
            "INSERT INTO t§ (note) VALUES ('it''s;'), ('-- no;'), ('/* ; */'), ('# ;'), ('`;'), ('\";'), ('')",
            "CREATE TABLE `q;\"§` (`a``b` INT COMMENT 'x;''y', `--` INT, `/*` INT)",
            "INSERT INTO t§ (note) VALUES (N'n;'), (_utf8mb4'u;'), (x'3b'), ('a' ';' 'b'), ('ä€😀;')",
        ],
        ['DROP TABLE `q;"§`'],
    ),
    "escapes": (
        [r"INSERT INTO t§ (note) VALUES ('a\\b;'), ('a\\''; -- '), ('%\%\_;')", r"SET @b§ = '\\'"],
        [r"DELETE FROM t§ WHERE note = 'a\\b;'"],
    ),
    "double quotes": (
        [
            "SET @mode = @@sql_mode, sql_mode = ''",
            r"""INSERT INTO t§ (note) VALUES ("it's;"), ("a""b;"), ("a\";")""",
            "SET sql_mode = @mode",
        ],
        [],
    ),
    "no backslash escapes": (
        ["SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')", r"INSERT INTO t§ (note) VALUES ('\'), (';\')"],
        ["SET sql_mode = DEFAULT"],
    ),
    "ansi quotes": (
        [
            "SET SESSION sql_mode = CONCAT('ANSI_QUOTES,', @@sql_mode)",
            'CREATE TABLE "a;§" ("b\\" INT)',
            "SET @@sql_mode = REPLACE(@@sql_mode, 'ANSI_QUOTES', '')",
        ],
        ["DROP TABLE `a;§`"],
    ),
    "leaking sql_mode": (
        [
            "INSERT INTO t§ (note) VALUES (@@sql_mode)",
            "SET sql_mode = 'PIPES_AS_CONCAT,NO_ZERO_DATE'",
            "INSERT INTO t§ (note) VALUES ('a' || 'b')",
        ],
        ["INSERT INTO log VALUES (§, @@sql_mode)"],
    ),
    "leaking strictness": (["INSERT INTO t§ (note) VALUES (1 || 0)", "SET @@session.sql_mode = ''"], []),
    "leaking variables": (
        ["INSERT INTO t§ (note) VALUES (COALESCE(@leak, 'none'))", "SET @leak = '§;'"],
        ["INSERT INTO log VALUES (§, @leak)", "SET @leak = 'down §'"],
    ),
    "leaking foreign_key_checks": (
        [
            "INSERT INTO t§ (x) VALUES (@@foreign_key_checks)",
            "SET foreign_key_checks = 0",
            "CREATE TABLE orphan§ (a INT, FOREIGN KEY (a) REFERENCES no_such§ (id))",
            "INSERT INTO orphan§ VALUES (1)",
        ],
        ["DROP TABLE orphan§"],
    ),
    "leaking character set": (
        ["INSERT INTO t§ (note) VALUES ('ä')", "SET NAMES latin1", "INSERT INTO t§ (note) VALUES ('ö;€')"],
        ["SET NAMES utf8mb4"],
    ),
    "leaking results' character set": (["SET character_set_results = 'utf16'", "SELECT 'ä;', id FROM t§"], []),
    "leaking collation": (
        ["SET collation_connection = utf8mb4_bin", "CREATE VIEW vc§ AS SELECT 'a' = 'A' AS a"],
        ["DROP VIEW vc§"],
    ),
    "leaking settings": (
        [
            "SET time_zone = '+05:00', @@auto_increment_increment = 5, unique_checks = 0, sql_safe_updates = 1",
            "INSERT INTO t§ (note) VALUES (FROM_UNIXTIME(0)), (@@auto_increment_increment)",
        ],
        ["SET time_zone = DEFAULT", "INSERT INTO log VALUES (§, FROM_UNIXTIME(0))", "SET auto_increment_increment = 1"],
    ),
    "leaking limit of rows": (
        ["SET sql_select_limit = 0", "SET sql_mode = @@sql_mode", "INSERT INTO t§ (x) VALUES (1)"],
        ["SET sql_select_limit = DEFAULT"],
    ),
    "leaking isolation": (["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"], ["SET TRANSACTION READ ONLY"]),
    "leaking temporary table": (
        [
            "CREATE TEMPORARY TABLE IF NOT EXISTS passing (a INT)",
            "INSERT INTO passing VALUES (§), (§)",
            "INSERT INTO t§ (note) SELECT CONCAT('t;', COUNT(*)) FROM passing",
        ],
        ["CREATE TEMPORARY TABLE gone§ AS SELECT 1 AS a", "DROP TEMPORARY TABLE gone§"],
    ),
    "transaction": (
        [
            "START TRANSACTION",
            "INSERT INTO t§ (note) VALUES ('kept')",
            "SAVEPOINT s",
            "INSERT INTO t§ (note) VALUES ('undone')",
            "ROLLBACK TO SAVEPOINT s",
            "COMMIT",
            "BEGIN",
            "DELETE FROM t§",
            "ROLLBACK",
        ],
        ["START TRANSACTION", "INSERT INTO log VALUES (§, 'kept')", "COMMIT AND CHAIN", "COMMIT RELEASE"],
    ),
    "chained transaction": (
        ["BEGIN WORK", "INSERT INTO t§ (x) VALUES (1)", "COMMIT AND CHAIN", "INSERT INTO t§ (x) VALUES (2)", "COMMIT"],
        ["BEGIN", "DELETE FROM t§", "COMMIT"],
    ),
    "ended by DDL": (
        ["BEGIN", "INSERT INTO t§ (note) VALUES ('committed by the next')", "CREATE TABLE d§ (a INT)"],
        ["SET autocommit = 0", "DELETE FROM t§", "DROP TABLE d§", "SET autocommit = 1"],
    ),
    "autocommit": (
        ["SET autocommit = 0", "INSERT INTO t§ (note) VALUES ('a')", "COMMIT", "SET autocommit = 1"],
        ["SET autocommit = OFF", "DELETE FROM t§", "ROLLBACK", "SET autocommit = DEFAULT"],
    ),
    "leaking autocommit": (["SET @@autocommit = 0", "INSERT INTO t§ (x) VALUES (@@autocommit)", "COMMIT"], []),
    "locked tables": (
        ["LOCK TABLES t§ WRITE", "INSERT INTO t§ (note) VALUES ('locked')", "UNLOCK TABLES"],
        ["LOCK TABLE t§ READ", "SELECT COUNT(*) FROM t§", "UNLOCK TABLES"],
    ),
    "tables left locked": (
        ["LOCK TABLES t§ WRITE, log WRITE", "INSERT INTO t§ (x) VALUES (4)"],
        ["LOCK TABLES t§ READ"],
    ),
    "handler left open": (["INSERT INTO t§ (x) VALUES (1)", "HANDLER t§ OPEN", "HANDLER t§ READ FIRST"], []),
    "prepared": (
        [
            "SET @sql = 'INSERT INTO t§ (note) VALUES (?), ('';'')'",
            "PREPARE s FROM @sql",
            "SET @a = 'x;'",
            "EXECUTE s USING @a",
            "DEALLOCATE PREPARE s",
        ],
        ["PREPARE s FROM 'DELETE FROM t§ WHERE note = '';'''", "EXECUTE s"],
    ),
    "results": (
        [
            "INSERT INTO t§ (x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
            "SELECT i FROM n",
            "SELECT a.*, REPEAT('x;', 20) FROM t§ a",
            "SHOW TABLES",
            "EXPLAIN SELECT 1",
            "ANALYZE TABLE t§",
            "SELECT COUNT(*), x'ff', NULL INTO @n, @o, @p FROM t§",
            "DELETE FROM t§ WHERE x > 3",
        ],
        ["SHOW CREATE TABLE t§", "CHECK TABLE t§"],
    ),
    "lock released": (["SELECT RELEASE_ALL_LOCKS()", "SELECT GET_LOCK('other§', 0)"], ["DO RELEASE_LOCK('other§')"]),
    "what the statement before did": (
        ["INSERT INTO t§ (x) VALUES (1), (2)", "INSERT INTO t§ (note, x) VALUES (ROW_COUNT(), LAST_INSERT_ID())"],
        ["UPDATE t§ SET x = 0 WHERE x = 1", "INSERT INTO log VALUES (§, ROW_COUNT())"],
    ),
    "found rows": (["SELECT 1 UNION SELECT 2", "INSERT INTO t§ (x) VALUES (FOUND_ROWS())"], []),
    "warnings looked at": (["SELECT 1/0, CAST('x' AS UNSIGNED)", "INSERT INTO t§ (x) VALUES (@@warning_count)"], []),
    "diagnostics": (
        ["DROP TABLE IF EXISTS nothing§", "GET DIAGNOSTICS @n = NUMBER", "INSERT INTO t§ (x) VALUES (@n)"],
        [],
    ),
    "rolled back in a procedure": (
        ["CREATE PROCEDURE back§() BEGIN INSERT INTO log VALUES (§, 'kept'); ROLLBACK; END", "CALL back§()"],
        ["DROP PROCEDURE back§"],
    ),
    "rolled back outside a transaction": (["INSERT INTO t§ (note) VALUES ('kept')", "ROLLBACK"], ["ROLLBACK"]),
    "autocommit off and nothing written": (["SET autocommit = 0", "DO 1", "SET @x = 1"], ["SET autocommit = 1"]),
}
HARD_ON_MARIADB: dict[str, _Part] = {
    "compound": (
        [
            "BEGIN NOT ATOMIC DECLARE a INT DEFAULT 2; INSERT INTO t§ (x) VALUES (a); SELECT a; END",
            "IF 1 THEN DO 1; END IF",
        ],
        ["FOR i IN 1..2 DO INSERT INTO log VALUES (§, i); END FOR"],
    ),
    "oracle": (
        [
            "SET @mode = @@sql_mode, sql_mode = ORACLE",
            "CREATE PROCEDURE o§ (k INT) AS i INT := 1; BEGIN INSERT INTO log VALUES (§, k || ';'); END",
            "CALL o§(3)",
            "SET sql_mode = @mode",
        ],
        ["DROP PROCEDURE o§"],
    ),
    "sequence": (["CREATE SEQUENCE s§", "INSERT INTO t§ (x) VALUES (NEXTVAL(s§)) RETURNING id"], ["DROP SEQUENCE s§"]),
}
HARD_ON_MYSQL: dict[str, _Part] = {
    "hints": (
        ["INSERT /*+ SET_VAR(unique_checks = 0) */ INTO t§ (x) VALUES ROW(1), ROW(2)", "TABLE t§"],
        ["DELETE /*+ NO_INDEX_MERGE(t§) */ FROM t§"],
    ),
    "dollars": (["INSERT INTO t§ (note) SELECT ';' AS a$b FROM t§ AS a$$ LIMIT 1"], []),
}
# They make a migration fail after its last statement: the state table cannot be written then, or was not found.
LEFT_OPEN: dict[str, _Part] = {
    "transaction left open": (["START TRANSACTION", "INSERT INTO t§ (note) VALUES ('lost')"], []),
    "autocommit left off": (["SET autocommit = 0", "INSERT INTO t§ (note) VALUES ('lost')"], []),
    "read only": (["SET SESSION TRANSACTION READ ONLY"], []),
    "another schema": (["INSERT INTO t§ (note) VALUES ('kept')", "USE mysql"], []),
}
FAILURES = {
    "syntax": "CREATE TABEL x (a INT)",
    "missing table": "INSERT INTO no_such VALUES (1)",
    "missing column": "ALTER TABLE t§ DROP no_such",
    "duplicate key": "INSERT INTO t§ (id) VALUES (501), (502), (501)",
    "table exists": "CREATE TABLE log (a INT)",
    "too long": "SET sql_mode = 'STRICT_ALL_TABLES'; INSERT INTO t§ (note) VALUES (REPEAT('x', 999))",
    "signal": "CREATE PROCEDURE bad§() BEGIN SELECT 1; INSERT INTO log VALUES (§, 1); SIGNAL SQLSTATE '45000'; END; "
    "CALL bad§()",
    "signalled code": "CREATE PROCEDURE worse§() SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 30001; CALL worse§()",
    "amid rows": "SELECT IF(a = 3, (SELECT 1 UNION SELECT 2), a) FROM (SELECT 1 a UNION SELECT 2 UNION SELECT 3) d",
    "unclosed quote": "SELECT 'x",
    "unclosed comment": "/* x",
    "invalid utf-8": "INSERT INTO t§ (note) VALUES ('\udcff')",
    "stray delimiter": "DROP TABLE IF EXISTS nothing */",
    "in a transaction": "BEGIN; INSERT INTO log VALUES (§, 'lost'); INSERT INTO no_such VALUES (1)",
    "killed by itself": "KILL CONNECTION_ID()",
    "killed query": "KILL QUERY CONNECTION_ID()",
    "foreign key": "CREATE TABLE bad§ (a INT, FOREIGN KEY (a) REFERENCES t§ (no_such))",
    "in a comment": "/*!50003 CREATE TABLE log (a INT) */",
    "NUL": "SELECT 1 \0",
    "unknown function": "SELECT no_such_function§()",
    "invisible": "\N{ZERO WIDTH SPACE}",
}
# The server is told to end these.
SLEEPS = {
    "do": ["DO SLEEP(30)"],
    "select": ["SELECT SLEEP(30)"],
    "insert": ["INSERT INTO t§ (x) SELECT SLEEP(30) FROM (SELECT 1 AS a UNION SELECT 2) AS d"],
    "update": ["INSERT INTO t§ (x) VALUES (1)", "UPDATE t§ SET x = SLEEP(30)"],
    "transaction": ["BEGIN", "INSERT INTO t§ (note) VALUES ('lost')", "DO SLEEP(30)", "COMMIT"],
    "autocommit": ["SET autocommit = 0", "INSERT INTO t§ (note) VALUES ('lost')", "DO SLEEP(30)", "COMMIT"],
    "procedure": [
        "CREATE PROCEDURE nap§() BEGIN INSERT INTO log VALUES (§, 'slept;'); DO SLEEP(30); SELECT 1; END",
        "CALL nap§()",
    ],
    "locked tables": ["LOCK TABLES t§ WRITE", "DO SLEEP(30)"],
}
# The server finishes the statement that a killed tool was waiting for. This is the last one of its file: a tool that
# sends a file whole has the server run the rest of it too.
NAPS = {
    "nap": ["SELECT SLEEP(1)"],
    "nap and insert": ["INSERT INTO log SELECT §, SLEEP(1)"],
    "nap, uncommitted": ["BEGIN", "INSERT INTO log VALUES (§, 'lost')", "DO SLEEP(1)"],
}
_SEPARATORS = (
    ";\n", ";\n", ";\n", "; ", ";\r\n", " ;\n", "; -- it's done;\n", ";\n/* ; ' */\n", '; # "\n', ";\n\n-- next\n",
)  # fmt: skip
_ENDS = (";\n", ";\n", "", ";", " ;\n\n", ";\n-- end", ";\n/* end */\n", "; # end\n")
_ODD_TITLES = ("", "", "ä€😀", "a b", "it's", 'a"b', "x.up", "x.down", "a;b", "$(x)", "%s%d", "-", "__", "UP", "a\tb")
_EXTENSIONS = ("sql", "sql", "sql.bak", "", "SQL", "txt", "down.sql", "sql~")
# Names that are not migrations, for both tools.
_STRAY = (
    "README.md", ".gitkeep", "V7__x.sql", "7-x.up.sql", "7_x.UP.sql", ".7_x.up.sql", "7.up.sql", "x_7.up.sql",
    "7_x.sql", "7_x_up.sql", "-7_x.up.sql", "18446744073709551616_x.up.sql", "99999999999999999999999_x.up.sql",
    "٧_x.up.sql", "7_x\n.up.sql", "schema.sql", "7_x.up",
)  # fmt: skip


for _table, _before in (
    (HARD, ""), (HARD_ON_MARIADB, ""), (HARD_ON_MYSQL, ""), (LEFT_OPEN, ""), (FAILURES, "fails: "),
    (SLEEPS, "killed: "), (NAPS, "killed: "),
):  # fmt: skip
    for _name in [name for name in _table if _before + name in NOT_YET]:
        del _table[_name]
_PARTS = {**ORDINARY, **HARD, **HARD_ON_MARIADB, **HARD_ON_MYSQL}


@dataclass(frozen=True)
class Script:
    """The statements of a file.

    :ivar breaks: the place of the statement at which it fails or is killed, None if it does not.
    """

    statements: list[str]
    breaks: int | None = None

    def text(self, dice: Random) -> bytes:
        """Return the file, with terminators and comments of all kinds."""
        text = "".join(statement + dice.choice(_SEPARATORS) for statement in self.statements[:-1])
        text += self.statements[-1] + dice.choice(_ENDS)
        return dice.choice(("", "", "-- start;\n", "\n", "/* ; */ ")).encode() + text.encode("utf-8", "surrogateescape")

    def rest(self) -> Script:
        """Return what is left to do after the statement at which it breaks."""
        assert self.breaks is not None
        return Script(self.statements[self.breaks + 1 :] or ["DO 0"])


@dataclass
class Migration:
    """One version: the names of its files, None where there is none, and what is in them."""

    version: int
    files: dict[str, str]
    scripts: dict[str, Script]

    @property
    def breaks(self) -> bool:
        """Whether one of its scripts does."""
        return any(script.breaks is not None for script in self.scripts.values())


@dataclass(frozen=True)
class Step:
    """One step.

    :ivar action: one of golang-migrate's commands, ``up``, ``down``, ``goto``, ``force``, ``version`` or ``drop``; or
        ``files``: the directory changes.
    :ivar number: how many, or which version; None for all, -1 for no version.
    :ivar tool: who does it on the second schema, ``ours`` or ``golang``.
    :ivar dirty: it is expected that both tools refuse it because the database is dirty.
    :ivar files: the files that are written, and, without a content, removed.
    """

    action: str
    number: int | None = None
    tool: str = "golang"
    dirty: bool = False
    files: dict[str, bytes | None] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.action == "files":
            return f"files {self.files}"
        return f"{self.action} {'' if self.number is None else self.number} by {self.tool}"


@dataclass
class Scenario:
    """A directory of migrations and what is done with it.

    :ivar parts: the names of what the grammar put together.
    """

    seed: int
    kind: str
    files: dict[str, bytes]
    steps: list[Step]
    parts: list[str]


def scenario(seed: int, mariadb: bool) -> Scenario:
    """Return the scenario of a seed, for one of the two kinds of server."""
    return _Author(seed, mariadb).write()


class _Author:
    """Writes one scenario, and keeps in mind where it would be."""

    def __init__(self, seed: int, mariadb: bool) -> None:
        self._dice = Random(f"interchange {seed}")
        self._seed = seed
        rounds, place = divmod(seed, len(KINDS))
        self._kind = KINDS[place]
        self._hard = (HARD | (HARD_ON_MARIADB if mariadb else HARD_ON_MYSQL)).keys()
        # The scenarios of a kind take turns with what there is to try, so that all of it occurs.
        self._turn = rounds * KINDS.count(self._kind) + KINDS[:place].count(self._kind)
        names, each = {
            "hard": (self._hard, 4),
            "failing": (FAILURES.keys(), 2),
            "killed": (SLEEPS.keys() | NAPS.keys(), 1),
        }.get(self._kind, (ORDINARY.keys(), 4))
        self._deck = islice(cycle(sorted(names)), self._turn * each, None)
        self._parts: list[str] = []
        self._steps: list[Step] = []
        self._migrations: list[Migration] = []
        # How many migrations are applied, and which one in which direction left the state dirty.
        self._at = 0
        self._broken: tuple[Migration, str] | None = None

    def write(self) -> Scenario:
        count = self._dice.randint(3, 5)
        versions = self._versions(count + 1)
        # The scenario's own kind is that of two migrations, or of one.
        own = self._dice.sample(range(count), 1 if self._kind == "killed" else 2)
        made = [self._migration(place, version, place in own) for place, version in enumerate(versions)]
        # The last one comes later, as the next release does.
        self._migrations, later = made[:count], made[count]
        files = {name: text for migration in self._migrations for name, text in self._written(migration).items()}
        if self._kind == "odd" or self._dice.random() < 0.1:
            self._parts.append("stray names")
            files |= dict.fromkeys(self._dice.sample(_STRAY, 5), b"CREATE TABLE stray (a INT);")
        self._course(later)
        return Scenario(self._seed, self._kind, files, self._steps, self._parts)

    # The directory.

    def _versions(self, count: int) -> list[int]:
        dice = self._dice
        if self._kind == "zero":
            return list(range(count))
        style = dice.choice(("from 1", "from 1", "gaps", "times", *(["huge"] * 3 if self._kind == "odd" else [])))
        if style == "from 1":
            return list(range(1, count + 1))
        if style == "gaps":
            self._parts.append("gaps")
            return sorted(dice.sample(range(2, 60), count))
        if style == "times":
            return sorted(20260101000000 + number for number in dice.sample(range(99999999), count))
        self._parts.append("huge versions")
        return sorted([2**63 - 1, *dice.sample((7, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 2), count - 1)])

    def _another_kind(self) -> str:
        """Return the kind of a migration that is not of the scenario's own."""
        others = {
            "ordinary": ("ordinary",),
            "hard": ("hard", "hard", "ordinary"),
            # Nothing may fail before the one that is to be killed.
            "killed": ("ordinary",),
        }
        return self._dice.choice(others.get(self._kind, ("ordinary", "hard", "hard", "failing", "missing")))

    def _migration(self, place: int, version: int, own: bool) -> Migration:
        dice = self._dice
        kind = self._another_kind()
        if own:
            kind = self._kind if self._kind in ("hard", "failing", "killed", "missing") else "ordinary"
        up, down = [self._own_table()], ["DROP TABLE t§"]
        if place == 0:
            up.append("CREATE TABLE log (n INT, note TEXT)")
            down.append("DROP TABLE log")
        self._parts.append(kind)
        names = dice.sample(sorted(self._hard if kind == "hard" else ORDINARY), dice.randint(1, 3))
        if own and kind == "hard":
            names = [next(self._deck), next(self._deck)]
        for name in names:
            self._parts.append(name)
            to_apply, to_undo = _PARTS[name]
            up += to_apply
            down = [*to_undo, *down]
        scripts = {"up": Script(up), "down": Script(down)}
        if kind == "failing":
            name = next(self._deck) if own else dice.choice(sorted(FAILURES))
            way = dice.choice(("up", "up", "down"))
            self._parts += [f"fails: {name}", f"fails: {way}"]
            scripts[way] = self._broken_by(scripts[way], [FAILURES[name]], way)
        elif kind == "killed":
            way = ("up", "up", "down")[self._turn % 3]
            scripts[way] = self._sleeping(scripts[way], way, next(self._deck))
        elif own and kind == "hard" and self._turn % 3 == 0:
            name = sorted(LEFT_OPEN)[self._turn // 3 % len(LEFT_OPEN)]
            self._parts.append(name)
            statements = [*up, *LEFT_OPEN[name][0]]
            scripts["up"] = Script(statements, len(statements) - 1)
        if kind == "missing":
            missing = dice.choice(("up", "down"))
            self._parts.append(f"no {missing}")
            del scripts[missing]
        numbered = {
            way: Script([statement.replace("§", str(place)) for statement in script.statements], script.breaks)
            for way, script in scripts.items()
        }
        return Migration(version, self._names(place, version, list(scripts)), numbered)

    def _own_table(self) -> str:
        kind = self._dice.choice(
            ("", "", " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", " ENGINE=MyISAM")
        )
        return f"CREATE TABLE t§ (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(250), x INT DEFAULT 7){kind}"

    def _sleeping(self, script: Script, way: str, name: str) -> Script:
        self._parts += [f"killed: {name}", f"killed: {way}"]
        if name in SLEEPS:
            return self._broken_by(script, SLEEPS[name], way)
        # Before the log goes.
        kept = [statement for statement in script.statements if statement != "DROP TABLE log"]
        return Script([*kept, *NAPS[name]], len(kept) + len(NAPS[name]) - 1)

    def _broken_by(self, script: Script, statements: list[str], way: str) -> Script:
        """Put statements into a script: after its table and log have been made, and before they are dropped."""
        if way == "up":
            place = self._dice.randint(1, len(script.statements))
        else:
            place = self._dice.randint(0, script.statements.index("DROP TABLE t§"))
        merged = [*script.statements[:place], *statements, *script.statements[place:]]
        # What follows the sleep belongs to what is left to do.
        asleep = [at for at, text in enumerate(statements) if "SLEEP" in text or text.startswith("CALL")]
        return Script(merged, place + (asleep[-1] if asleep else len(statements) - 1))

    def _names(self, place: int, version: int, ways: list[str]) -> dict[str, str]:
        dice = self._dice
        odd = self._kind == "odd"
        number = f"{version:0{dice.choice((1, 4, 20)) if odd else dice.choice((1, 1, 4))}}"
        title, extension = (dice.choice(_ODD_TITLES), dice.choice(_EXTENSIONS)) if odd else (f"m{place}", "sql")
        names = {}
        for way in ways:
            if odd and dice.random() < 0.2:
                title = "another title"
            names[way] = f"{number}_{title}.{way}.{extension}"
            if extension == "down.sql":
                # The last direction in a name counts.
                names[way] = f"{number}_{title}.up.{way}.sql"
        return names

    def _written(self, migration: Migration) -> dict[str, bytes]:
        return {name: migration.scripts[way].text(self._dice) for way, name in migration.files.items()}

    # The steps.

    def _course(self, later: Migration) -> None:
        dice = self._dice
        if self._kind in ("failing", "killed"):
            self._reach(next(item for item in self._migrations if item.breaks))
        lost = False
        for number in range(dice.randint(6, 9)):
            if self._broken is not None:
                self._after_failure()
            elif number > 2 and not lost and (self._kind == "lost" or dice.random() < 0.05):
                lost = True
                self._lose()
            elif number == 5 and dice.random() < 0.5:
                self._parts.append("arrives later")
                self._steps.append(Step("files", files=dict(self._written(later))))
                self._migrations.append(later)
                self._do("up")
                self._walk(len(self._migrations))
            elif number == 4 and dice.random() < 0.1:
                self._arrives_below()
            else:
                self._ordinary_step()
        self._do("version")

    def _do(self, action: str, number: int | None = None, dirty: bool = False, tool: str | None = None) -> None:
        tool = tool or ("ours" if self._dice.random() < 0.6 else "golang")
        self._steps.append(Step(action, number, tool, dirty))

    def _ordinary_step(self) -> None:
        dice, count = self._dice, len(self._migrations)
        choices = ["up"] * 4 + ["up n"] * 4 + ["goto"] * 4 + ["down n"] * 3 + ["down", "version", "force"]
        if self._at < 2:
            choices += ["up n"] * 8
        if dice.random() < 0.03:
            choices = ["drop"]
        action = dice.choice(choices)
        if action == "version":
            self._do("version")
        elif action == "up":
            self._do("up")
            self._walk(count)
        elif action == "down":
            self._do("down")
            self._walk(0)
        elif action == "up n":
            number = dice.choice((1, 1, 1, 2, 2, 3, 9))
            self._do("up", number)
            self._walk(min(self._at + number, count))
        elif action == "down n":
            number = dice.choice((1, 1, 1, 2, 2, 3, 9))
            self._do("down", number)
            self._walk(max(self._at - number, 0))
        elif action == "goto":
            place = dice.randrange(count)
            self._do("goto", self._migrations[place].version)
            self._walk(place + 1)
        elif action == "force":
            # Also a version that no file has.
            self._force(dice.randint(0, count)) if dice.random() < 0.8 else self._force_unknown()
        else:
            self._do("drop")
            self._at = 0

    def _reach(self, migration: Migration) -> None:
        """Go to where a script breaks."""
        dice, place = self._dice, self._migrations.index(migration)
        tool = "golang" if self._turn % 4 == 3 else "ours"
        script = migration.scripts.get("up")
        if script is not None and script.breaks is not None:
            if place and dice.random() < 0.5:
                self._do("up", place)
                self._walk(place)
            actions: list[_Action] = [("up", None), ("up", 1 + place), ("goto", migration.version)]
            action, number = dice.choice(actions)
            self._do(action, number, tool=tool)
            self._walk(place + 1)
        else:
            self._do("up")
            self._walk(len(self._migrations))
            if self._broken is None:
                self._do("down", dice.choice((None, 9)), tool=tool)
                self._walk(0)

    def _walk(self, goal: int) -> None:
        """Continue in mind until the goal, or until a script breaks."""
        while self._at != goal and self._broken is None:
            way = "up" if goal > self._at else "down"
            migration = self._migrations[self._at if way == "up" else self._at - 1]
            self._at += 1 if way == "up" else -1
            script = migration.scripts.get(way)
            if script is not None and script.breaks is not None:
                self._broken = migration, way

    def _force(self, at: int) -> None:
        self._at = at
        self._do("force", self._migrations[at - 1].version if at else -1)

    def _force_unknown(self) -> None:
        self._do("force", 424242)
        self._do(*self._dice.choice((("up", None), ("down", 1), ("goto", self._migrations[0].version))))
        self._force(self._at)

    def _after_failure(self) -> None:
        """Perhaps try again, which both tools refuse; then set the version, often with the file fixed."""
        assert self._broken is not None
        migration, way = self._broken
        dice = self._dice
        if dice.random() < 0.5:
            actions: list[_Action] = [("up", None), ("down", 1), ("goto", migration.version)]
            action, number = dice.choice([*actions, ("version", None)])
            self._do(action, number, dirty=True)
        self._broken = None
        place = self._migrations.index(migration)
        if dice.random() < 0.75:
            self._parts.append("fixed")
            self._force(place if way == "up" else place + 1)
            migration.scripts[way] = migration.scripts[way].rest()
            text = migration.scripts[way].text(dice)
            self._steps.append(Step("files", files={migration.files[way]: text}))
        else:
            self._parts.append("taken as done")
            self._force(place + 1 if way == "up" else place)

    def _lose(self) -> None:
        """The directory loses a version, mostly the current one, or has one twice, and gets right again."""
        dice = self._dice
        current = self._migrations[self._at - 1] if self._at else None
        migration = current if current is not None and dice.random() < 0.8 else dice.choice(self._migrations)
        files = self._written(migration)
        actions: list[_Action] = [("up", None), ("up", 1), ("down", 1), ("down", None)]
        actions.append(("goto", migration.version))
        twice = dice.random() < 0.3
        if twice:
            self._parts.append("duplicate")
            files = {f"{migration.version:030}_again.{way}.sql": b"DO 1" for way in migration.files}
        elif migration is current:
            self._parts.append("lost current version")
        else:
            self._parts.append("lost target")
            actions = [("goto", migration.version)] * 2
        there, gone = Step("files", files=dict(files)), Step("files", files=dict.fromkeys(files))
        self._steps.append(there if twice else gone)
        # All of this is refused.
        for action, number in dice.sample(actions, 2):
            self._do(action, number)
        self._steps.append(gone if twice else there)

    def _arrives_below(self) -> None:
        """A file arrives below the current version, which golang-migrate silently skips."""
        free = sorted(set(range(60)) - {migration.version for migration in self._migrations})[0]
        if self._at and free < self._migrations[self._at - 1].version:
            self._parts.append("arrives below")
            self._steps.append(Step("files", files={f"{free}_below.up.sql": b"CREATE TABLE below (a INT)"}))
        self._do("up")
        self._walk(len(self._migrations))
