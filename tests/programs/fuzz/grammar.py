# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scripts that are hard to split: every quote and comment, stored programs, sets of characters, and what is broken."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# What is inside quotes and comments: terminators, quotes, starts and ends of comments, words of blocks.
_INNER = (
    b";", b";", b"x", b"--", b"-- ", b"#", b"/*", b"*/", b"\n", b" ", b"\\\\", b"\\n", b"BEGIN", b"END;", b"\xc3\xa4",
    b"$$", b"/*!", b"DELIMITER //\n", b"\r\n", b"\t", b"%", b"1", b"CASE", b"\xf0\x9f\x98\x80",
)  # fmt: skip
# Characters whose later bytes are ASCII, and bytes that are not a whole character.
_EAST = (b"\x83\\", b"\x95\\", b"\x83`", b"\x81|", b"\x83A", b"\x95", b"\xe3", b"\xb1", b"\\\x95", b"\xa0", b"\x80")
_CHARACTERS = {
    "cp932": _EAST,
    "sjis": _EAST,
    "gbk": (*_EAST, b"\xd5\\", b"\xd5`", b"\xff"),
    "big5": (*_EAST, b"\xa5\\", b"\xa5`", b"\xa5@", b"\xf9"),
    "gb18030": (*_EAST, b"\x810\x810", b"\xe32\x9a6", b"\x810\x81\\", b"\x810", b"\xfe9\xfe9"),
    "euckr": (b"\xb0\xa1", b"\x81A", b"\xb0", b"\xb0\\"),
    "latin1": (b"\xe4", b"\xa0", b"\x95", b"--\xa0"),
    "latin2": (b"\xe4", b"\xa0", b"\xe3\\"),
    "cp852": (b"\xff", b"\xa0", b"--\xff"),
    "utf8mb4": (b"\xc3\xa4", b"\xe3\x83\xbd", b"\xe3\x83", b"\xc3", b"\xff"),
}
_ENDS = (b";", b";", b";", b";\n", b" ;\n", b";;", b"\n;\n", b"; -- x\n", b"; /* y */ ", b";\r\n", b"; # z\n")
_BLANKS = (b" ", b" ", b"\n", b"\t", b"  ", b" /* ; */ ", b" -- ;'\n", b' # "\n', b"\r\n", b" /**/ ", b" /*;'*/ ")


class Dice(Random):
    """Chance, and the set of characters that it has chosen for a script."""

    characters = ""
    client = False
    ansi = False

    def choose_characters(self, mariadb: bool, client: bool = False) -> bytes:
        """Choose a set of characters in three of ten scripts, and return the statement that announces it."""
        # MariaDB, and its client, have no gb18030.
        sets = [name for name in _CHARACTERS if name != "gb18030" or not (mariadb or client)]
        self.client = client
        self.characters = self.choice(sets) if self.random() < 0.3 else ""
        return b"SET NAMES " + self.characters.encode() + b";\n" if self.characters else b""


def script(random: Dice, mariadb: bool) -> bytes:
    """Return a script of some statements."""
    text = random.choice(
        (b"", b"", b"", b"\n", b"-- start ;\n", b"/* ; */", b"\xef\xbb\xbf" if random.random() < 0.1 else b"")
    )
    text += random.choose_characters(mariadb)
    for _number in range(random.randint(1, 6)):
        text += _statement(random, mariadb) + random.choice(_ENDS)
    if random.random() < 0.15:
        text = _spoil(random, text)
    return text.rstrip(b"; \n") if random.random() < 0.2 else text


def client_script(random: Dice, mariadb: bool) -> bytes:
    """Return a script for the ``mysql`` client: pieces of one or more statements between delimiters of all kinds."""
    text = random.choose_characters(mariadb, client=True) + random.choice((b"", b"SELECT 1;\n", b"-- start ;\n"))
    if mariadb and random.random() < 0.1:
        text += b"SET sql_mode = 'ORACLE';\n"
        random.ansi = True
    for _number in range(random.randint(1, 3)):
        mark = random.choice((b"//", b"$$", b";;", b"|", b"go", b"#", b"'//'", b"END_OF_IT"))
        text += (
            random.choice((b"DELIMITER ", b"delimiter ", b"  DELIMITER\t"))
            + mark
            + random.choice((b"\n", b" \n", b"\r\n"))
        )
        mark = mark.strip(b"'")
        for _number in range(random.randint(1, 3)):
            # The client makes every line ending a plain one; we keep the bytes.
            text += (
                _piece(random, mariadb).replace(b"\r", b"")
                + random.choice((b"\n", b" "))
                + mark
                + random.choice((b"\n", b"\n", b" "))
            )
        text += b"\n"
    if random.random() < 0.1:
        # Nothing ends this piece, so the command that follows is a part of it.
        text += _piece(random, mariadb).replace(b"\r", b"") + b"\n"
    text += b"DELIMITER ;\n"
    for _number in range(random.randint(0, 2)):
        text += random.choice((_table, _plain))(random, mariadb).replace(b"\r", b"") + b";\n"
    return text


