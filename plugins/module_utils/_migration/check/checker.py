# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applies all rules to a directory of migrations. No server is queried, but the results of a trial can be passed in.

Private to the collection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from ..._core.errors import Error
from ..._core.paths import native
from ..files.directives import Directive
from ..files.directory import FileName, parse_name, read_names
from ..files.lexer import Dialect
from ..guards import GUARDS
from . import charset, clauses, destroy, names, references, schemas, transactions, tried, whole
from .finding import ERROR, Finding, Found, Rule, printable
from .script import Script, read_script

_Judge = Callable[[Script], Iterator[Found]]
_OF_FILES: tuple[tuple[Rule, _Judge], ...] = (
    (whole.EMPTY_FILE, whole.empty),
    (whole.INCOMPLETE, whole.incomplete),
    (whole.PORTABILITY, whole.portability),
    (whole.DIRECTIVE, lambda script: whole.directives(script, {*RULES, *GUARDS})),
)
_OF_STATEMENTS: tuple[tuple[Rule, _Judge], ...] = (
    (clauses.RULE, clauses.judge),
    (references.INLINE_REFERENCES, references.inline),
    (references.FOREIGN_KEY_INDEX, references.unindexed),
    (transactions.RULE, transactions.judge),
    (destroy.RULE, destroy.judge),
    (charset.RULE, charset.judge),
    (schemas.RULE, schemas.judge),
)
RULES: dict[str, Rule] = {
    rule.name: rule for rule in (*names.RULES, *(rule for rule, _judge in (*_OF_FILES, *_OF_STATEMENTS)), *tried.RULES)
}
# Nobody says which server will read the files. They read differently what holds one of these.
_MARIADB, _MYSQL = Dialect(mariadb=True, version=110800), Dialect(mariadb=False, version=90700)
_READ_DIFFERENTLY = (b"/*!", b"/*M!", b"$")


class Checked(NamedTuple):
    """What was found.

    :param directory: the directory's path within its Git repository, which is how a merge request names files; as it
        was given if it is in none.
    :param files: the paths of the files that were looked at.
    """

    directory: str
    files: list[str]
    findings: list[Finding]


def check_directory(
    directory: str, ignore: Collection[str] = (), known: Iterable[tuple[str, Rule, Found]] = ()
) -> Checked:
    """Look at each file of a directory that is a migration's, or looks like one.

    :param ignore: names of rules that do not apply.
    :param known: what else is known of files, by their names.
    :raises Error: the directory or a file cannot be read.
    """
    all_names, shown = read_names(directory), _in_repository(directory)
    files = [file for file in map(parse_name, all_names) if file is not None]
    found: dict[str, list[tuple[Rule, Found]]] = {file.name: [] for file in files}
    for name, rule, one in (*names.judge(all_names), *known):
        found.setdefault(name, []).append((rule, one))
    for file in files:
        found[file.name] = check_script(_read(directory, file), file.direction, found[file.name])
    findings = [
        Finding(_path(shown, name), one.line, rule.name, rule.severity, one.what, one.advice(rule))
        for name, some in sorted(found.items())
        for rule, one in sorted(some, key=lambda pair: (pair[1].line, pair[0].severity != ERROR, pair[0].name))
        if rule.name not in ignore
    ]
    return Checked(printable(shown), [_path(shown, name) for name in sorted(found)], findings)


def check_script(text: bytes, direction: str, about: Iterable[tuple[Rule, Found]] = ()) -> list[tuple[Rule, Found]]:
    """Return what is found in a file's text and in what is known about it already, without what the text allows.

    A file that only one kind of server can read as a whole is one for this kind. Of another one, what is wrong with the
    file must be so for both kinds, and what is wrong with a statement for one of them.
    """
    scripts = [read_script(text, direction, _MARIADB)]
    if any(mark in text for mark in _READ_DIFFERENTLY):
        scripts.append(read_script(text, direction, _MYSQL))
    readable = [script for script in scripts if not any(whole.incomplete(script))] or scripts[:1]
    found = [*about]
    for rule, judge in _OF_FILES:
        readings = [[*judge(script)] for script in readable]
        found += [(rule, one) for one in readings[0] if all(one in others for others in readings)]
    for rule, judge in _OF_STATEMENTS:
        found += [(rule, one) for one in dict.fromkeys(one for script in readable for one in judge(script))]
    return [(rule, one) for rule, one in found if not _is_allowed(rule, one, readable[0].directives)]


def _is_allowed(rule: Rule, found: Found, directives: Iterable[Directive]) -> bool:
    return any(directive.allows(rule.name, found.statement, found.names) for directive in directives)


def _in_repository(directory: str) -> str:
    whole = os.path.abspath(directory)
    above = whole
    while not os.path.lexists(native(os.path.join(above, ".git"))):
        above, below = os.path.dirname(above), above
        if above == below:
            return directory
    return os.path.relpath(whole, above)


def _path(directory: str, name: str) -> str:
    return printable(os.path.join(directory, name))


def _read(directory: str, file: FileName) -> bytes:
    path = os.path.join(directory, file.name)
    try:
        with open(native(path), "rb") as stream:
            return stream.read()
    except OSError as error:
        raise Error(1606, f"{printable(path)} cannot be read: {error.strerror}.") from error
