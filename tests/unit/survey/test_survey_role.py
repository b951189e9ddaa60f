# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role survey and its playbook make of their variables."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.dbops.migrations.plugins.lookup.hosts_pattern import LookupModule
from parts import CHECKOUT

ROLE = CHECKOUT / "roles" / "survey"


@pytest.mark.parametrize(
    ("sources", "place"),
    [
        (["/srv/hosts"], "/srv/survey"),
        # Not in the folder, where it would be mistaken for a part of the inventory.
        (["/srv/production"], "/srv/survey"),
        (["/srv/production/hosts"], "/srv/production/survey"),
        (["seen,", "/srv/hosts"], "/srv/survey"),
    ],
)
def test_the_report_lies_beside_the_inventory(sources: list[str], place: str) -> None:
    loader = DataLoader()
    # Before ansible-core 2.19 there was no text that is not a template.
    trust = (
        {"trusted_as_template": True} if "trusted_as_template" in signature(loader.load_from_file).parameters else {}
    )
    variables = loader.load_from_file(str(ROLE / "vars" / "main.yml"), **trust)
    templar = Templar(loader=loader, variables={**variables, "ansible_inventory_sources": sources})
    assert templar.template(variables["__survey_beside"]) == place


@pytest.mark.parametrize("hosts", ["", " , ", [], ["", " "]])
def test_an_empty_pattern_is_refused(hosts: Any) -> None:
    with pytest.raises(AnsibleLookupError, match="The host pattern is empty"):
        LookupModule().run([hosts], {})
