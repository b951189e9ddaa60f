# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at the documentation's site in a browser: ``python -m integration.site.pictures SITE FOLDER``.

Four of its pages are photographed, each on a desktop, on a phone, and with dark colours. Every page is looked at with
axe-core, in both colours, and must not be wider than a phone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from parts.chromium import Browser

PHOTOGRAPHED = {"start": "index", "guide": "roll-back", "role": "reference/migrate_role", "messages": "messages"}
DESKTOP, PHONE = (1440, 900), (390, 844)
# What a page has that is wider than the window, except for what scrolls in a box of its own.
_WIDTH = "document.documentElement.scrollWidth"


def photograph(browser: Browser, site: Path, folder: Path) -> None:
    """Take the pictures."""
    for name, page in PHOTOGRAPHED.items():
        for kind, size, dark in (("desktop", DESKTOP, False), ("dark", DESKTOP, True), ("phone", PHONE, False)):
            browser.open(site / f"{page}.html", *size, dark=dark, scale=0.6 if size == DESKTOP else 1)
            browser.photograph(folder / f"{name}-{kind}.png")


def findings(browser: Browser, site: Path) -> Iterator[str]:
    """Yield what is wrong with the pages, a line each."""
    for page in sorted(site.rglob("*.html")):
        name = page.relative_to(site)
        for dark in (False, True):
            browser.open(page, *DESKTOP, dark=dark)
            yield from (f"{name}, {'dark' if dark else 'light'}: {line}" for line in browser.axe())
        browser.open(page, *PHONE)
        width = browser.evaluate(_WIDTH)
        if width > PHONE[0]:
            yield f"{name}: {width} pixels wide on a phone"


def main(site: Path, folder: Path) -> int:
    """Take the pictures, print the findings, and return 1 if there is any."""
    folder.mkdir(exist_ok=True)
    with Browser() as browser:
        photograph(browser, site, folder)
        found = list(findings(browser, site))
    print("\n".join([*found, f"{len(list(site.rglob('*.html')))} pages, {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
