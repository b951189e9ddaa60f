# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of words.yml, and where they are found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from .prose import Prose


@dataclass(frozen=True)
class Word:
    """A pattern that no text may match, and what to write instead."""

    find: str
    pattern: re.Pattern[str]
    better: str
    examples: list[str]
    allowed: list[str]


@dataclass(frozen=True)
class Finding:
    """A match of a word."""

    line: int
    text: str
    better: str


def load(path: Path) -> list[Word]:
    """Return the words of a file."""
    return [
        Word(
            entry["find"],
            re.compile(rf"(?<!\w)(?:{entry['find']})(?!\w)", re.IGNORECASE),
            entry["better"],
            entry.get("examples", [entry["find"]]),
            entry.get("allowed", []),
        )
        for entry in yaml.safe_load(path.read_text())
    ]


WORDS = load(Path(__file__).with_name("words.yml"))


def check(prose: Prose, words: Iterable[Word]) -> list[Finding]:
    """Return every match of the words, in the order of the lines."""
    found = [
        Finding(prose.line(match.start()), match[0], word.better)
        for word in words
        for match in word.pattern.finditer(prose.text)
    ]
    return sorted(found, key=lambda finding: finding.line)
