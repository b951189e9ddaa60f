# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a trial runs: statements, pieces of a file, and files."""

from __future__ import annotations

from dataclasses import dataclass, field

# The schema of the migrations, and one beside it.
SCHEMA, OTHER = "soak", "soak_other"


@dataclass(frozen=True)
class Statement:
    """One statement, without its delimiter.

    :ivar parts: how its effects are taken back if only a part of them is there; empty if it has all of them or none.
    :ivar holds: what comes after it needs what its session alone has (a temporary table), until one that lets go.
    :ivar lets_go: it ends that need.
    """

    sql: bytes
    parts: tuple[str, ...] = ()
    holds: bool = False
    lets_go: bool = False


@dataclass
class Piece:
    """Statements that belong together.

    :ivar between: the custom delimiter between which they stand, one after the other with their own ``;``.
    :ivar before: what a client does beforehand.
    :ivar watch: questions that show effects outside of the schema; the answers are one column of numbers or texts.
    :ivar not_killed: the server is not to be killed, because it forgets what the piece does.
    :ivar by_hand: where its statements end cannot be known; a person has to say what is to be run.
    :ivar after: what undoes the piece's effects outside of the schema.
    """

    statements: list[Statement]
    between: bytes = b""
    before: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    not_killed: bool = False
    by_hand: bool = False
    after: tuple[str, ...] = ()

    def text(self) -> bytes:
        texts = [statement.sql for statement in self.statements]
        if not self.between:
            return b"".join(text + b";\n" for text in texts)
        start = b"DELIMITER " + self.between + b"\n"
        return start + b";\n".join(texts) + self.between + b"\nDELIMITER ;\n"


@dataclass
class File:
    """One migration's file in one direction."""

    version: int
    direction: str
    pieces: list[Piece]
    head: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.version}_work.{self.direction}.sql"

    @property
    def statements(self) -> list[Statement]:
        return [statement for piece in self.pieces for statement in piece.statements]

    def text(self, bad: tuple[int, bytes] | None = None) -> bytes:
        """Return the file's text, with one of its statements (from 0) replaced by another one."""
        found, number = self.head, 0
        for piece in self.pieces:
            statements = list(piece.statements)
            if bad is not None and number <= bad[0] < number + len(statements):
                statements[bad[0] - number] = Statement(bad[1])
            found += Piece(statements, piece.between).text()
            number += len(statements)
        return found


@dataclass
class Work:
    """All files of a trial, in the order in which they are run; with ``down`` the last ones are taken back.

    :ivar kind: what the trial is about.
    """

    kind: str
    ups: list[File]
    downs: list[File] = field(default_factory=list)

    @property
    def pieces(self) -> list[Piece]:
        return [piece for file in (*self.ups, *self.downs) for piece in file.pieces]

    @property
    def not_killed(self) -> bool:
        return any(piece.not_killed for piece in self.pieces)
