# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which the survey is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Found, Overview
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import Page

_PLUGINS = "ansible_collections.dbops.migrations.plugins"


def drawn(whole: Overview, found: Sequence[Found], sheets: Sequence[Page]) -> dict[str, str]:
    """Return the page and the maps by the names of their files."""
    mapping = import_module(f"{_PLUGINS}.module_utils._survey.analysis.mapping")
    svg, mermaid, page = (
        import_module(f"{_PLUGINS}.plugin_utils.survey.{name}") for name in ("svg", "mermaid", "page")
    )
    chart = mapping.chart(whole)
    drawing = svg.svg(chart)
    return {
        "index.html": page.page(whole, found, sheets, drawing),
        "map.svg": drawing,
        "map.mmd": mermaid.mermaid(chart),
    }