def _piece(random: Dice, mariadb: bool) -> bytes:
    statements = [
        random.choice((_program, _program, _table, _plain, _insert, _set))(random, mariadb)
        for _number in range(random.choice((1, 1, 1, 2, 3)))
    ]
    return random.choice((b";", b"; ", b";\n", b";\n-- x;\n")).join(statements) + random.choice(
        (b"", b"", b";", b" ;\n")
    )


def _insert(random: Dice, mariadb: bool) -> bytes:
    return _words(random, b"INSERT INTO") + b"t1 VALUES (" + _literal(random) + b")"


def _plain(random: Dice, mariadb: bool) -> bytes:
    return (
        _words(random, b"CREATE TABLE") + random.choice((b"t3", b"t4")) + b" AS SELECT '" + _inner(random) + b" ' AS a"
    )


def _spoil(random: Dice, text: bytes) -> bytes:
    """Break a script: take something out, or put something in."""
    place = random.randrange(len(text))
    if random.random() < 0.5:
        return text[:place] + text[place + random.randint(1, 4) :]
    return (
        text[:place]
        + random.choice((b"'", b'"', b"`", b"/*", b"*/", b";", b"\\", b"--", b"\0", b"END", b"BEGIN "))
        + text[place:]
    )


def _blank(random: Dice) -> bytes:
    return random.choice(_BLANKS)


def _words(random: Dice, text: bytes) -> bytes:
    """Return words with hard spaces between them, in any case."""
    parts = [random.choice((part, part.lower())) for part in text.split(b" ")]
    return b"".join(part + (_blank(random) if random.random() < 0.3 else b" ") for part in parts)


def _inner(random: Dice) -> bytes:
    parts = (*_INNER, *_CHARACTERS[random.characters] * 3) if random.characters else _INNER
    found = b"".join(random.choice(parts) for _number in range(random.randint(0, 5)))
    # The client loses a line's end behind a backslash.
    return found.replace(b"\r", b"").replace(b"\\\n", b"\\ ") if random.client else found


def _literal(random: Dice) -> bytes:
    kind = random.random()
    # A quote and a backslash before it stay what they are behind a space: the client has no use for a broken script.
    inner = _inner(random) + (b" " if random.client and random.characters else b"")
    # In double quotes the client reads a backslash as an escape in any sql_mode.
    if kind < (0.8 if random.ansi else 0.5):
        return b"'" + inner + random.choice((b"''", b"\\'", b'"', b"`", b"")) + b"'"
    if kind < 0.8:
        return b'"' + inner + random.choice((b'""', b'\\"', b"'", b"`", b"")) + b'"'
    return random.choice(
        (
            b"1",
            b"NULL",
            b"x'41'",
            b"_utf8mb4'a;'",
            b"_cp932'" + inner + b"'",
            b"_latin1'" + inner + b"'",
            b"N'b;'",
            b"1--1",
            b"-1",
            b"2*/**/3",
            b"@a",
            b"0x3b",
        )
    )


def _expression(random: Dice, depth: int = 0) -> bytes:
    kind = random.random()
    if depth > 2 or kind < 0.5:
        return _literal(random)
    inner = [_expression(random, depth + 1) for _number in range(3)]
    if kind < 0.6:
        return (
            _words(random, b"CASE WHEN")
            + inner[0]
            + b" THEN "
            + inner[1]
            + b" ELSE "
            + inner[2]
            + _blank(random)
            + b"END"
        )
    if kind < 0.7:
        return _words(random, b"CASE") + inner[0] + b" WHEN " + inner[1] + b" THEN " + inner[2] + b" END"
    if kind < 0.8:
        return b"IF(" + inner[0] + b"," + inner[1] + b"," + inner[2] + b")"
    if kind < 0.9:
        return b"REPEAT(" + inner[0] + b", 2)"
    return b"(" + inner[0] + _blank(random) + b")"


def _odd_name(random: Dice) -> bytes:
    found = random.choice(_CHARACTERS[random.characters])
    if random.client:
        # Outside of quotes a backslash is the client's, and it does not send what is not closed.
        return b"`n" + found.replace(b"\\", b"").replace(b"`", b"") + b"n`"
    return random.choice((b"", b"n", b"`n", b"@n")) + found + random.choice((b"", b"`", found))


def _select(random: Dice, mariadb: bool) -> bytes:
    alias = (
        b" AS `" + _inner(random).replace(b"`", b"").replace(b"\n", b"") + b"a``;`" if random.random() < 0.3 else b""
    )
    if random.characters and random.random() < 0.3:
        alias = b" AS " + _odd_name(random)
    hint = b"/*+ NO_INDEX_MERGE(t) ; */ " if random.random() < 0.1 else b""
    return _words(random, b"SELECT") + hint + _expression(random) + alias


