# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what Ansible packs with a module in $DBOPS_MODULES: finding that takes a quarter of a small playbook's time.

What is kept counts until a file of the collection changes. Without the variable Ansible packs as usual.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import ansible
from ansible.executor import module_common
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: keep_packed
type: aggregate
short_description: Packed modules that are kept
description:
  - For the tests.
"""

UTILS = Path(__file__).parents[2] / "plugins" / "module_utils"
# Ansible's own, not of its interface.
_find = module_common.recursive_finder


def _find_once(name: str, full_name: str, text: Any, archive: zipfile.ZipFile, *more: Any, **named: Any) -> Any:
    """Add what a module imports to its archive, as Ansible does."""
    files = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in UTILS.rglob("*.py"))
    state = (bytes(text), files)
    maker = hashlib.sha256(repr((ansible.__file__, sys.version, archive.compression)).encode()).hexdigest()[:16]
    kept = Path(os.environ["DBOPS_MODULES"], f"{full_name}-{maker}")
    known, found, members = pickle.loads(kept.read_bytes()) if kept.exists() else (None, None, [])
    if known != state:
        own = zipfile.ZipFile(io.BytesIO(), "w", archive.compression)
        found = _find(name, full_name, text, own, *more, **named)
        members = [(info, own.read(info)) for info in own.infolist()]
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        unfinished.write_bytes(pickle.dumps((state, found, members)))
        unfinished.rename(kept)
    for info, content in members:
        archive.writestr(info, content)
    return found


class CallbackModule(CallbackBase):
    """Nothing is called back: Ansible has loaded this file before it packs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "keep_packed"


# Another account packs as usual.
if os.access(os.environ.get("DBOPS_MODULES", ""), os.W_OK):
    module_common.recursive_finder = _find_once
