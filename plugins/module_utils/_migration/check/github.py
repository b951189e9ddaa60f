# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings as the commands by which GitHub shows them beside the lines of a merge request. Private to the collection.

Source: GitHub Docs, "Workflow commands for GitHub Actions"; how values are escaped, by actions/toolkit,
``packages/core/src/command.ts``.
"""

from __future__ import annotations

from collections.abc import Iterable

from .finding import ERROR, Finding

_IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def workflow_commands(findings: Iterable[Finding]) -> str:
    """Return a line for each finding, errors first, as GitHub shows only so many."""
    ordered = sorted(findings, key=lambda finding: finding.severity != ERROR)
    return "".join(f"{_command(finding)}\n" for finding in ordered)


def _command(finding: Finding) -> str:
    values = {"file": finding.file, "line": finding.line, "title": finding.rule}
    properties = ",".join(f"{name}={str(value).translate(_IN_PROPERTY)}" for name, value in values.items())
    return f"::{finding.severity} {properties}::{finding.text.translate(_IN_TEXT)}"
