# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages of made-up infrastructures, and pictures of them: ``python -m programs.pictures.survey FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import chart
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.notes import notes
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Inputs, overview
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.mermaid import mermaid
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.page import page
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.sheets import sheet
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import svg
from parts.chromium import Browser
from parts.infrastructure import five, many

_HOVERED = "document.querySelector('[data-node=group_returns_worker]').dispatchEvent(new Event('pointerenter'))"


def write(inputs: Inputs, folder: Path) -> Path:
    """Write the page and the map into a folder, and return the page."""
    whole = overview(inputs)
    drawing = svg(chart(whole))
    (folder / "map.mmd").write_text(mermaid(chart(whole)), encoding="utf-8")
    (folder / "map.svg").write_text(drawing, encoding="utf-8")
    file = folder / "index.html"
    sheets = [sheet(facts, whole) for facts in whole.facts.values()]
    file.write_text(page(whole, notes(whole), sheets, drawing), encoding="utf-8")
    return file


def main(folder: Path) -> None:
    """Take the pictures for the documentation."""
    with tempfile.TemporaryDirectory() as name, Browser() as browser:
        file = write(five(), Path(name))
        browser.open(file, 1440, 1120)
        browser.photograph(folder / "desktop.png")
        browser.open(file, 390, 844, dark=True)
        browser.photograph(folder / "phone.png")
        browser.open(write(many(200), Path(name)), 1440, 900, scale=0.75)
        browser.evaluate(f"document.getElementById('map').scrollIntoView(); {_HOVERED}")
        browser.photograph(folder / "200-hosts.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
