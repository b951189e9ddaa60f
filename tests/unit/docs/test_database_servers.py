# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/versions.md says about database servers what the code does, and its next edition will say the same."""

from __future__ import annotations

import re

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.versions import Support, read_version
from parts import CHECKOUT, servers
from programs.matrix.report import SERVERS, page


def row(name: str) -> list[str]:
    """Return the cells of a row of the table of limits: MySQL's and MariaDB's."""
    [line] = [line for line in SERVERS.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def support(product: str, version: str) -> Support:
    return read_version(f"{version}.0-MariaDB" if product == "MariaDB" else f"{version}.0").support


def test_the_page_has_what_the_next_edition_will_have() -> None:
    assert f"\n{SERVERS}\n" in (CHECKOUT / "docs/versions.md").read_text()
    assert f"\n{SERVERS}\n" in page([], [], {})


@pytest.mark.parametrize(
    ("name", "expected"), [("supported", Support.SUPPORTED), ("work, with a warning", Support.OLD)]
)
def test_what_the_table_says_is_so(name: str, expected: Support) -> None:
    for product, cell in zip(("MySQL", "MariaDB"), row(name)):
        assert {support(product, version) for version in re.findall(r"\d+\.\d+", cell)} == {expected}


def test_what_is_older_is_refused() -> None:
    for product, cell, older in zip(("MySQL", "MariaDB"), row("refused"), ("5.5", "10.1")):
        [oldest] = re.findall(r"\d+\.\d+", cell)
        assert support(product, oldest) is Support.OLD
        assert support(product, older) is Support.REFUSED


def test_the_readme_agrees() -> None:
    mysql, mariadb = row("supported")
    assert f"MySQL {mysql} and MariaDB {mariadb}" in (CHECKOUT / "README.md").read_text()


def test_each_server_of_the_tests_is_named() -> None:
    named = re.findall(r"^\| (MariaDB|MySQL) (\d+\.\d+)\.\d+ \|", SERVERS, re.MULTILINE)
    assert len(named) == len(servers.SERVERS)
    found = {f"{product.lower()}-{version}" for product, version in named}
    assert {name for name in servers.SERVERS if "-" in name} <= found
