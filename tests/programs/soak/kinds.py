# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of work in which a run can go astray: what a text does not show about what the server does.

Each kind is a function of the random source and a number that nothing else has; it returns a piece. Every statement
that has an effect leaves rows, counters or objects that no other one leaves. Some sleep for a moment, so that a fault
can hit them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from .script import OTHER, SCHEMA, Piece, Statement

Kind = Callable[[random.Random, int], Piece]
# By name; those that only one server knows stand apart.
KINDS: dict[str, Kind] = {}
ONLY: dict[str, dict[str, Kind]] = {"MariaDB": {}, "MySQL": {}}
# Seconds. When it is interrupted its value is 1, and the statement may continue.
_NAP = "0 * SLEEP(0.01)"


def _kind(server: str = "") -> Callable[[Kind], Kind]:
    def note(kind: Kind) -> Kind:
        (ONLY[server] if server else KINDS)[kind.__name__] = kind
        return kind

    return note


def _all(*texts: Any) -> list[Statement]:
    return [_one(text) for text in texts]


def _one(text: Any) -> Statement:
    if isinstance(text, Statement):
        return text
    return Statement(text.encode() if isinstance(text, str) else text)


def _part(text: str | bytes, *undo: str) -> Statement:
    """Return a statement of which a part can be there."""
    return Statement(_one(text).sql, undo)


def _table(name: str, engine: str = "InnoDB") -> str:
    return f"CREATE TABLE {name} (n INT, c VARCHAR(60) CHARACTER SET utf8mb4) ENGINE={engine}"


def _rows(table: str, number: int, count: int = 2, nap: bool = True) -> str:
    """Return an INSERT of so many rows, all with that number."""
    values = ", ".join(f"({number}{f' + {_NAP}' if nap and row else ''}, 'r{row}')" for row in range(count))
    return f"INSERT INTO {table} (n, c) VALUES {values}"


def _loose(table: str, number: int, count: int = 2, name: str = "") -> Statement:
    """The same where each row stays."""
    return _part(_rows(table, number, count), f"DELETE FROM {name or table} WHERE n = {number}")


@_kind()
def delimiter_rows(dice: random.Random, at: int) -> Piece:
    texts = [_rows(f"t{at}", number) for number in range(1, dice.randint(2, 4))]
    return Piece(_all(*texts), dice.choice([b"//", b"$$", b"|"]), before=(_table(f"t{at}"),))


@_kind()
def delimiter_trigger(dice: random.Random, at: int) -> Piece:
    body = f"CREATE TRIGGER g{at} AFTER INSERT ON t{at} FOR EACH ROW INSERT INTO u{at} (n) VALUES (NEW.n + 1)"
    return Piece(
        _all(f"DROP TRIGGER IF EXISTS g{at}", body),
        b"//",
        before=(_table(f"t{at}"), _table(f"u{at}"), body.replace("+ 1", "+ 2")),
    )


@_kind()
def delimiter_call(dice: random.Random, at: int) -> Piece:
    made = f"CREATE PROCEDURE p{at}() INSERT INTO t{at} (n) VALUES (1 + {_NAP})"
    body = f"CREATE PROCEDURE q{at}() BEGIN INSERT INTO t{at} (n) VALUES (2); SELECT ';'; END"
    statements = dice.choice([[f"CALL p{at}()", ""], [f"CALL p{at}()", body], [body], [body, f"CALL q{at}()"]])
    # With nothing behind its own semicolon the piece ends there.
    return Piece(_all(*(text for text in statements if text)), b"//", before=(_table(f"t{at}"), made))


def _double_byte(encoding: str, codec: str, text: str) -> Kind:
    def piece(dice: random.Random, at: int) -> Piece:
        encoded = text.encode(codec)
        assert encoded.endswith(b"\\")
        inserts = [
            b"INSERT INTO t%d (n, c) VALUES (%d, '%s'), (%d + 0 * SLEEP(0.01), 'x;y')" % (at, number, encoded, number)
            for number in range(1, dice.randint(2, 4))
        ]
        others = [b"UPDATE t%d SET n = n + 10, c = CONCAT(c, '%s')" % (at, encoded)] if dice.random() < 0.5 else []
        back = [b"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci"] if dice.random() < 0.8 else []
        return Piece(_all(b"SET NAMES " + encoding.encode(), *inserts, *others, *back), before=(_table(f"t{at}"),))

    return piece


