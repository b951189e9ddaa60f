# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where a module starts and where an error becomes a failure. Private to the collection."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .arguments import ArgumentSpec
from .errors import Error

# Objects beyond those given back; Python's own figure is 700.
_ALLOCATIONS = 10_000


def run_module(spec: ArgumentSpec, action: Callable[[AnsibleModule], dict[str, Any]]) -> None:
    """Run ``action`` as an Ansible module that supports check mode.

    :param spec: the module's options.
    :param action: takes the module, returns its return values; raises Error for whatever a user can mend.
    """
    # What has been imported stays: the collector need not go through it again, nor as often as it would.
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)
    module = AnsibleModule(supports_check_mode=True, **spec.kwargs())
    try:
        result = action(module)
    except Error as error:
        module.fail_json(msg=str(error), **error.results)
    module.exit_json(**result)
