# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection with a stand-in for the module survey_report, until it is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import CHECKOUT

STUB = Path(__file__).with_name("stub_survey_report.py")


@pytest.fixture(scope="session")
def with_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment in which Ansible finds it."""
    if (CHECKOUT / "plugins/modules/survey_report.py").exists():
        return {}
    folder = tmp_path_factory.mktemp("collections")
    place = folder / "ansible_collections/dbops/migrations"
    (place / "plugins/modules").mkdir(parents=True)
    for within in (".", "plugins", "plugins/modules"):
        for path in (CHECKOUT / within).iterdir():
            if not (place / within / path.name).exists() and not path.name.startswith("."):
                (place / within / path.name).symlink_to(path)
    (place / "plugins/modules/survey_report.py").symlink_to(STUB)
    return {"ANSIBLE_COLLECTIONS_PATH": str(folder)}
