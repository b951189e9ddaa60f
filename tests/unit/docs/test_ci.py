# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/ci.md and the module's documentation have every rule of migration_check."""

from __future__ import annotations

import re

import yaml
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import RULES
from ansible_collections.dbops.migrations.plugins.modules.migration_check import DOCUMENTATION
from parts import CHECKOUT


def test_the_page_has_every_rule() -> None:
    page = (CHECKOUT / "docs/ci.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (error|warning) \|", page, re.MULTILINE)
    assert dict(rows) == {rule.name: rule.severity for rule in RULES.values()}
    assert len(rows) == len(RULES)


def test_the_module_describes_every_rule() -> None:
    option = yaml.safe_load(DOCUMENTATION)["options"]["ignore"]
    assert option["choices"] == [*RULES]
    severities = {
        name: "error" if text.startswith("Errors") else "warning"
        for text in option["description"]
        for name in re.findall(r"V\((\w+)\)", text)
    }
    assert severities == {rule.name: rule.severity for rule in RULES.values()}