# Each ends in a character whose second byte is a backslash; Python has another name for sjis.
for _name, _codec, _text in (
    ("cp932", "cp932", "代表"),
    ("gbk", "gbk", "诚乗"),
    ("big5", "big5", "成功"),
    ("sjis", "shift_jis", "機能"),
):
    KINDS[f"names_{_name}"] = _double_byte(_name, _codec, _text)


@_kind()
def locked(dice: random.Random, at: int) -> Piece:
    tables = f"LOCK TABLES t{at} WRITE, u{at} WRITE"
    rows = [_rows(f"t{at}", number) for number in range(1, dice.randint(2, 4))]
    rows += [f"UPDATE t{at} SET n = n + 100 + {_NAP}", _rows(f"u{at}", 9)]
    end = dice.choice(["UNLOCK TABLES", "UNLOCK TABLES", f"LOCK TABLES t{at} READ"])
    last = ["UNLOCK TABLES"] if end.startswith("LOCK") else []
    return Piece(_all(tables, *rows, end, *last), before=(_table(f"t{at}"), _table(f"u{at}")))


@_kind()
def locked_loose(dice: random.Random, at: int) -> Piece:
    rows = [_loose(f"m{at}", number, 3) for number in range(1, 4)]
    return Piece(_all(f"LOCK TABLES m{at} WRITE", *rows, "UNLOCK TABLES"), before=(_table(f"m{at}", "MyISAM"),))


@_kind()
def set_transaction(dice: random.Random, at: int) -> Piece:
    level = dice.choice(["READ COMMITTED", "SERIALIZABLE", "REPEATABLE READ"])
    return Piece(
        _all(
            f"SET TRANSACTION ISOLATION LEVEL {level}",
            f"UPDATE t{at} SET n = n + 1 + {_NAP}",
            _rows(f"t{at}", 50),
            f"SET TRANSACTION ISOLATION LEVEL {level}",
            _rows(f"t{at}", 60),
        ),
        before=(_table(f"t{at}"), _rows(f"t{at}", 1)),
    )


@_kind()
def xa(dice: random.Random, at: int) -> Piece:
    name = f"'x{at}'"
    end = dice.choice([[f"XA COMMIT {name} ONE PHASE"], [f"XA PREPARE {name}", f"XA COMMIT {name}"]])
    return Piece(
        _all(f"XA START {name}", _rows(f"t{at}", 1), _rows(f"t{at}", 2), f"XA END {name}", *end),
        before=(_table(f"t{at}"),),
        watch=("XA RECOVER",),
    )


@_kind()
def behind_a_view(dice: random.Random, at: int) -> Piece:
    before = (_table(f"{OTHER}.m{at}", "MyISAM"), f"CREATE VIEW v{at} AS SELECT n, c FROM {OTHER}.m{at}")
    return Piece(
        [_loose(f"v{at}", number, 3) for number in range(1, 3)], before=before, watch=(f"SELECT n FROM {OTHER}.m{at}",)
    )


@_kind()
def behind_a_trigger(dice: random.Random, at: int) -> Piece:
    before = (
        _table(f"t{at}"),
        _table(f"m{at}", "MyISAM"),
        f"CREATE TRIGGER g{at} AFTER INSERT ON t{at} FOR EACH ROW INSERT INTO m{at} (n) VALUES (NEW.n)",
    )
    rows = [_part(_rows(f"t{at}", number, 3), f"DELETE FROM m{at} WHERE n = {number}") for number in range(1, 4)]
    return Piece(rows, before=before)


@_kind()
def behind_a_function(dice: random.Random, at: int) -> Piece:
    body = f"BEGIN INSERT INTO m{at} (n) VALUES (x); RETURN x; END"
    before = (
        _table(f"t{at}"),
        _table(f"m{at}", "MyISAM"),
        f"CREATE FUNCTION f{at}(x INT) RETURNS INT {body}",
    )
    uses = [
        f"INSERT INTO t{at} (n) VALUES (f{at}(1) + {_NAP}), (f{at}(1))",
        f"SELECT f{at}(2), {_NAP}, f{at}(2)",
        f"SET @s{at} = f{at}(3) + {_NAP} + f{at}(3)",
        f"DO f{at}(4) + {_NAP} + f{at}(4)",
    ]
    return Piece(
        [
            _part(text, f"DELETE FROM m{at} WHERE n = {uses.index(text) + 1}")
            for text in dice.sample(uses, dice.randint(1, 4))
        ],
        before=before,
    )


