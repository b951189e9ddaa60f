# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing that comes from a secret, a server or a repository is a template on the controller.

On each ansible-core it is a part of ``make test-cores``, and with each Python of ``make test-matrix``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.roles.hostile import tries
from integration.roles.support import Team
from parts import cores
from parts.secretsmanager import SecretsManager

if TYPE_CHECKING:
    from conftest import RunPlaybook


def test_nothing_is_a_template(
    playbook: RunPlaybook, team: Team, secrets_manager: SecretsManager, tmp_path: Path
) -> None:
    # What AWX adds to a run is more to go wrong.
    assert tries(playbook, team, secrets_manager, tmp_path, ways=[True]) == []


@pytest.mark.cores
@pytest.mark.parametrize("core", cores.CORES)
def test_nothing_is_a_template_on_every_core(
    playbook: RunPlaybook, team: Team, secrets_manager: SecretsManager, tmp_path: Path, core: str
) -> None:
    assert tries(playbook, team, secrets_manager, tmp_path, cores.programs(core)) == []
