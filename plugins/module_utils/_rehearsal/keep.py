# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what a migration destroys, before it does. Private to the collection.

The plan's rehearsal shows what is destroyed (destroyed.py). Before a migration's first statement, while the state is
clean, under the database's lock and in a session of its own:

1. Incomplete copies of earlier runs are dropped: their migrations had not started.
2. A row is written for each thing that will be destroyed, and for the migration itself.
3. Copies are made, and compared with their tables.
4. All rows are marked as ready in one transaction. Only then the migration starts.

So a run that is killed before step 4 has destroyed nothing, and the next one starts again. After step 4 everything is
kept.

A table that a plain DROP TABLE takes away, which has neither foreign keys nor triggers, is not copied: RENAME TABLE is
sent in place of that statement. It is done or not done as a whole, which the history sees in the same way: the table is
gone from its schema. Whether it is kept shows by its being there, so that nothing has to be recorded afterwards. A run
that resumes the migration takes from the catalogue what is to be sent, as it cannot rehearse; and it is refused if a
statement is left that may take something away and was not in the file when the migration was started.

Everything else is copied. A copy is a snapshot: what is written between the copy and the statement that destroys the
original is not in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from .._core.errors import Error, coded
from .._core.stop import Stopped
from .._migration.files.reader import FileReader, dialect_of
from .._migration.model import Plan, Source, Step
from .._migration.report import few
from .._migration.statements.classified import digest
from .._migration.statements.classify import classify
from .._migration.statements.effect import OPAQUE, Effect, StatementKind
from .._migration.status import about, history_name
from .._migration.tables.history_table import HistoryTable
from .._mysql.limit import Connect
from .._mysql.rights import account
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier, text_literal
from .destroyed import Loss, Losses
from .kept import COPIED, RENAMED, STEP, Catalogue, Entry
from .scratch import PREFIX

# Bytes up to which the rows of a copy are compared, and not their number alone.
_CHEAP = 64 << 20
# A copy is made again so often if its table is written meanwhile.
_TRIES = 2
# Seconds to wait for whoever has a table locked; it may be the run itself.
_PATIENCE = 60
_WRITES_OVER = re.compile(rb"\b(?:delete|update|replace)\b", re.IGNORECASE)
# Triggers are shown only to who may make them.
_TO_RENAME = {"ALTER", "DROP", "TRIGGER"}
_SYSTEM = ("mysql", "information_schema", "performance_schema", "sys")


class Found(NamedTuple):
    """A table from which something goes, as it is now.

    :param rows: about how many.
    :param bytes: about how many, with its indexes.
    :param counter: what AUTO_INCREMENT gives next; None without one.
    :param versioned: the server keeps former versions of its rows.
    """

    rows: int
    bytes: int
    counter: Optional[int]
    versioned: bool


class _Statement(NamedTuple):
    """A statement of a file.

    :param suspect: it may take something away.
    """

    digest: str
    line: int
    kind: StatementKind
    suspect: bool