@_kind()
def foreign_letters(dice: random.Random, at: int) -> Piece:
    return Piece([_loose(f"Ärger{at}", number, 3) for number in range(1, 4)], before=(_table(f"Ärger{at}", "MyISAM"),))


@_kind()
def foreign_letters_latin1(dice: random.Random, at: int) -> Piece:
    names = ["SET NAMES latin1", *[_loose(f"Ärger{at}", number, 3) for number in range(1, 4)]]
    statements = [Statement(each.sql.decode().encode("latin-1"), each.parts) for each in _all(*names)]
    return Piece([*statements, *_all("SET NAMES utf8mb4")], before=(_table(f"Ärger{at}", "MyISAM"),))


@_kind()
def default_engine(dice: random.Random, at: int) -> Piece:
    rows = [_loose(f"t{at}", number, 3) for number in range(1, 3)]
    made = f"CREATE TABLE t{at} (n INT, c VARCHAR(9))"
    return Piece(_all("SET default_storage_engine = MyISAM", made, *rows, "SET default_storage_engine = InnoDB"))


@_kind()
def renamed(dice: random.Random, at: int) -> Piece:
    swap = dice.choice(
        [
            [f"RENAME TABLE t{at} TO x{at}, m{at} TO t{at}"],
            [f"ALTER TABLE t{at} RENAME TO x{at}", f"ALTER TABLE m{at} RENAME t{at}"],
            [f"DROP TABLE t{at}", f"RENAME TABLE m{at} TO t{at}"],
            [f"ALTER TABLE t{at} ENGINE=MyISAM"],
        ]
    )
    rows = [_loose(f"t{at}", number, 3) for number in range(2, 4)]
    return Piece(_all(_rows(f"t{at}", 1), *swap, *rows), before=(_table(f"t{at}"), _table(f"m{at}", "MyISAM")))


@_kind()
def created_by_a_procedure(dice: random.Random, at: int) -> Piece:
    made = f"CREATE PROCEDURE p{at}() {_table(f't{at}', 'MyISAM')}"
    rows = [_loose(f"t{at}", number, 3) for number in range(1, 3)]
    return Piece(_all(made, f"CALL p{at}()", *rows))


@_kind()
def loose_rows(dice: random.Random, at: int) -> Piece:
    made = f"m{at}"
    texts = [
        _loose(made, 1, 3),
        _part(f"INSERT INTO {made} (n) SELECT 2 + {_NAP} FROM t{at}", f"DELETE FROM {made} WHERE n = 2"),
        _part(f"REPLACE INTO {made} (n) VALUES (3), (3 + {_NAP})", f"DELETE FROM {made} WHERE n = 3"),
        f"UPDATE {made} SET n = n + {_NAP}, c = CONCAT(COALESCE(c, ''), 'x') WHERE n = 77",
    ]
    dice.shuffle(texts)
    before = (_table(made, "MyISAM"), _table(f"t{at}"), _rows(f"t{at}", 1, 3), f"INSERT INTO {made} (n) VALUES (77)")
    return Piece(_all(*texts), before=before)


@_kind()
def global_variable(dice: random.Random, at: int) -> Piece:
    change = "SET GLOBAL max_connect_errors = @@GLOBAL.max_connect_errors + 10"
    return Piece(
        _all(change, f"DO {_NAP}", change, _rows(f"t{at}", 1)),
        before=(_table(f"t{at}"), "SET GLOBAL max_connect_errors = 1000"),
        watch=("SELECT @@GLOBAL.max_connect_errors",),
        not_killed=True,
    )


@_kind()
def event_now(dice: random.Random, at: int) -> Piece:
    events = [
        f"CREATE EVENT e{at}_{number} ON SCHEDULE AT CURRENT_TIMESTAMP DO INSERT INTO t{at} (n) VALUES ({number})"
        for number in range(1, dice.randint(2, 4))
    ]
    return Piece(_all(*events, f"DO {_NAP}"), before=(_table(f"t{at}"),), not_killed=True)


