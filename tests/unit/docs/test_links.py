# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links between the Markdown files of the repository lead somewhere; make docs-links is for those to other sites."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import CHECKOUT

FENCE = re.compile(r"^( *)(```+).*?^\1\2", re.MULTILINE | re.DOTALL)
# What the site has and the repository has not.
GENERATED = {"docs/changelog.md", "docs/contributing.md", "docs/reference/index"}


def pages() -> list[Path]:
    found = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md"), *CHECKOUT.glob("roles/*/README.md")]
    return sorted(path for path in found if path.name != "CHANGELOG.md")


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub and the site give to a page's headings."""
    headings = re.findall(r"^#+ +(.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _sign, anchor = target.partition("#")
        there = (page.parent / place).resolve() if place else page
        name = f"{page.relative_to(CHECKOUT)}: {target}"
        if str(there.relative_to(CHECKOUT)) in GENERATED:
            continue
        if not there.exists():
            yield f"{name}: there is no such file"
        elif anchor and anchor not in anchors(there):
            yield f"{name}: there is no such heading"


def test_links_lead_somewhere() -> None:
    assert [line for page in pages() for line in broken(page)] == []


def test_one_that_leads_nowhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n[a](page.md#a-page) [b](page.md#b) [c](gone.md) [d](https://example.com/gone)\n")
    monkeypatch.setitem(globals(), "CHECKOUT", tmp_path)
    assert list(broken(page)) == [
        "page.md: page.md#b: there is no such heading",
        "page.md: gone.md: there is no such file",
    ]


def test_the_readme_is_short() -> None:
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
