# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task of the role migrate costs the controller before a module runs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any

import pytest
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible_collections.dbops.migrations.plugins.action.git_fetch import ActionModule as Fetch
from ansible_collections.dbops.migrations.plugins.action.migration_force import ActionModule as Force

_PLUGINS = ("role_variables", "git_fetch", "migration_apply", "migration_info", "migration_report")
_LOADED = """
import sys
from importlib import import_module
for name in {plugins}:
    import_module("ansible_collections.dbops.migrations.plugins.action." + name)
print([name for name in sys.modules if "module_utils._mysql" in name or "_migration.files" in name])
"""


def test_the_controller_loads_no_code_that_talks_to_a_server_or_reads_migrations() -> None:
    """Ansible compiles what its plugins import again in each run."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED.format(plugins=_PLUGINS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("plugin", [Fetch, Force])
def test_the_collector_leaves_what_was_there_before_a_module_is_packed(
    plugin: type[NormalAction], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it goes through all of it again and again while Ansible parses the module."""
    left: list[int] = []

    def pack(_self: NormalAction, **_given: Any) -> dict[str, Any]:
        left.append(gc.get_freeze_count())
        return {"changed": False}

    monkeypatch.setattr(NormalAction, "run", pack)
    gc.unfreeze()
    action = object.__new__(plugin)
    try:
        if isinstance(action, Fetch):
            action._fetch({})
        else:
            action.run(task_vars={"inventory_hostname": "shop"})
        assert left[0] > 0
    finally:
        gc.unfreeze()
