# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Differential fuzzing of the script splitter: ``python -m programs.fuzz SCRIPTS [SEED]``.

The servers share the scripts.

Each generated script is given to a server whole, as golang-migrate gives it, and statement by statement, as we do.
Result rows, the first error's code and what is stored must be the same: the server has the last word. Every tenth
script has delimiters; there the command line client has it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pymysql
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter
from parts import NotAvailable, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from pymysql.constants import CLIENT

from .grammar import Dice, client_script, script

# What golang-migrate cannot run and we can: then only the server's refusal is checked.
_REFUSED = (1064, 1065)

_LOST = (2006, 2013)


class Side:
    """One schema on one connection, and everything that a script leaves in it."""

    def __init__(self, server: DatabaseServer, schema: str) -> None:
        self._server, self._schema = server, schema
        server.create_schema(schema)
        self._open()

    def _open(self) -> None:
        self.connection: Any = pymysql.connect(
            host=self._server.host,
            port=self._server.port,
            user=self._server.user,
            password=self._server.password,
            database=self._schema,
            charset="utf8mb4",
            collation="utf8mb4_general_ci",
            autocommit=True,
            # What comes back may not be text at all.
            use_unicode=False,
            conv={},
            ssl_disabled=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )
        # Nor are the columns' names.
        self.connection.encoding = "latin-1"

    def reopen(self) -> None:
        """Continue in a new session."""
        self.connection.close()
        self._open()

    def run(self, sql: bytes) -> tuple[list[Any], int | None]:
        """Send one query and return all its rows and the code of the error that ended it."""
        rows: list[Any] = []
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)
                while True:
                    rows += [row for row in cursor.fetchall() if row]
                    if not cursor.nextset():
                        return rows, None
        except pymysql.err.Error as error:
            return rows, int(error.args[0])

    def run_with_client(self, script: bytes, characters: str) -> int | None:
        """Have the command line client run a script, and return the code of the error that ended it."""
        server = self._server
        place = [
            f"--host={server.host}",
            f"--port={server.port}",
            f"--user={server.user}",
            f"--database={self._schema}",
            # As our own session; the server's default is another one in some versions.
            *(["--init-command=SET NAMES utf8mb4 COLLATE utf8mb4_general_ci"] if characters == "utf8mb4" else []),
        ]
        done = subprocess.run(
            ["mariadb", "--no-defaults", "--batch", "--comments", f"--default-character-set={characters}", *place],
            input=script,
            env={**os.environ, "MYSQL_PWD": server.password},
            capture_output=True,
            check=False,
            timeout=60,
        )
        found = re.search(rb"^ERROR (\d+)", done.stderr, re.MULTILINE)
        return int(found[1]) if found else None

    def stored(self) -> list[Any]:
        """Return everything that the script has left behind, and remove it."""
        found: list[Any] = []
        with self.connection.cursor() as cursor:
            # A transaction that the script has left open would show the schema as it was when it began.
            cursor.execute("COMMIT")
            cursor.execute("SELECT @@sql_mode, HEX(@a), HEX(@b), @@character_set_client")
            found += cursor.fetchall()
            cursor.execute("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, sql_mode = DEFAULT")
            objects = self._objects(cursor)
            for kind, name in objects:
                try:
                    cursor.execute(f"SHOW CREATE {kind} `{name}`")
                except pymysql.err.Error as error:
                    # A view need not be valid.
                    found.append((kind, name, error.args[0]))
                    continue
                found += [_text(value).replace(self._schema, "") for row in cursor.fetchall() for value in row[:6]]
                if kind == "TABLE":
                    cursor.execute(f"SELECT * FROM `{name}`")
                    found += cursor.fetchall()
            for kind, name in objects:
                cursor.execute(f"DROP {kind} IF EXISTS `{name}`")
            # A variable that is set to NULL keeps the character set that it had, and MySQL minds.
            cursor.execute("SET sql_mode = DEFAULT, @a = _utf8mb4'', @b = _utf8mb4'', autocommit = 1")
            cursor.execute("SET @a = NULL, @b = NULL")
        return found

    def _objects(self, cursor: Any) -> list[tuple[str, str]]:
        cursor.execute(
            "SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE() "
            "UNION ALL SELECT 'TRIGGER', trigger_name FROM information_schema.triggers "
            "WHERE trigger_schema = DATABASE() "
            "UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = DATABASE() "
            "UNION ALL SELECT table_type, table_name FROM information_schema.tables "
            "WHERE table_schema = DATABASE() ORDER BY 1, 2"
        )
        return [(_text(kind).replace("BASE ", ""), _text(name)) for kind, name in cursor.fetchall()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def ours(side: Side, dialect: Callable[[], Dialect], text: bytes) -> tuple[list[Any], int | None, list[str], bool]:
    """Run a script as the engine does: its rows, the error that ended it, what was noted, and whether the statement
    that failed closes its last comment.
    """
    script = Splitter(BytesIO(text), dialect())
    rows: list[Any] = []
    for statement in script.statements():
        found, code = side.run(statement.text + statement.suffix)
        rows += found
        if code is not None:
            closed = statement.text.rfind(b"/*") <= statement.text.rfind(b"*/")
            return rows, code, [note.text for note in script.notes], closed
        if any(word in statement.text.lower() for word in (b"mode", b"names", b"character")):
            script.dialect = dialect()
    return rows, None, [note.text for note in script.notes], True


def differs(one: Side, two: Side, dialect: Callable[[], Dialect], text: bytes) -> str | None:
    """Return how the two ways of running a script differ, or None."""
    whole, whole_code = one.run(text)
    split, split_code, notes, closed = ours(two, dialect, text)
    left, right = one.stored(), two.stored()
    if notes and whole_code in _REFUSED:
        return None
    if not closed and whole_code == split_code == _REFUSED[0] and whole[: len(split)] == split:
        # Earlier servers run what comes before a semicolon in an executable comment and fail after it; later ones
        # fail before it, as we do.
        return None
    if (whole, whole_code) != (split, split_code):
        return f"whole: {whole_code} {whole!r}\nsplit: {split_code} {split!r}"
    if left != right:
        return f"stored whole: {left!r}\nstored split: {right!r}"
    return None


def differs_from_client(
    one: Side, two: Side, dialect: Callable[[], Dialect], text: bytes, characters: str
) -> str | None:
    """Return how what we do with a script differs from what the command line client does, or None."""
    # The client has a session of its own, in which no variable has had a value.
    two.reopen()
    client_code = one.run_with_client(text, characters or "utf8mb4")
    _rows, split_code, notes, _closed = ours(two, dialect, text)
    left, right = (_as_client_sends(side.stored()) for side in (one, two))
    if client_code in _REFUSED and "has an empty statement before another one" in notes:
        return None
    if (client_code, left[1:]) == (split_code, right[1:]):
        return None
    return f"client: {client_code} {left[1:]!r}\nsplit: {split_code} {right[1:]!r}"


def _as_client_sends(stored: list[Any]) -> list[Any]:
    """Take out what the client puts in: a space behind some comments."""
    return [re.sub(r"(?<=\*/) +", "", _text(value)) for value in stored]


@contextlib.contextmanager
def servers() -> Iterator[list[DatabaseServer]]:
    """Start the servers that are available."""
    with contextlib.ExitStack() as stack:
        found: list[DatabaseServer] = []
        for kind in (MariaDB, MySQL):
            folder: Path = stack.enter_context(private_folder(kind.__name__.lower()))
            try:
                found.append(stack.enter_context(kind(folder)))
            except NotAvailable as reason:
                print(f"not run on {kind.__name__}: {reason}", flush=True)
        yield found


def _sides(server: DatabaseServer) -> tuple[Side, Side]:
    for schema in ("fuzz_whole", "fuzz_split"):
        server.query(f"DROP DATABASE IF EXISTS {schema}")
    return Side(server, "fuzz_whole"), Side(server, "fuzz_split")


def fuzz(server: DatabaseServer, scripts: int, seed: int) -> int:
    """Run that many scripts on a server, print those that differ, and return how many do."""
    mariadb = isinstance(server, MariaDB)
    one, two = _sides(server)

    [(version,)], _code = two.run(b"SELECT @@version")
    numbers = [int(number) for number in re.findall(r"\d+", _text(version))]

    def dialect() -> Dialect:
        [(modes, characters)], _error = two.run(b"SELECT @@sql_mode, @@character_set_client")
        return Dialect(
            mariadb,
            numbers[0] * 10000 + numbers[1] * 100 + numbers[2],
            backslash_escapes=b"NO_BACKSLASH_ESCAPES" not in modes,
            ansi_quotes=b"ANSI_QUOTES" in modes,
            oracle=mariadb and b"ORACLE" in modes,
            character_set=characters.decode(),
        )

    differences, shown = 0, time.monotonic()
    for number in range(scripts):
        dice = Dice(f"{seed} {number}")
        text = script(dice, mariadb) if number % 10 else client_script(dice, mariadb)
        try:
            if number % 10:
                difference = differs(one, two, dialect, text)
            else:
                difference = differs_from_client(one, two, dialect, text, dice.characters)
        except pymysql.err.OperationalError as error:
            if error.args[0] not in _LOST:
                raise
            # A fault of the server's own, which says nothing about the splitter.
            print(f"{type(server).__name__} seed {seed} script {number}: the server has died: {text!r}", flush=True)
            server.stop(kill=True)
            server.start()
            one, two = _sides(server)
            continue
        if difference is not None:
            differences += 1
            print(f"{type(server).__name__} seed {seed} script {number}: {text!r}\n{difference}", flush=True)
        if time.monotonic() > shown + 10:
            shown = time.monotonic()
            print(f"{type(server).__name__}: {number + 1} of {scripts}", flush=True)
    return differences


def main(scripts: int, seed: int) -> int:
    """Run that many scripts in all, on the servers that are available side by side, and return how many differ."""
    # A forked process has the servers already, which cannot be handed to another one.
    context = multiprocessing.get_context("fork")
    differences = context.Value("i", 0)

    def share(server: DatabaseServer) -> None:
        found = fuzz(server, each, seed)
        with differences:
            differences.value += found

    with servers() as found:
        each = -(-scripts // len(found))
        running = [context.Process(target=share, args=(server,), daemon=True) for server in found]
        for process in running:
            process.start()
        for process in running:
            process.join()
    if any(process.exitcode for process in running):
        raise RuntimeError("Not all scripts were run.")
    print(f"{each * len(found)} scripts, {differences.value} differences")
    return int(differences.value)


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1) > 0)
