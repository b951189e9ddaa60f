# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests of rehearsals: those of the modules that migrate."""

from __future__ import annotations

from integration.migration.conftest import forks, here, pytest_generate_tests, server, there

__all__ = ["forks", "here", "pytest_generate_tests", "server", "there"]
