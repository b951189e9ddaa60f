# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the servers under which the whole cycle is tried, and the files of that cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Servers by their names in parts.servers. MariaDB 11.8 has defaults of its own for collations.
MARIADB, NEWER, MYSQL = ("mariadb",), ("mariadb-11.8",), ("mysql",)
BOTH = (*MARIADB, *MYSQL)
ALL = (*MARIADB, *NEWER, *MYSQL)


@dataclass(frozen=True)
class Setting:
    """What a server is set to.

    :ivar variables: global variables, as SQL, each the default of the sessions that begin.
    :ivar options: options with which the server is started.
    :ivar more: migration 4, up and down, which shows what the setting does.
    :ivar third: migration 3, see Third.
    :ivar by_hand: why a person has to continue with a failed migration as with golang-migrate.
    :ivar files: other files than those of all.
    :ivar stops: at which version both tools fail, and with what, because the server refuses what the file says.
    :ivar better: why golang-migrate fails under this setting and we do not. It then works without the setting, and what
        it makes is what we must make.
    :ivar short: it is tried in ``make test`` as well.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    servers: tuple[str, ...] = BOTH
    more: tuple[str, str] = ("DO 0;", "DO 0;")
    third: tuple[str, str, str, str, str] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    stops: tuple[int, str] | None = None
    better: str = ""
    by_hand: str = ""
    short: bool = False

    def __str__(self) -> str:
        return self.name


# Migration 3: what sets the session up, what is done, what is refused, that corrected, and what is left. It is written
# so that golang-migrate's user can continue manually with a file of the first, the fourth and the fifth.
THIRD = (
    "SET @mark = 'kept-äö';\n",
    "INSERT INTO items (code) VALUES (@mark);\nALTER TABLE items ADD COLUMN extra INT NOT NULL DEFAULT 5;\n"
    "UPDATE items SET extra = extra + 1 WHERE id > 0;\n",
    "INSERT INTO items (code, nope) VALUES ('x', 1);\n",
    "INSERT INTO items (code, extra) VALUES ('x', 1);\n",
    "INSERT INTO items (code, extra) SELECT CONCAT(@mark, '-2'), COUNT(*) FROM items;\n",
)
FILES = {
    "1_rows.up.sql": """\
CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, code VARCHAR(50) NOT NULL, price DECIMAL(8,2) NULL,
                    seen TIMESTAMP NULL);
INSERT INTO items (code, price, seen) VALUES ('alpha', 1.5, '2024-03-01 12:00:00'), ('Größe; ''x''', 2, NULL);
SET @by_how_much = 1;
UPDATE items SET price = price + @by_how_much WHERE code = 'alpha' AND id > 0;
CREATE TABLE derived (code VARCHAR(50) NOT NULL PRIMARY KEY DEFAULT 'd', n INT);
INSERT INTO derived VALUES ('alpha', 3), ('é', 4);
UPDATE items, derived SET price = price + n WHERE items.code = derived.code AND items.id > 0 AND derived.code > '';
""",
    "1_rows.down.sql": "DROP TABLE derived;\nDROP TABLE items;\n",
    "2_programs.up.sql": """\