class Keeper:
    """Keeps what the migrations of a run destroy.

    :param schema: where.
    :param connect: opens a session to the database.
    :param params: the options of the state table, the history and the lock, and those about the run.
    :raises Error: it cannot be kept there, or not safely.
    """

    def __init__(self, schema: str, database: str, connect: Connect, source: Source, params: Mapping[str, Any]) -> None:
        check_schema(schema, database)
        if not params["lock"] or not history_name(params):
            raise Error(
                2202,
                "keep_destroyed needs the lock and the history, so that nothing is lost if a run is interrupted. Set "
                "lock to true and history_table to a name.",
            )
        self._schema = schema
        self._connect = connect
        self._directory = source.directory
        self._params = params
        self._lost: Mapping[tuple[int, str], Losses] = {}

    def learn(
        self,
        plan: Plan,
        result: dict[str, Any],
        lost: Mapping[tuple[int, str], Losses],
        resumes: bool,
        check_mode: bool,
    ) -> list[str]:
        """Take in what a rehearsal has found; add to it what is kept of that, and how.

        :param result: the rehearsal's; each of its migrations gets ``kept`` and ``not_kept``.
        :param lost: what goes by each migration that was rehearsed, by its version and direction.
        :param resumes: the first migration is partially applied, so that nothing was rehearsed.
        :returns: what a person should know.
        :raises Error: the account may not keep there; or nobody knows what a migration destroys, and this is a run.
        """
        self._lost = lost
        with self._connect() as session:
            catalogue = Catalogue(session, self._schema)
            catalogue.check_rights()
            # A table of that name may be something else's.
            catalogue.exists()
            if not check_mode:
                catalogue.create()
            for step, migration in zip(plan.steps, result["migrations"]):
                found = lost.get((step.version, step.direction), Losses([], []))
                keeping = _Keeping(session, catalogue, self._directory, step, self._params)
                migration["kept"] = [keeping.foretell(loss) for loss in keeping.with_children(found.losses)]
                migration["not_kept"] = found.unseen
        unknown = next((item for item in result["migrations"] if item["error"] or not item["rehearsed"]), None)
        if unknown is None or resumes:
            return []
        why = (
            f"it fails on copies: {unknown['error']}" if unknown["error"] else f"it is not rehearsed: {unknown['why']}"
        )
        text = (
            f"It is not known what {unknown['direction']} {unknown['version']} destroys, so it cannot be kept "
            f"(keep_destroyed): {why.rstrip('.')}."
        )
        if check_mode:
            return [coded(2203, f"{text} A run would be refused.")]
        raise Error(
            2204,
            f"{text} Make sure that it can be rehearsed, or leave keep_destroyed out of this run. Nothing was run.",
        )

    def before_step(self, step: Step, resumes: bool, stopped: Stopped) -> dict[str, bytes]:
        """Keep what a migration destroys; return what is to be sent in place of its statements, by their digests.

        :param resumes: it is partially applied.
        :param stopped: returns why to stop.
        :raises Error: it cannot be kept; the migration must not begin.
        """
        name = f"{step.direction} {step.version}"
        lost = self._lost.get((step.version, step.direction))
        if not resumes and lost is None:
            raise Error(
                2205,
                f"{name} was not started: it follows a partially applied migration and could not be rehearsed, so what "
                "it destroys is not known (keep_destroyed). Run again.",
            )
        try:
            with self._connect() as session:
                keeping = _Keeping(session, Catalogue(session, self._schema), self._directory, step, self._params)
                return keeping.resume() if lost is None else keeping.keep(lost.losses, stopped)
        except ServerError as error:
            raise Error(
                2206,
                f"What {name} destroys could not be kept in {self._schema} (keep_destroyed): ({error.code}) "
                f"{error.reason}. Nothing more was run. Fix the cause and run again.",
                error_code=error.code,
            ) from error


def check_schema(schema: str, database: str) -> None:
    """Make sure that a schema is one in which things can be kept.

    :raises Error: it is not.
    """
    if schema.lower() in (database.lower(), *_SYSTEM) or schema.startswith(PREFIX):
        raise Error(
            2207,
            f"keep_destroyed is {schema}, which is the database itself, the server's, or a rehearsal's. Name a schema "
            "for what is kept and nothing else, for instance dbops_kept.",
        )


def said(kept: Mapping[str, Any]) -> str:
    """Describe what is kept, or would be, in one line."""
    table, columns, partitions = kept["table"], ", ".join(kept["columns"]), ", ".join(kept["partitions"])
    what = {
        "table": f"the table {table}",
        "rows": f"all rows of {table}",
        "partition": f"the rows of {table} in {partitions}",
        "columns": f"the values of {table} in {columns}",
    }[kept["what"]]
    size = "" if kept["bytes"] is None else f", of about {kept['rows']:,} rows and {kept['bytes'] / 1e6:,.1f} MB"
    return f"{what}{size}: {kept['how']}{'' if kept['why'] is None else ', as ' + kept['why']}"