@_kind()
def users(dice: random.Random, at: int) -> Piece:
    user = f"soak{at}@'127.0.0.9'"
    return Piece(
        _all(
            f"CREATE USER {user} IDENTIFIED BY 'Old-4711'",
            f"GRANT SELECT ON {SCHEMA}.* TO {user}",
            _rows(f"t{at}", 1),
            f"ALTER USER {user} IDENTIFIED BY 'New-4711'",
            f"RENAME USER {user} TO soaks{at}@'127.0.0.9'",
        ),
        before=(_table(f"t{at}"),),
        watch=("SELECT user FROM mysql.user WHERE user LIKE 'soak%' ORDER BY user",),
        after=(f"DROP USER IF EXISTS {user}, soaks{at}@'127.0.0.9'",),
    )


@_kind()
def prepared(dice: random.Random, at: int) -> Piece:
    comment = dice.choice(["/* x */ ", "-- x\n", "# x\n", ""])
    texts = [
        f"PREPARE p FROM 'INSERT INTO t{at} (n) VALUES (1)'",
        "EXECUTE p",
        f"PREPARE {comment}p FROM 'INSERT INTO t{at} (n) VALUES (2 + {_NAP})'",
        "EXECUTE p",
        f"SET @v{at} = 3",
        f"PREPARE P FROM 'INSERT INTO t{at} (n) VALUES (?)'",
        f"EXECUTE p USING @v{at}",
        f"SET @x{at} = 'CREATE TABLE d{at} (n INT)'",
        f"PREPARE {comment}p FROM @x{at}",
        "EXECUTE /* y */ p",
    ]
    return Piece(_all(*texts), before=(_table(f"t{at}"),))


@_kind()
def prepared_loose(dice: random.Random, at: int) -> Piece:
    texts = [f"SET @x = 'INSERT INTO m{at} (n) VALUES (1), (1 + {_NAP}), (1)'", "PREPARE p FROM @x"]
    return Piece(
        _all(*texts, _part("EXECUTE p", f"DELETE FROM m{at}")), before=(_table(f"m{at}", "MyISAM"), _table(f"t{at}"))
    )


@_kind()
def locks_released(dice: random.Random, at: int) -> Piece:
    release = dice.choice(["DO RELEASE_ALL_LOCKS()", "SELECT RELEASE_ALL_LOCKS()"])
    return Piece(_all(_rows(f"t{at}", 1), release, _rows(f"t{at}", 2), _rows(f"t{at}", 3)), before=(_table(f"t{at}"),))


@_kind()
def as_select(dice: random.Random, at: int) -> Piece:
    collation = dice.choice(["utf8mb4_unicode_ci", "utf8mb4_bin", "utf8mb4_general_ci"])
    return Piece(
        _all(
            f"SET NAMES utf8mb4 COLLATE {collation}",
            f"CREATE TABLE c{at} AS SELECT 'alpha' AS code, 1 + {_NAP} AS n",
            f"CREATE TABLE d{at} SELECT c{at}.code, c{at}.n + 1 AS n FROM c{at} WHERE code = 'ALPHA' OR n = 1",
            f"UPDATE c{at} JOIN d{at} USING (code) SET c{at}.n = c{at}.n + d{at}.n",
            f"CREATE VIEW v{at} AS SELECT code, 'beta' AS other FROM d{at}",
            "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
        )
    )


@_kind()
def call(dice: random.Random, at: int) -> Piece:
    body = f"BEGIN INSERT INTO t{at} (n) VALUES (1); DO {_NAP}; INSERT INTO t{at} (n) VALUES (1); SET v = v + 40; END"
    return Piece(
        _all(
            f"CREATE PROCEDURE p{at}(INOUT v INT) {body}",
            f"SET @c{at} = 2",
            _part(f"CALL p{at}(@c{at})", f"DELETE FROM t{at} WHERE n = 1"),
            f"INSERT INTO t{at} (n) SELECT @c{at} + {_NAP}",
        ),
        before=(_table(f"t{at}"),),
    )


@_kind()
def call_transaction(dice: random.Random, at: int) -> Piece:
    start = f"CREATE PROCEDURE p{at}() BEGIN START TRANSACTION; INSERT INTO t{at} (n) VALUES (1 + {_NAP}); END"
    return Piece(
        _all(start, f"CALL p{at}()", _rows(f"t{at}", 2), "COMMIT", _rows(f"t{at}", 3)), before=(_table(f"t{at}"),)
    )


