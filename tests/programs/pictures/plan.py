# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the pictures of docs/plan.md: ``python -m programs.pictures.plan FOLDER``.

Each deploy of deploys.py is really planned, on a real server: by ansible-playbook in a terminal of 100 columns, by
ansible-runner as AWX runs it, and into a file, which a browser shows as a merge request does.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from integration.awx.conftest import clone
from integration.awx.support import Job, Project
from integration.rehearsal.deploys import DEPLOYS, make_repository, make_shop, variables
from markdown_it import MarkdownIt
from parts import CHECKOUT, chromium, private_folder
from parts.ansible import PROGRAMS, environment
from parts.mariadb import DatabaseServer, MariaDB

COMMAND = ["ansible-playbook", "-i", "inventory.yml", "dbops.migrations.migrate", "--check", "--diff"]
COLUMNS = 100
# Pixels of a character, and of a line.
WIDTH, HEIGHT = 7.25, 17
_COLOUR = re.compile(r"\x1b\[([\d;]*)m")
# What browsers show of a merge request, about.
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body { font: 16px/1.5 "DejaVu Sans", sans-serif; color: #1f2328; margin: 24px 32px; width: 816px; zoom: 0.9; }
h2 { font-size: 24px; border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; margin: 0 0 16px; }
h3 { font-size: 20px; margin: 24px 0 12px; }
p, ul { margin: 0 0 14px; }
code { font: 13.6px "DejaVu Sans Mono", monospace; background: #eff1f3; border-radius: 6px; padding: 2px 5px; }
pre { background: #f6f8fa; border-radius: 6px; padding: 14px; line-height: 1.45; margin: 0 0 14px; overflow: hidden; }
pre code { background: none; padding: 0; }
.add { background: #dafbe1; color: #116329; } .del { background: #ffebe9; color: #82071e; } .at { color: #8250df; }
</style>"""


class Look(NamedTuple):
    """What a screen looks like.

    :param numbered: the lines have numbers, as AWX shows them.
    """

    background: str
    text: str
    colours: dict[str, str]
    numbered: bool


TERMINAL = Look("#22262b", "#d3d7cf", {"32": "#8ae234", "33": "#e9b96e", "31": "#ef2929", "36": "#34e2e2"}, False)
AWX = Look("#fafafa", "#151515", {"32": "#3e8635", "33": "#8f4700", "31": "#c9190b", "36": "#005f60"}, True)


def main(folder: Path) -> None:
    """Write the pictures, and the plan that costs something as Markdown."""
    with private_folder("pictures-db") as place, MariaDB(place) as server, private_folder("pictures") as work:
        make_shop(server, "shop")
        project = Project.update(clone(work / "project"), work / "stage")
        for deploy in DEPLOYS:
            here = work / deploy.name
            make_repository(here / "repository", deploy)
            printed = _as_installed(terminal(here, server), CHECKOUT / ".venv", "~/.ansible")
            write(folder / f"{deploy.name}-terminal.svg", printed, TERMINAL, "A terminal with the plan of a deploy")
            printed = _as_installed(awx(here, server, project), here / "job", "/runner")
            write(folder / f"{deploy.name}-awx.svg", printed, AWX, "The output of AWX with the plan of a deploy")
            page(here / "plan.md", folder / f"{deploy.name}-page.png")
            print((here / "plan.md").read_text())


def _as_installed(lines: Iterable[str], here: Path, place: str) -> list[str]:
    """Return lines with the place in them where the collection usually is."""
    return [line.replace(str(here), place) for line in lines]


def terminal(here: Path, server: DatabaseServer) -> list[str]:
    """Return the lines that a terminal shows."""
    hosts = {"shop": variables(server, "shop", here / "repository", here / "home")}
    content = {"all": {"children": {"databases": {"hosts": hosts}}}}
    (here / "inventory.yml").write_text(repr(content))
    (here / "results").touch()
    done = subprocess.run(
        [PROGRAMS / COMMAND[0], *COMMAND[1:], "-e", "migrate_plan_file=plan.md"],
        cwd=here,
        env={**environment(here / "results"), "ANSIBLE_FORCE_COLOR": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # The guards refuse one of the plans, once it is shown.
    if not (here / "plan.md").exists():
        raise RuntimeError(done.stdout + done.stderr)
    return [f"$ {' '.join(COMMAND)}", *done.stdout.splitlines()]


def awx(here: Path, server: DatabaseServer, project: Project) -> list[str]:
    """Return the lines that AWX shows of the job that plans."""
    hosts = {"shop": variables(server, "shop", here / "repository", here / "home-of-awx")}
    inventory = {"databases": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}}
    outcome = Job(project, here / "job", "Database plan", inventory).run()
    if "### Up 12" not in outcome.printed:
        raise RuntimeError(outcome.printed)
    return outcome.printed.replace("\r", "").splitlines()


def write(path: Path, lines: Iterable[str], look: Look, title: str) -> None:
    """Write an SVG of a screen."""
    rows = [row for number, line in enumerate(lines, 1) for row in _rows(number, line, look)]
    left = 6 if look.numbered else 2
    width, height = int((COLUMNS + left + 2) * WIDTH), (len(rows) + 1) * HEIGHT
    texts = []
    for place, (number, row, colour) in enumerate(rows, 1):
        y = place * HEIGHT + 2
        if number:
            texts.append(f'<text x="{4 * WIDTH:.0f}" y="{y}" text-anchor="end" fill="#6a6e73">{number}</text>')
        text = row.lstrip()
        if text:
            fill = f' fill="{colour}"' if colour else ""
            # As wide as in a terminal, whatever the font is.
            x, length = (left + len(row) - len(text)) * WIDTH, len(text) * WIDTH
            place_of = f'x="{x:.2f}" y="{y}" textLength="{length:.2f}"'
            texts.append(f"<text {place_of}{fill}>{html.escape(text, quote=False)}</text>")
    style = f"text {{ font: 12px 'DejaVu Sans Mono', monospace; white-space: pre; }} svg {{ fill: {look.text}; }}"
    path.write_text(
        "\n".join(
            [
                "<!--",
                # They are not this file's own. REUSE-IgnoreStart
                "SPDX-FileCopyrightText: 2026, the dbops.migrations contributors",
                "SPDX-License-Identifier: GPL-3.0-or-later",
                # REUSE-IgnoreEnd
                "-->",
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" xml:space="preserve">',
                f"<title>{title}</title>",
                f"<style>{style}</style>",
                f'<rect width="{width}" height="{height}" rx="6" fill="{look.background}"/>',
                *texts,
                "</svg>\n",
            ]
        )
    )


def _rows(number: int, line: str, look: Look) -> Iterator[tuple[str, str, str]]:
    """Return a line as a screen breaks it: its number where that is shown, the text and its colour."""
    found = _COLOUR.search(line)
    colour = look.colours.get(found[1].rpartition(";")[2], "") if found else ""
    plain = _COLOUR.sub("", line).rstrip()
    for start in range(0, max(len(plain), 1), COLUMNS):
        yield str(number) if look.numbered and not start else "", plain[start : start + COLUMNS], colour


def page(plan: Path, picture: Path) -> None:
    """Write a picture of a plan as a browser shows it."""
    body = MarkdownIt("commonmark").render(plan.read_text())
    kinds = {"+": "add", "-": "del", "@": "at"}

    def coloured(block: re.Match[str]) -> str:
        lines = block[1].split("\n")
        return "\n".join(f'<span class="{kinds.get(line[:1], "")}">{line}</span>' for line in lines)

    body = re.sub(r'(?<=<code class="language-diff">)(.*?)(?=</code>)', coloured, body, flags=re.DOTALL)
    path = plan.with_suffix(".html")
    path.write_text(f"{PAGE}{body}")
    with chromium.Browser() as browser:
        browser.open(path, 820, 100)
        browser.photograph(picture, whole=True)


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]))
