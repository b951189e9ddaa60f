# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every sample of output in docs that needs no run is compared: with what the code says about such facts."""

from __future__ import annotations

import re
from pathlib import Path

from parts.samples import DOCS, block


def test_every_marked_page_is_compared() -> None:
    """What is compared of a page is all that is marked in it, and nothing else."""
    tests = Path(__file__).parent.glob("test_shown_*.py")
    compared = [page for test in tests for page in re.findall(r'compare\("([\w-]+\.md)", "output"', test.read_text())]
    marked = [page.name for page in DOCS.glob("*.md") if block("output").search(page.read_text())]
    assert sorted(compared) == sorted(marked)
