# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Masking of secrets where ansible-core can do it. Private to the collection."""

from __future__ import annotations

try:
    # Since ansible-core 2.22 a registered text is masked in everything that Ansible prints,
    # while the registered variable keeps it.
    from ansible.module_utils.secrets import register_secret as _register
except ImportError:
    _register = None


def register_secret(text: str | None) -> None:
    """Have Ansible mask ``text`` from now on; before ansible-core 2.22, ``no_log`` has to do it."""
    if text and _register is not None:
        _register(text)
