# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings as JUnit XML, which GitLab, Jenkins and others show. Private to the collection.

A finding that fails the check is a test that failed, any other one a test that was skipped, and a file without
findings a test that passed.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.etree import ElementTree

from .checker import Checked

_SUITE = "dbops.migrations.check"


def junit(checked: Checked, failing: Collection[str]) -> bytes:
    """Return the document.

    :param failing: the severities that fail the check.
    """
    clean = sorted({*checked.files} - {finding.file for finding in checked.findings})
    failures = sum(finding.severity in failing for finding in checked.findings)
    numbers = {"tests": len(clean) + len(checked.findings), "failures": failures}
    numbers["skipped"] = len(checked.findings) - failures
    suite = ElementTree.Element("testsuite", {"name": _SUITE, **{name: str(n) for name, n in numbers.items()}})
    for finding in checked.findings:
        name = f"{finding.file}:{finding.line}: {finding.rule}"
        case = _case(suite, finding.file, name)
        if finding.severity in failing:
            failure = ElementTree.SubElement(case, "failure", {"type": finding.rule, "message": finding.what})
            failure.text = finding.text
        else:
            ElementTree.SubElement(case, "skipped", {"message": finding.text})
    for file in clean:
        _case(suite, file, file)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return text


def _case(suite: ElementTree.Element, file: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"classname": file, "name": name, "file": file})
