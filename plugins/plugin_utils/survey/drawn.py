# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which the survey is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import chart
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Found, Overview
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import Page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.mermaid import mermaid
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.page import page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import svg


def drawn(whole: Overview, found: Sequence[Found], sheets: Sequence[Page]) -> dict[str, str]:
    """Return the page and the maps by the names of their files."""
    picture = chart(whole)
    drawing = svg(picture)
    return {
        "index.html": page(whole, found, sheets, drawing),
        "map.svg": drawing,
        "map.mmd": mermaid(picture),
    }
