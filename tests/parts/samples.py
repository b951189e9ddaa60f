# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The samples of output in the pages: where they are, and whether they are what the code says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from textwrap import fill

from . import CHECKOUT

DOCS = CHECKOUT / "docs"
# WRITE_SAMPLES=1 in the environment writes the pages again, when the words of a message have changed.
WRITES = "WRITE_SAMPLES" in os.environ


def block(kind: str, name: str = r"\w+") -> re.Pattern[str]:
    """Return what finds a block of text, and before it the sample's name in a comment, which nobody sees on a page.

    Its groups are what is before the text, the name in that, the text, and the end.
    """
    return re.compile(rf"(<!-- {kind}: ({name}) -->\n+```\w+\n)(.*?)(```)", re.DOTALL)


def compare(page: str, kind: str, shown: Mapping[str, str], alike: Callable[[str], object] = str) -> None:
    """Compare the samples of a page with what was shown, or write them there; the page breaks a text of one line.

    :param shown: the text of each sample.
    :param alike: returns what has to be the same of a text.
    """
    path = DOCS / page
    text = path.read_text("utf-8")
    assert sorted(found[1] for found in block(kind).findall(text)) == sorted(shown)
    for name, value in shown.items():
        lines = value if "\n" in value else fill(value, 116, break_on_hyphens=False) + "\n"
        [found] = block(kind, name).finditer(text)
        if WRITES:
            text = f"{text[: found.start(3)]}{lines}{text[found.end(3) :]}"
        else:
            assert alike(found[3]) == alike(lines)
    if WRITES:
        path.write_text(text, "utf-8")