class _Keeping:
    """The keeping of what one migration destroys.

    :param session: one of its own.
    """

    def __init__(
        self, session: Session, catalogue: Catalogue, directory: str, step: Step, params: Mapping[str, Any]
    ) -> None:
        self._session = session
        self._catalogue = catalogue
        self._step = step
        self._directory = directory
        self._params = params
        self._read: Optional[list[_Statement]] = None

    def foretell(self, loss: Loss) -> dict[str, Any]:
        """Return what is kept of a loss, and how: of tables as they are now, which an earlier migration may change."""
        found = self._find(loss.table)
        why = self._why_copied(loss)
        kept = {
            "what": loss.what,
            "table": loss.table,
            "columns": list(loss.columns),
            "partitions": list(loss.partitions),
            "how": RENAMED if why is None else COPIED,
            "why": why,
            "rows": found.rows if found else None,
            "bytes": found.bytes if found else None,
        }
        return {**kept, "text": said(kept)}

    def with_children(self, losses: Sequence[Loss]) -> list[Loss]:
        """Add the tables of which rows go, or change, with those of a table that they refer to."""
        found, session = list(losses), self._session
        asked = (
            "SELECT DISTINCT table_name FROM information_schema.referential_constraints WHERE constraint_schema = %s "
            "AND unique_constraint_schema = %s AND referenced_table_name = %s AND delete_rule IN ('CASCADE', "
            "'SET NULL', 'SET DEFAULT')"
        )
        # Those that are added have their turn, too.
        for loss in found:
            arguments = (session.schema, session.schema, loss.table)
            for (name,) in session.query(asked, arguments) if loss.deletes else ():
                if not any(item.table == name and item.what in ("table", "rows") for item in found):
                    [(_name, definition)] = session.query(f"SHOW CREATE TABLE {self._place(str(name))}")
                    found.append(Loss("rows", str(name), now=str(name), deletes=True, definition=str(definition)))
        return found

    def keep(self, losses: Sequence[Loss], stopped: Stopped) -> dict[str, bytes]:
        """Keep all that goes."""
        catalogue, step = self._catalogue, self._step
        # The file is read as the migration's session will read it.
        suspects = sorted(self._suspects())
        self._set_up()
        catalogue.tidy(self._params["migrations_table"])
        since = HistoryTable(self._session, history_name(self._params)).last_id()
        own = catalogue.add(self._entry(STEP, "", COPIED, {"since": since, "suspects": suspects}))
        entries = []
        # A table may be gone, by IF EXISTS, that was there when the plan was rehearsed.
        for loss in (loss for loss in self.with_children(losses) if self._find(loss.table)):
            how = COPIED if self._why_copied(loss) else RENAMED
            details: dict[str, Any] = {
                "columns": loss.columns,
                "key": loss.key,
                "partitions": loss.partitions,
                "now": loss.now,
                "statement": loss.dropped_by if how == RENAMED else "",
                "definition": loss.definition,
            }
            entry = catalogue.add(self._entry(loss.what, loss.table, how, details))
            if how == COPIED:
                self._copy(entry, loss)
            entries.append(entry)
            reason = stopped()
            if reason is not None:
                raise Error(
                    2208,
                    f"{reason}: stopped while what {step.direction} {step.version} destroys was being kept. The "
                    "migration was not run. Run again to continue.",
                )
        catalogue.finish(own, entries)
        return self._renames(entries)

    def resume(self) -> dict[str, bytes]:
        """Return what is to be sent in place of statements, of those that are left of a migration.

        :raises Error: what is left may take away what is not kept.
        """
        step, suspects = self._step, self._suspects()
        of, there = self._params["migrations_table"], self._catalogue.exists()
        entries = [entry for entry in self._catalogue.entries() if entry.state_table == of] if there else []
        own = next((entry for entry in reversed(entries) if entry.what == STEP and entry.ready), None)
        if own is not None and (own.version, own.direction) == (step.version, step.direction) and self._goes_on(own):
            new = [text for number, text in suspects.items() if number not in own.details["suspects"]]
            if not new:
                return self._renames([entry for entry in entries if entry.id > own.id])
        elif not suspects:
            return {}
        else:
            new = list(suspects.values())
        raise Error(
            2209,
            f"What is left of {step.direction} {step.version} may destroy what is not kept (keep_destroyed), because "
            f"it was started without that, or its file was changed since: {few(new, '; ')}. Restore the file; or, if "
            "nothing has to be kept, leave keep_destroyed out of this run, which then drops what it would "
            "keep. Nothing was run.",
        )

    def _goes_on(self, own: Entry) -> bool:
        """Tell whether nothing but this migration was attempted since it was started."""
        history = HistoryTable(self._session, history_name(self._params)).table
        [(others,)] = self._session.query(
            f"SELECT COUNT(*) FROM {history} WHERE id > {int(own.details['since'])} "
            f"AND NOT (version <=> {int(own.version)} AND direction = {text_literal(own.direction)})"
        )
        return not others

    def _renames(self, entries: Sequence[Entry]) -> dict[str, bytes]:
        moves: dict[str, list[str]] = {}
        for entry in entries:
            if entry.how == RENAMED:
                move = f"{self._place(entry.table)} TO {self._catalogue.place(entry)}"
                moves.setdefault(entry.details["statement"], []).append(move)
        return {number: f"RENAME TABLE {', '.join(parts)}".encode() for number, parts in moves.items()}

    def _set_up(self) -> None:
        """Copy each value as it is, lock no row of what is copied, and do not wait for long."""
        session = self._session
        wait = self._params["lock_wait_timeout"] or _PATIENCE
        limit = "max_statement_time" if session.mariadb else "max_execution_time"
        session.query(
            "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', "
            "SESSION foreign_key_checks = 0, "
            f"SESSION {limit} = 0, SESSION lock_wait_timeout = {wait}"
        )
        [(binary_log, form)] = session.query("SELECT @@GLOBAL.log_bin, @@SESSION.binlog_format")
        # A binary log of statements takes no rows from such a transaction.
        if not (binary_log and form == "STATEMENT"):
            session.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def _entry(self, what: str, table: str, how: str, details: dict[str, Any]) -> Entry:
        ran, now = about(self._params), datetime.now(timezone.utc)
        version, direction = self._step.version, self._step.direction
        of, by, job = self._params["migrations_table"], str(ran["ran_by"]), ran["job"]
        return Entry(0, of, what, table, how, version, direction, None, False, now, by, job, details)

    def _statements(self) -> list[_Statement]:
        """Return each statement of the file."""
        if self._read is None:
            reader, self._read = FileReader(self._session, self._directory, self._step), []
            while True:
                statement = reader.take()
                if statement is None:
                    break
                effect = classify(statement.text, dialect_of(self._session)) if statement.bounded else OPAQUE
                suspect = _may_destroy(statement.text, effect)
                self._read.append(_Statement(digest(statement.text), statement.line, effect.kind, suspect))
        return self._read

    def _suspects(self) -> dict[str, str]:
        """Return the statements that may take something away, by their digests, and where they are."""
        file, statements = self._step.file or "", self._statements()
        found = {item.digest: f"{file}:{item.line}" for item in statements if item.suspect}
        if any(item.kind is StatementKind.OPAQUE for item in statements):
            # Another statement may have put its text together.
            found[digest("".join(item.digest for item in statements).encode())] = file
        return found

    def _find(self, table: str) -> Optional[Found]:
        if self._session.has_stats_expiry:
            self._session.query("SET SESSION information_schema_stats_expiry = 0")
        rows = self._session.query(
            "SELECT table_rows, data_length + index_length, auto_increment, table_type FROM information_schema.tables "
            "WHERE table_schema = %s AND table_name = %s AND table_type <> 'VIEW'",
            (self._session.schema, table),
        )
        if not rows:
            return None
        [(count, size, counter, kind), *_same_in_other_letters] = rows
        return Found(count or 0, int(size or 0), counter, kind == "SYSTEM VERSIONED")

    def _why_copied(self, loss: Loss) -> Optional[str]:
        """Return why something is copied; None if its table can be renamed."""
        if loss.what != "table":
            return "the table stays"
        if not loss.dropped_by:
            return "no plain DROP TABLE takes it away for good"
        if [item.digest for item in self._statements()].count(loss.dropped_by) != 1:
            return "the statement that drops it is in the file more than once"
        if any(item.kind is StatementKind.LOCK for item in self._statements()):
            return "the file locks tables"
        return next(filter(None, map(self._why_not_moved, loss.together)), None)

    def _why_not_moved(self, table: str) -> Optional[str]:
        """Return why a table cannot be renamed into another schema, or had better not be."""
        schema = self._session.schema
        foreign = self._session.query(
            "SELECT table_name = %s FROM information_schema.referential_constraints WHERE (constraint_schema = %s AND "
            "table_name = %s) OR (unique_constraint_schema = %s AND referenced_table_name = %s) LIMIT 1",
            (table, schema, table, schema, table),
        )
        if foreign:
            return f"{table} has foreign keys" if foreign[0][0] else f"foreign keys refer to {table}"
        held = account(self._session).rights(schema)
        if held is None or not ("ALL PRIVILEGES" in held.here or held.here >= _TO_RENAME):
            return f"the account is not known to have {', '.join(sorted(_TO_RENAME))} on the database"
        triggers = self._session.query(
            "SELECT 1 FROM information_schema.triggers WHERE event_object_schema = %s AND event_object_table = %s "
            "LIMIT 1",
            (schema, table),
        )
        if triggers:
            return f"{table} has triggers"
        if self._session.mariadb:
            return None
        # Their names must differ in a schema, and there may be more of them where it goes.
        checks = self._session.query(
            "SELECT constraint_name FROM information_schema.table_constraints WHERE table_schema = %s AND "
            "table_name = %s AND constraint_type = 'CHECK'",
            (schema, table),
        )
        named = any(not str(name).lower().startswith(f"{table}_chk_".lower()) for (name,) in checks)
        return f"{table} has CHECKs with names" if named else None

    def _copy(self, entry: Entry, loss: Loss) -> None:
        """Make a copy that is known to be whole.

        :raises Error: it is not, or cannot be.
        """
        found = self._find(loss.table)
        if found is not None and found.versioned and loss.what != "columns":
            raise Error(
                2210,
                f"{loss.table} is system-versioned, and a copy would lose its old rows (keep_destroyed). "
                f"{self._step.direction} {self._step.version} was not started. Keep them in another way, and leave "
                "keep_destroyed out of this run.",
            )
        for _try in range(_TRIES):
            rows = self._copy_columns(entry, loss) if loss.what == "columns" else self._copy_rows(entry, loss, found)
            if rows is not None:
                self._catalogue.count(entry, rows)
                return
            self._session.query(f"DROP TABLE {self._catalogue.place(entry)}")
        raise Error(
            2211,
            f"{loss.table} was written to while it was copied, so its copy may be incomplete (keep_destroyed). "
            f"{self._step.direction} {self._step.version} was not started. Stop what writes to it and run again.",
        )

    def _copy_rows(self, entry: Entry, loss: Loss, found: Optional[Found]) -> Optional[int]:
        """Copy a table, or partitions of it; return how many rows that are, None if the two are not the same."""
        session, source, place = self._session, self._place(loss.table), self._catalogue.place(entry)
        session.query(f"CREATE TABLE {place} LIKE {source}")
        of = ""
        if loss.partitions:
            session.query(f"ALTER TABLE {place} REMOVE PARTITIONING")
            of = f" PARTITION ({', '.join(map(identifier, loss.partitions))})"
        generated = "is_generated = 'NEVER'" if session.mariadb else "generation_expression = ''"
        rows = session.query(
            f"SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND "
            f"{generated} ORDER BY ordinal_position",
            (session.schema, loss.table),
        )
        names = ", ".join(identifier(str(name)) for (name,) in rows)
        session.query(f"INSERT INTO {place} ({names}) SELECT {names} FROM {source}{of}")
        if found is not None and found.counter is not None:
            session.query(f"ALTER TABLE {place} AUTO_INCREMENT = {found.counter}")
        count = self._count(place)
        same = count == self._count(f"{source}{of}")
        if same and not of and found is not None and found.bytes <= _CHEAP:
            sums = session.query(f"CHECKSUM TABLE {source}, {place}")
            same = sums[0][1] == sums[1][1]
        return count if same else None

    def _copy_columns(self, entry: Entry, loss: Loss) -> Optional[int]:
        """Copy columns with their key; return of how many rows, None if not of all."""
        source, place = self._place(loss.table), self._catalogue.place(entry)
        key, columns = (", ".join(map(identifier, names)) for names in (loss.key, loss.columns))
        self._session.query(
            f"CREATE TABLE {place} (PRIMARY KEY ({key})) ENGINE=InnoDB CHARACTER SET utf8mb4 "
            f"SELECT {key}, {columns} FROM {source}"
        )
        count = self._count(place)
        return count if count == self._count(source) else None

    def _place(self, table: str) -> str:
        return f"{identifier(self._session.schema)}.{identifier(table)}"

    def _count(self, rows: str) -> int:
        [(count,)] = self._session.query(f"SELECT COUNT(*) FROM {rows}")
        return int(count)


def _may_destroy(text: bytes, effect: Effect) -> bool:
    """Tell whether a statement may take something away, as far as its text shows; rather too often than not."""
    if effect.kind is StatementKind.DEFINITION:
        return effect.verb != b"CREATE" or effect.replaces
    if effect.kind is StatementKind.DATA:
        return _WRITES_OVER.search(text) is not None
    return effect.kind is StatementKind.OPAQUE