@_kind()
def temporary(dice: random.Random, at: int) -> Piece:
    return Piece(
        [
            *_all(_rows(f"t{at}", 1)),
            Statement(f"CREATE TEMPORARY TABLE w{at} (n INT)".encode(), holds=True),
            *_all(f"INSERT INTO w{at} VALUES (2), (3 + {_NAP})", f"INSERT INTO t{at} (n) SELECT n + {_NAP} FROM w{at}"),
            *(_all(_rows(f"t{at}", 4)) if dice.random() < 0.5 else []),
            *_all(f"UPDATE w{at} SET n = n + 10", f"INSERT INTO t{at} (n) SELECT n FROM w{at}"),
            Statement(f"DROP TEMPORARY TABLE w{at}".encode(), lets_go=True),
            *_all(_rows(f"t{at}", 5)),
        ],
        before=(_table(f"t{at}"),),
    )


@_kind()
def autocommit_off(dice: random.Random, at: int) -> Piece:
    texts = [
        "SET autocommit = 0",
        _rows(f"t{at}", 1),
        f"UPDATE t{at} SET n = n + 10",
        dice.choice(["COMMIT", "ROLLBACK", f"CREATE TABLE u{at} (n INT)"]),
        _rows(f"t{at}", 2),
        "COMMIT",
        "SET autocommit = 1",
        _rows(f"t{at}", 3),
    ]
    return Piece(_all(*texts), before=(_table(f"t{at}"),))


@_kind()
def transaction(dice: random.Random, at: int) -> Piece:
    inner = dice.choice(
        [
            [f"CREATE TABLE u{at} (n INT)", _rows(f"t{at}", 2)],
            ["SAVEPOINT s", _rows(f"t{at}", 2), "ROLLBACK TO SAVEPOINT s"],
            ["COMMIT AND CHAIN", _rows(f"t{at}", 2)],
            [f"TRUNCATE TABLE u{at}_", _rows(f"t{at}", 2), f"DROP TABLE u{at}_"],
            [f"DELETE FROM t{at} LIMIT 1", f"UPDATE t{at} SET n = n + 7 + {_NAP}"],
        ]
    )
    start = dice.choice(["START TRANSACTION", "BEGIN", "START TRANSACTION WITH CONSISTENT SNAPSHOT"])
    texts = [start, _rows(f"t{at}", 1), *inner, dice.choice(["COMMIT", "COMMIT WORK", "ROLLBACK"]), _rows(f"t{at}", 9)]
    return Piece(_all(*texts), before=(_table(f"t{at}"), f"CREATE TABLE u{at}_ (n INT)"))


@_kind()
def transaction_mixed(dice: random.Random, at: int) -> Piece:
    texts = ["START TRANSACTION", _rows(f"t{at}", 1), _loose(f"m{at}", 2), _rows(f"t{at}", 3), "COMMIT"]
    undo = (f"DELETE FROM m{at} WHERE n = 2",)
    # What was written without a transaction stays when that is undone: each place in it shows a part.
    statements = [Statement(each.sql, undo) for each in _all(*texts)]
    return Piece(statements, before=(_table(f"t{at}"), _table(f"m{at}", "MyISAM")))


@_kind()
def other_schema(dice: random.Random, at: int) -> Piece:
    return Piece(
        _all(f"USE {OTHER}", _rows(f"t{at}", 1), f"ALTER TABLE t{at} ADD COLUMN d INT", f"USE {SCHEMA}"),
        before=(_table(f"{OTHER}.t{at}"),),
        watch=(
            f"SELECT n FROM {OTHER}.t{at}",
            f"SELECT COUNT(*) FROM information_schema.columns WHERE table_schema='{OTHER}' AND table_name='t{at}'",
        ),
    )


@_kind()
def large(dice: random.Random, at: int) -> Piece:
    texts = [
        f"INSERT INTO t{at} (n, c) VALUES {', '.join([f'({number}, {text!r})'] * count)}"
        for number, text, count in ((1, "x" * 50, dice.randint(10, 2500)), (2, "ä;" * 20, dice.randint(10, 500)))
    ]
    return Piece(_all(*texts, f"SELECT * FROM t{at}", _rows(f"t{at}", 3)), before=(_table(f"t{at}"),))


