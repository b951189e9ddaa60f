# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the texts that people read against words.yml: ``python -m programs.style [PATH ...]``.

Without a path, the whole checkout. Not Vale, because it reads the comments of a Python program but not its strings,
which hold the messages and the documentation.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from parts import CHECKOUT

from . import prose
from .words import WORDS, Finding, check

SUFFIXES = (".md", ".py", ".yml", ".yaml", ".toml", ".sh", ".js", "Makefile")
# The words themselves, the licences' texts, and what is generated from texts that are checked.
EXCLUDED = ("tests/programs/style/words.yml", "tests/unit/style/", "LICENSES/", "CHANGELOG.md", "examples/survey/")


def files(checkout: Path, paths: Sequence[str]) -> list[str]:
    """Return the names of the files to check, those that Git ignores left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    names = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(
        name
        for name in names
        if name.endswith(SUFFIXES) and not name.startswith(EXCLUDED) and (checkout / name).is_file()
    )


def findings(checkout: Path, paths: Sequence[str] = ()) -> list[tuple[str, Finding]]:
    """Return what is found in each file, in order."""
    return [(name, finding) for name in files(checkout, paths) for finding in check(prose.read(checkout / name), WORDS)]


def main(checkout: Path, paths: Sequence[str]) -> int:
    """Print what is found; return the exit code."""
    found = findings(checkout, paths)
    for name, finding in found:
        print(f'{name}:{finding.line}: "{finding.text}": {finding.better}')
    print(f"{len(found)} finding{'s' * (len(found) != 1)}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(CHECKOUT, sys.argv[1:]))