def _set(random: Dice, mariadb: bool) -> bytes:
    return _words(random, b"SET") + random.choice((b"@a = ", b"@b := ", b"@a=")) + _expression(random)


def _mode(random: Dice, mariadb: bool) -> bytes:
    return (
        b"SET sql_mode = '"
        + random.choice(
            (b"NO_BACKSLASH_ESCAPES", b"", b"ANSI", b"ANSI_QUOTES,NO_BACKSLASH_ESCAPES")
            + ((b"ORACLE", b"ORACLE,NO_BACKSLASH_ESCAPES") if mariadb else ())
        )
        + b"'"
    )


def _names(random: Dice, mariadb: bool) -> bytes:
    return random.choice((b"SET NAMES ", b"set character_set_client = ")) + random.choice(
        [name.encode() for name in _CHARACTERS if name != "gb18030" or not mariadb]
    )


def _transaction(random: Dice, mariadb: bool) -> bytes:
    return random.choice((b"BEGIN", b"COMMIT", b"START TRANSACTION", b"ROLLBACK", b"begin work"))


def _table(random: Dice, mariadb: bool) -> bytes:
    name = random.choice((b"t1", b"t2", b"`t;1`", b"`begin`"))
    kind = random.random()
    if kind < 0.4:
        columns = random.choice(
            (b"a INT", b"a TEXT COMMENT 'x;y'", b"begin INT, end INT", b"`;` INT", b"a INT DEFAULT '1'")
        )
        return _words(random, b"CREATE TABLE") + name + b" (" + columns + b")"
    if kind < 0.6:
        return _words(random, b"INSERT INTO") + name + b" VALUES (" + _literal(random) + b")"
    if kind < 0.7:
        return _words(random, b"DROP TABLE IF EXISTS") + name
    if kind < 0.85:
        return (
            _words(random, b"CREATE VIEW")
            + random.choice((b"v1", b"v2"))
            + b" AS SELECT "
            + _expression(random)
            + b" AS a"
        )
    return _words(random, b"ALTER TABLE") + name + random.choice((b" ADD b INT", b" ADD end INT", b" COMMENT 'it''s;'"))


def _comment(random: Dice, mariadb: bool) -> bytes:
    """Executable comments: executed here, on the other server, or nowhere."""
    version = random.choice((b"", b"40101", b"50003", b"50700", b"80000", b"90000", b"99999", b"100100", b"999999"))
    start = random.choice((b"/*!", b"/*!", b"/*M!")) + version
    inner = random.choice((b" SET @a = 1 ", b" SELECT 'x;' ", b" SELECT 1; ", b" nonsense ; ", b" SELECT /* ; */ 2 "))
    return random.choice((b"", b"SELECT 1 ", b"SET @b = 2 ")) + start + inner + b"*/"


def _program(random: Dice, mariadb: bool) -> bytes:
    definer = random.choice((b"", b"", b"DEFINER=`admin`@`%` ", b"DEFINER=CURRENT_USER ", b"DEFINER=CURRENT_USER() "))
    replace = b"OR REPLACE " if mariadb and random.random() < 0.3 else b""
    head = _words(random, b"CREATE") + replace + definer
    kind = random.random()
    traits = b"".join(
        random.sample(
            (b"DETERMINISTIC ", b"SQL SECURITY INVOKER ", b"COMMENT 'x;' ", b"READS SQL DATA "), random.randint(0, 3)
        )
    )
    if kind < 0.45:
        name = random.choice((b"p1", b"`p;2`", b"p3"))
        return (
            head
            + b"PROCEDURE "
            + name
            + b"(IN x INT, y DECIMAL(4,2))"
            + _blank(random)
            + traits
            + _body(random, mariadb)
        )
    if kind < 0.7:
        returns = random.choice(
            (b"INT", b"VARCHAR(9) CHARSET utf8mb4", b"INT UNSIGNED", b"ENUM('a;','b')", b"DECIMAL(4,2)")
        )
        body = random.choice(
            (b"RETURN " + _expression(random), b"BEGIN " + _inside(random, mariadb, 1, False) + b" RETURN 1; END")
        )
        return head + b"FUNCTION f" + random.choice((b"1", b"2")) + b"(x INT) RETURNS " + returns + b" NO SQL " + body
    if kind < 0.85:
        return head + b"TRIGGER tr1 BEFORE INSERT ON t1 FOR EACH ROW" + _blank(random) + _body(random, mariadb, False)
    schedule = b"ON SCHEDULE AT '2037-01-01 00:00:00' "
    return (
        head
        + b"EVENT e1 "
        + schedule
        + random.choice((b"", b"COMMENT 'DO;' ", b"DISABLE "))
        + b"DO "
        + _body(random, mariadb)
    )


