# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rule is and what it finds. Private to the collection. Imports nothing of ours."""

from __future__ import annotations

from typing import NamedTuple, Optional

ERROR, WARNING = "error", "warning"


class Rule(NamedTuple):
    """One rule.

    :param name: as options and comments name it.
    :param severity: ``error`` for what cannot be right, ``warning`` for what a person should look at.
    :param advice: one sentence on what to do, in which NAME stands for what is found.
    """

    name: str
    severity: str
    advice: str


class Found(NamedTuple):
    """What a rule has found in a file.

    :param what: one sentence.
    :param line: where, from 1.
    :param statement: the line on which the statement begins that it is about; None if it is about the file.
    :param names: what the statement does it to, as a comment that allows it names it.
    """

    what: str
    line: int = 1
    statement: Optional[int] = None
    names: tuple[str, ...] = ()

    def advice(self, rule: Rule) -> str:
        """Return a rule's advice about it; a name that a comment cannot hold, or that is unknown, is left out."""
        name = self.names[0] if self.names else ""
        return rule.advice.replace(" NAME", f" {name}" if len(name.split()) == 1 else "")


class Finding(NamedTuple):
    """What is told a person; the texts hold nothing but what can be printed.

    :param file: the path of the file, as it was given.
    """

    file: str
    line: int
    rule: str
    severity: str
    what: str
    advice: str

    @property
    def text(self) -> str:
        """What, and what to do."""
        return f"{self.what} {self.advice}"


def printable(text: str) -> str:
    """Return a text in which nothing is left that steers a terminal, ends a line, or is not a character of XML."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
