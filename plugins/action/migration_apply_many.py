# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs migration_apply_many, with the plugin of migration_apply."""

from __future__ import annotations

from ansible_collections.dbops.migrations.plugins.action.migration_apply import ActionModule

__all__ = ["ActionModule"]
