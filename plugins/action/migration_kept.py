# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs migration_kept; failures are reported as those of a step of the role."""

from __future__ import annotations

from ansible_collections.dbops.migrations.plugins.plugin_utils.step import Step as ActionModule

__all__ = ["ActionModule"]