CREATE VIEW cheap AS SELECT code, CONCAT(code, '!') AS loud FROM items WHERE price < 100;
CREATE PROCEDURE put_up(IN by_how_much INT) UPDATE items SET price = price + by_how_much WHERE id > 0;
CREATE TRIGGER stamp BEFORE INSERT ON items FOR EACH ROW SET NEW.price = COALESCE(NEW.price, 9);
CREATE FUNCTION plus(x INT) RETURNS INT DETERMINISTIC RETURN x + 1;
CALL put_up(1);
INSERT INTO items (code) SELECT loud FROM cheap;
CREATE TEMPORARY TABLE work (id INT PRIMARY KEY);
INSERT INTO work VALUES (1), (2);
UPDATE items SET price = plus(price) WHERE id IN (1, 2);
DROP TEMPORARY TABLE work;
""",
    "2_programs.down.sql": "DROP FUNCTION plus;\nDROP TRIGGER stamp;\nDROP PROCEDURE put_up;\nDROP VIEW cheap;\n",
    "3_third.down.sql": "DELETE FROM items WHERE id > 4;\nALTER TABLE items DROP COLUMN extra;\n",
}


def _modes(*modes: str, servers: tuple[str, ...] = BOTH, more: str = "") -> Setting:
    made = (more, "DROP TABLE shown;") if more else Setting.more
    return Setting(
        f"sql_mode {'+'.join(modes) or 'empty'}",
        {"sql_mode": f"'{','.join(modes)}'"},
        servers=servers,
        more=made,
    )


def _connect(sql: str, **rest: object) -> Setting:
    quoted = sql.replace("'", "''")
    return Setting(f"init_connect {sql}", {"init_connect": f"'{quoted}'"}, **rest)  # type: ignore[arg-type]


_UNICODE = "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci"
_OPEN_TRANSACTION = "its state is written after a transaction that autocommit=0 has left open (1568)"
_CHAINED = "its state is written after a transaction that its COMMIT has begun (1568)"
_JOINED = (
    "CREATE TABLE shown AS SELECT 'alpha' AS code, 7 AS n;\nCREATE VIEW literal AS SELECT 'alpha' AS code;\n"
    "CREATE TABLE joined AS SELECT literal.code FROM literal JOIN shown USING (code);\n",
    "DROP TABLE joined;\nDROP VIEW literal;\nDROP TABLE shown;\n",
)
_STRINGS = "CREATE TABLE shown (a VARCHAR(40), b CHAR(9));\nINSERT INTO shown VALUES ({}, 'x');\n"
_BINLOG = ("--log-bin=binlog", "--server-id=1", "--log-bin-trust-function-creators=1")
_GTID = (*_BINLOG, "--gtid-mode=ON", "--enforce-gtid-consistency=ON")
_BARE = "CREATE TABLE shown (a INT);\nINSERT INTO shown VALUES (1);\n"

PLAIN = [
    Setting("defaults", servers=ALL, more=_JOINED, short=True),
    Setting("no character_set_collations", {"character_set_collations": "''"}, servers=NEWER, more=_JOINED),
    Setting(
        "character_set_collations of another",
        {"character_set_collations": "'utf8mb4=utf8mb4_bin'"},
        servers=NEWER,
        more=_JOINED,
    ),
    _connect("SET autocommit=0", better=_OPEN_TRANSACTION, short=True),
    _connect(_UNICODE, servers=ALL, more=_JOINED, short=True),
    _connect("SET NAMES latin1"),
    _connect("SET NAMES utf8mb4 COLLATE utf8mb4_bin", more=_JOINED),
    _connect("SET sql_mode='ANSI_QUOTES'", short=True),
    _connect("SET foreign_key_checks=0, unique_checks=0"),
    _connect("SET SESSION TRANSACTION READ ONLY", stops=(0, "error 1792"), short=True),
    _connect("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
    _connect("SET time_zone='+05:30', group_concat_max_len=7"),
    Setting("character_set_server latin1", {"character_set_server": "'latin1'"}, more=_JOINED),
    Setting("collation_server utf8mb4_bin", {"collation_server": "'utf8mb4_bin'"}, more=_JOINED),
    Setting(
        "collation_server utf8mb4_unicode_ci", {"collation_server": "'utf8mb4_unicode_ci'"}, servers=ALL, more=_JOINED
    ),
    Setting(
        "default_collation_for_utf8mb4 utf8mb4_general_ci",
        {"default_collation_for_utf8mb4": "'utf8mb4_general_ci'"},
        servers=MYSQL,
        more=_JOINED,
    ),
    _modes(),
    _modes("ANSI_QUOTES", more='CREATE TABLE "shown" (a INT);\nINSERT INTO "shown" VALUES (1);\n'),
    _modes("NO_BACKSLASH_ESCAPES", more=_STRINGS.format("'a\\'")),
    _modes("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", more=_STRINGS.format("'a\\'")),
    _modes("EMPTY_STRING_IS_NULL", servers=MARIADB, more=_STRINGS.format("''")),
    _modes("STRICT_ALL_TABLES"),
    _modes("TRADITIONAL"),
    _modes(
        "NO_AUTO_VALUE_ON_ZERO",
        more="CREATE TABLE shown (a INT AUTO_INCREMENT PRIMARY KEY);\nINSERT INTO shown VALUES (0);\n",
    ),
    _modes("PAD_CHAR_TO_FULL_LENGTH", more=_STRINGS.format("(SELECT MAX(CONCAT(code, '|')) FROM items)")),
    _modes("HIGH_NOT_PRECEDENCE", more=_STRINGS.format("NOT 1 BETWEEN -5 AND 5")),
    _modes("PIPES_AS_CONCAT", "IGNORE_SPACE", more=_STRINGS.format("'a' || 'b'")),
    _modes("ANSI"),
    replace(
        _modes("ORACLE", servers=MARIADB, more=_STRINGS.format("'a' || 'b'")),
        files={
            "2_programs.up.sql": "CREATE PROCEDURE put_up AS BEGIN UPDATE items SET price = price + 1; COMMIT; END;\n"
            "CREATE VIEW cheap AS SELECT code || '!' AS loud FROM items;\nCALL put_up;\n",
            "2_programs.down.sql": "DROP VIEW cheap;\nDROP PROCEDURE put_up;\n",
        },
        by_hand="where a statement ends cannot be known in this mode, so that a file is one",
    ),
    _modes("MSSQL", servers=MARIADB),
    _modes("SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL", servers=MARIADB),
    Setting(
        "default_storage_engine MyISAM",
        {"default_storage_engine": "MyISAM"},
        more=(_BARE, "DROP TABLE shown;"),
        short=True,
    ),
    Setting("default_storage_engine Aria", {"default_storage_engine": "Aria"}, servers=MARIADB),
    Setting("enforce_storage_engine MyISAM", {"enforce_storage_engine": "MyISAM", "sql_mode": "''"}, servers=MARIADB),
    Setting("READ-COMMITTED", {"transaction_isolation": "'READ-COMMITTED'"}, servers=MYSQL),
    Setting("READ-UNCOMMITTED", {"transaction_isolation": "'READ-UNCOMMITTED'"}, servers=MYSQL),
    Setting("SERIALIZABLE", {"transaction_isolation": "'SERIALIZABLE'"}, servers=MYSQL, short=True),
    Setting("READ-COMMITTED", {"tx_isolation": "'READ-COMMITTED'"}, servers=MARIADB),
    Setting("READ-UNCOMMITTED", {"tx_isolation": "'READ-UNCOMMITTED'"}, servers=MARIADB),
    Setting("SERIALIZABLE", {"tx_isolation": "'SERIALIZABLE'"}, servers=MARIADB),
    Setting("completion_type CHAIN", {"completion_type": "'CHAIN'"}, better=_CHAINED, short=True),
    Setting("completion_type RELEASE", {"completion_type": "'RELEASE'"}, better="its COMMIT ends the connection"),
    Setting("autocommit 0", {"autocommit": "0"}, better=_OPEN_TRANSACTION, short=True),
    Setting(
        "a file makes the session READ ONLY",
        third=(
            THIRD[0],
            THIRD[1] + "SET SESSION TRANSACTION READ ONLY;\n",
            "DELETE FROM items WHERE id > 4;\n",
            "SET SESSION TRANSACTION READ WRITE;\n",
            THIRD[4],
        ),
        short=True,
    ),
    Setting(
        "explicit_defaults_for_timestamp off",
        {"explicit_defaults_for_timestamp": "0"},
        more=("CREATE TABLE shown (a TIMESTAMP, b INT);", "DROP TABLE shown;"),
    ),
    Setting("sql_require_primary_key", {"sql_require_primary_key": "1"}, servers=MYSQL, short=True),
    Setting(
        "sql_generate_invisible_primary_key",
        {"sql_generate_invisible_primary_key": "1"},
        servers=MYSQL,
        more=(_BARE, "DROP TABLE shown;"),
    ),
    Setting("innodb_force_primary_key", {"innodb_force_primary_key": "1"}, servers=MARIADB),
    Setting(
        "innodb_strict_mode off",
        {"innodb_strict_mode": "0"},
        more=("CREATE TABLE shown (a INT) ROW_FORMAT=COMPACT KEY_BLOCK_SIZE=8;", "DROP TABLE shown;"),
    ),
    Setting("innodb_default_row_format compact", {"innodb_default_row_format": "'compact'"}),
    Setting("sql_safe_updates", {"sql_safe_updates": "1"}, servers=MYSQL, short=True),
    # There a LIMIT makes no DELETE safe, and the state cannot be written.
    Setting("sql_safe_updates", {"sql_safe_updates": "1"}, servers=MARIADB, stops=(0, "error 1175")),
    Setting(
        "sql_select_limit 1",
        {"sql_select_limit": "1"},
        more=("CREATE TABLE shown AS SELECT code FROM items;", "DROP TABLE shown;"),
    ),
    Setting(
        "sql_select_limit 0",
        {"sql_select_limit": "0"},
        better="it sees no answer to GET_LOCK",
        more=("CREATE TABLE shown AS SELECT code FROM items;", "DROP TABLE shown;"),
    ),
    Setting(
        "max_join_size 1", {"max_join_size": "1"}, third=(*THIRD[:4], "DO 1;\n"), stops=(2, "error 1104"), short=True
    ),
    Setting("sql_quote_show_create off", {"sql_quote_show_create": "0"}),
    Setting("wait_timeout 2", {"wait_timeout": "2"}, more=("DO SLEEP(3);", "DO 0;")),
    Setting("lock_wait_timeout 1", {"lock_wait_timeout": "1", "innodb_lock_wait_timeout": "1"}),
    Setting("max_execution_time 500", {"max_execution_time": "500"}, servers=MYSQL),
    Setting(
        "max_statement_time 1",
        {"max_statement_time": "1"},
        servers=MARIADB,
        more=("CREATE TABLE shown (a INT);\nINSERT INTO shown SELECT SLEEP(2);\n", "DROP TABLE shown;"),
        stops=(4, "error 1969"),
    ),
    Setting(
        "max_allowed_packet 1M",
        {"max_allowed_packet": "1048576"},
        more=(_STRINGS.format(f"LEFT('{'x' * 900_000}', 5)"), "DROP TABLE shown;"),
        short=True,
    ),
    Setting(
        "a file larger than max_allowed_packet",
        {"max_allowed_packet": "1048576"},
        more=(
            "CREATE TABLE shown (a INT);\n" + f"INSERT INTO shown VALUES (LENGTH('{'x' * 400_000}'));\n" * 3,
            "DROP TABLE shown;",
        ),
        better="it sends the whole file in one packet",
    ),
    Setting("time_zone -11:00", {"time_zone": "'-11:00'"}),
    Setting("lc_messages de_DE", {"lc_messages": "'de_DE'", "lc_time_names": "'de_DE'"}, short=True),
    Setting(
        "auto_increment_increment 5",
        {"auto_increment_increment": "5", "auto_increment_offset": "2"},
        third=(*THIRD[:4], "DO 1;\n"),
    ),
    Setting(
        "div_precision_increment 9",
        {"div_precision_increment": "9"},
        more=("CREATE TABLE shown AS SELECT 1 / 3 AS a;", "DROP TABLE shown;"),
    ),
    Setting("foreign_key_checks 0", {"foreign_key_checks": "0"}, servers=MYSQL),
    Setting(
        "old_mode empty",
        {"old_mode": "''"},
        servers=MARIADB,
        more=("CREATE TABLE shown (a VARCHAR(9) CHARACTER SET utf8);", "DROP TABLE shown;"),
    ),
    Setting("old_passwords", {"old_passwords": "1"}, servers=MARIADB),
    Setting("alter_algorithm COPY", {"alter_algorithm": "'COPY'"}, servers=MARIADB),
    Setting("read_only", {"read_only": "1"}, stops=(0, "error 1290"), short=True),
    Setting("big_tables", {"big_tables": "1"}),
    Setting(
        "session_track",
        {
            "session_track_transaction_info": "'CHARACTERISTICS'",
            "session_track_system_variables": "'*'",
            "session_track_state_change": "1",
        },
        short=True,
    ),
]

STARTED = [
    Setting(
        "skip-character-set-client-handshake, latin1",
        options=("--skip-character-set-client-handshake", "--character-set-server=latin1"),
        servers=MARIADB,
        more=_JOINED,
    ),
    Setting(
        "skip-character-set-client-handshake, utf8mb4_unicode_ci",
        options=(
            "--skip-character-set-client-handshake",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
        ),
        servers=MARIADB,
        more=_JOINED,
        short=True,
    ),
    Setting(
        "lower_case_table_names 1",
        options=("--lower-case-table-names=1",),
        servers=MARIADB,
        more=(
            "CREATE TABLE Shown (A INT);\nRENAME TABLE SHOWN TO Other;\nINSERT INTO OTHER VALUES (1);\n",
            "DROP TABLE oTHER;",
        ),
    ),
    Setting("old", options=("--old-mode=NO_PROGRESS_INFO,UTF8_IS_UTF8MB3",), servers=MARIADB),
    Setting("GTID off", options=("--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"), servers=MYSQL),
    *(
        Setting(f"binlog {form}", {"binlog_format": f"'{form}'"}, options=_BINLOG, servers=MARIADB, short=form == "ROW")
        for form in ("ROW", "STATEMENT", "MIXED")
    ),
    *(
        Setting(
            f"GTID, binlog {form}",
            {"binlog_format": f"'{form}'"},
            options=_GTID,
            servers=MYSQL,
            short=form == "STATEMENT",
        )
        for form in ("ROW", "STATEMENT", "MIXED")
    ),
    *(
        Setting(
            f"MyISAM, GTID, binlog {form}",
            {"binlog_format": f"'{form}'", "default_storage_engine": "MyISAM"},
            options=_GTID,
            servers=MYSQL,
            short=form == "ROW",
        )
        for form in ("ROW", "STATEMENT")
    ),
    Setting(
        "MyISAM, binlog STATEMENT",
        {"binlog_format": "'STATEMENT'", "default_storage_engine": "MyISAM"},
        options=_BINLOG,
        servers=MARIADB,
    ),
    Setting(
        "READ-COMMITTED, binlog STATEMENT",
        {"binlog_format": "'STATEMENT'", "tx_isolation": "'READ-COMMITTED'"},
        options=_BINLOG,
        servers=MARIADB,
        stops=(1, "error 1665"),
        short=True,
    ),
    Setting(
        "READ-COMMITTED, GTID, binlog STATEMENT",
        {"binlog_format": "'STATEMENT'", "transaction_isolation": "'READ-COMMITTED'"},
        options=_GTID,
        servers=MYSQL,
        stops=(1, "error 1665"),
    ),
    Setting(
        "log_bin_trust_function_creators off",
        {"log_bin_trust_function_creators": "0"},
        options=_BINLOG,
        stops=(2, "error 1419"),
        short=True,
    ),
]