@_kind()
def replaced(dice: random.Random, at: int) -> Piece:
    return Piece(
        _all(
            f"CREATE TABLE t{at} (n INT PRIMARY KEY, c INT NOT NULL DEFAULT 0)",
            f"INSERT INTO t{at} (n) VALUES (1), (2), (3 + {_NAP})",
            f"INSERT INTO t{at} (n) VALUES (1), (2) ON DUPLICATE KEY UPDATE c = c + 1",
            f"CREATE OR REPLACE VIEW v{at} AS SELECT 1 AS one",
            f"CREATE OR REPLACE VIEW v{at} AS SELECT 2 AS two",
            f"ALTER TABLE t{at} ADD COLUMN d INT NOT NULL DEFAULT 4, ADD INDEX i (c), ALGORITHM=COPY",
            f"UPDATE t{at} SET d = d * 3, c = c + {_NAP}",
            f"TRUNCATE TABLE t{at}",
            f"INSERT INTO t{at} (n) VALUES (7)",
        )
    )


@_kind("MariaDB")
def oracle(dice: random.Random, at: int) -> Piece:
    return Piece(
        _all(
            "SET sql_mode = ORACLE",
            _rows(f"t{at}", 1),
            f"USE {OTHER}",
            _rows(f"{SCHEMA}.t{at}", 2),
            f"USE {SCHEMA}",
            "SET sql_mode = DEFAULT",
        ),
        before=(_table(f"t{at}"),),
        by_hand=True,
    )


@_kind("MariaDB")
def set_statement(dice: random.Random, at: int) -> Piece:
    body = f"BEGIN INSERT INTO t{at} (n) VALUES (1); INSERT INTO t{at} (n) VALUES (1 + {_NAP}); END"
    return Piece(
        _all(
            f"SET STATEMENT sql_mode = '' FOR CREATE PROCEDURE p{at}() {body}",
            f"SET STATEMENT max_statement_time = 10 FOR {_rows(f't{at}', 2)}",
            _part(f"SET STATEMENT sort_buffer_size = 100000 FOR CALL p{at}()", f"DELETE FROM t{at} WHERE n = 1"),
        ),
        before=(_table(f"t{at}"),),
    )


@_kind("MariaDB")
def compound(dice: random.Random, at: int) -> Piece:
    body = f"BEGIN NOT ATOMIC INSERT INTO t{at} (n) VALUES (1); DO {_NAP}; INSERT INTO t{at} (n) VALUES (1); END"
    return Piece(
        [
            _part(body, f"DELETE FROM t{at} WHERE n = 1"),
            *_all(f"EXECUTE IMMEDIATE 'INSERT INTO t{at} (n) VALUES (2 + {_NAP})'"),
            _part(
                f"IF 1 THEN INSERT INTO t{at} (n) VALUES (3); INSERT INTO t{at} (n) VALUES (3); END IF",
                f"DELETE FROM t{at} WHERE n = 3",
            ),
        ],
        before=(_table(f"t{at}"),),
    )


@_kind("MariaDB")
def aria(dice: random.Random, at: int) -> Piece:
    rows = [_loose(f"a{at}", number, 3) for number in range(1, 4)]
    return Piece(rows, before=(_table(f"a{at}", "Aria"),))


@_kind("MySQL")
def alter_user(dice: random.Random, at: int) -> Piece:
    user = f"soak{at}@'%'"
    retained = (
        "SELECT CONCAT(user, COALESCE(JSON_CONTAINS_PATH(user_attributes, 'one', '$.additional_password'), 0)) "
        "FROM mysql.user WHERE user LIKE 'soak%'"
    )
    return Piece(
        _all(
            _rows(f"t{at}", 1),
            f"ALTER USER {user} IDENTIFIED BY 'New-4711' RETAIN CURRENT PASSWORD",
            _rows(f"t{at}", 2),
        ),
        before=(_table(f"t{at}"), f"CREATE USER {user} IDENTIFIED BY 'Old-4711'"),
        watch=(retained, f"LOGIN soak{at} Old-4711", f"LOGIN soak{at} New-4711"),
        after=(f"DROP USER IF EXISTS {user}",),
    )


@_kind("MySQL")
def names_gb18030(dice: random.Random, at: int) -> Piece:
    return _double_byte("gb18030", "gb18030", "诚乗")(dice, at)
