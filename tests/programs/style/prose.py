# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read in a file: of Python, the strings, the comments and the names of tests; of the rest, all."""

from __future__ import annotations

import bisect
import io
import re
import token
import tokenize
from dataclasses import dataclass
from pathlib import Path

# In place of a name or a value, which can be any word.
NAME = "X"
# In place of code, and of a blank line: no pattern matches across it.
BREAK = "\n"
_CODE = "\0"

_STRING = re.compile(r"(\w*)(\"{3}|'{3}|\"|')(.*)\2", re.DOTALL)
_PLACEHOLDER = re.compile(r"(?<!\{)\{[^{}]+\}")
_ESCAPE = re.compile(r"\\[abfnrtv0]")
_INLINE_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)(?:(?!\n\n).)+?(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*#+", re.MULTILINE)
# Since Python 3.12 the parts of an f-string are tokens.
_F_START, _F_MIDDLE, _F_END = (getattr(token, f"FSTRING_{part}", -1) for part in ("START", "MIDDLE", "END"))


@dataclass(frozen=True)
class Prose:
    """A text in which each run of whitespace is one space, and the lines that its words come from."""

    text: str
    starts: list[int]
    lines: list[int]

    def line(self, position: int) -> int:
        return self.lines[bisect.bisect_right(self.starts, position) - 1]


def read(path: Path) -> Prose:
    """Return what people read in a file."""
    text = path.read_text()
    if path.suffix == ".py":
        text = _python(text)
    elif path.suffix == ".md":
        text = _INLINE_CODE.sub(_name, text)
    else:
        text = _COMMENT.sub(_blank, text)
    return _flatten(text)


def _flatten(text: str) -> Prose:
    parts: list[str] = []
    starts, lines = [], []
    position, line = 0, 1
    for piece in re.findall(rf"[\s{_CODE}]+|[^\s{_CODE}]+", text):
        starts.append(position)
        lines.append(line)
        newlines = piece.count("\n")
        if _CODE in piece or newlines > 1:
            parts.append(BREAK)
        else:
            parts.append(" " if piece.isspace() else piece)
        position += len(parts[-1])
        line += newlines
    return Prose("".join(parts), starts, lines)


def _python(source: str) -> str:
    """Return a source with its lines where they were, and without everything that is not prose."""
    offsets = [0]
    for line in source.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    result = list(source)
    # The braces that are open in each f-string around a token: what is between them, a format included, is not prose.
    inside: list[int] = []
    previous = ""
    for kind, text, (row, column), (last_row, last_column), _ in tokenize.generate_tokens(io.StringIO(source).readline):
        start, end = offsets[row - 1] + column, offsets[last_row - 1] + last_column
        if kind == _F_START:
            inside.append(0)
        elif kind == _F_END:
            inside.pop()
        elif inside and kind == token.OP:
            inside[-1] += (text == "{") - (text == "}")
        if kind == token.STRING and not inside:
            result[start:end] = _string(text)
        elif kind == token.COMMENT:
            result[start] = " "
        elif kind == _F_MIDDLE and not inside[-1]:
            result[start:end] = _ESCAPE.sub(_blank, source[start:end])
        elif kind in (_F_START, _F_END):
            result[start:end] = _blank(text)
        elif previous == "def" and text.startswith("test_"):
            result[start:end] = text.replace("_", " ")
        elif text.strip():
            result[start:end] = (NAME if inside else _CODE) * (end - start)
        previous = text
    return "".join(result)


def _string(literal: str) -> str:
    """Return a string literal without its quotes, and a name in place of each placeholder."""
    match = _STRING.fullmatch(literal)
    if match is None:
        return _blank(literal)
    prefix, quotes, text = match.groups()
    if "f" in prefix.lower():
        text = _PLACEHOLDER.sub(_name, text)
    if "r" not in prefix.lower():
        text = _ESCAPE.sub(_blank, text)
    return _blank(prefix + quotes) + text + _blank(quotes)


def _blank(text: str | re.Match[str]) -> str:
    return " " * len(text if isinstance(text, str) else text[0])


def _name(match: re.Match[str]) -> str:
    return re.sub(r"\S", NAME, match[0])