def _body(random: Dice, mariadb: bool, selects: bool = True) -> bytes:
    if random.random() < 0.3:
        return _simple(random, mariadb, selects)
    label = random.choice((b"", b"", b"l1: ", b"`l;`: ", b"l1 : "))
    return (
        label
        + _words(random, b"BEGIN")
        + _inside(random, mariadb, random.randint(1, 3), selects)
        + _blank(random)
        + b"END"
    )


def _inside(random: Dice, mariadb: bool, depth: int, selects: bool) -> bytes:
    """Return statements of a block, each with its semicolon."""
    text = b""
    if random.random() < 0.3:
        text += random.choice((b"DECLARE i INT DEFAULT 1;", b"DECLARE end INT;", b"DECLARE c CURSOR FOR SELECT 1;"))
    if random.random() < 0.2:
        condition = random.choice(
            (b"SQLEXCEPTION", b"NOT FOUND, SQLWARNING", b"SQLSTATE '23000'", b"SQLSTATE VALUE '42S02', 1062")
        )
        action = random.choice((b"SET @a = 1;", b"BEGIN SET @a = 1; END;", b"BEGIN END;"))
        text += _words(random, b"DECLARE CONTINUE HANDLER FOR") + condition + b" " + action
    for _number in range(random.randint(1, 3)):
        text += _blank(random) + _nested(random, mariadb, depth, selects) + b";"
    return text


def _nested(random: Dice, mariadb: bool, depth: int, selects: bool) -> bytes:
    if depth <= 0:
        return _simple(random, mariadb, selects)

    def inside() -> bytes:
        return _inside_flat(random, mariadb, depth - 1, selects)

    value = _expression(random)
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: _words(random, b"IF") + value + b" THEN " + inside() + b" ELSEIF 2 THEN " + inside() + b" END IF",
        lambda: (
            _words(random, b"IF") + value + b" THEN " + inside() + b" ELSE " + inside() + _blank(random) + b"END IF"
        ),
        lambda: b"CASE " + value + b" WHEN 1 THEN " + inside() + b" ELSE " + inside() + b" END CASE",
        lambda: b"CASE WHEN " + value + b" THEN " + inside() + b" END CASE",
        lambda: b"l2: LOOP " + inside() + b" LEAVE l2; END LOOP l2",
        lambda: b"WHILE " + value + b" AND 0 DO " + inside() + b" END WHILE",
        lambda: b"REPEAT " + inside() + b" UNTIL 1 OR " + value + b" END REPEAT",
        lambda: b"BEGIN " + inside() + b" END",
        lambda: _simple(random, mariadb, selects),
    )
    return random.choice(kinds)()


def _inside_flat(random: Dice, mariadb: bool, depth: int, selects: bool) -> bytes:
    return b"".join(_nested(random, mariadb, depth, selects) + b";" for _number in range(random.randint(1, 2)))


def _simple(random: Dice, mariadb: bool, selects: bool) -> bytes:
    if selects and random.random() < 0.5:
        return _select(random, mariadb)
    return random.choice(
        (_set(random, mariadb), b"SET @a = IF(1, 2, 3)", b"SET @b = CASE 1 WHEN 1 THEN 2 END", b"DO 1")
    )


def _compound(random: Dice, mariadb: bool) -> bytes:
    """Compound statements outside stored programs, which only MariaDB has."""
    return random.choice(
        (
            b"BEGIN NOT ATOMIC " + _inside(random, mariadb, 2, True) + b" END",
            b"IF 1 THEN " + _inside_flat(random, mariadb, 1, True) + b" END IF",
            b"CASE 1 WHEN 1 THEN " + _inside_flat(random, mariadb, 1, True) + b" END CASE",
            b"FOR i IN 1..2 DO " + _inside_flat(random, mariadb, 1, True) + b" END FOR",
        )
    )


def _set_statement(random: Dice, mariadb: bool) -> bytes:
    values = (b"sql_mode = ''", b"max_statement_time=(SELECT 7)", b"lc_time_names = 'de_DE'", b"sort_buffer_size=1<<20")
    chosen = b", ".join(random.sample(values, random.randint(1, 2)))
    inner = random.choice((_program, _program, _compound, _select, _table, _set))(random, mariadb)
    return _words(random, b"SET STATEMENT") + chosen + _blank(random) + b"FOR" + _blank(random) + inner


def _statement(random: Dice, mariadb: bool) -> bytes:
    kinds = [_select] * 6 + [_set] * 2 + [_table] * 3 + [_program] * 4 + [_comment] * 2 + [_mode, _transaction, _names]
    if mariadb:
        kinds += [_compound, _set_statement]
    return random.choice(kinds)(random, mariadb)
