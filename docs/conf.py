# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx builds the documentation; see make docs."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

_REPOSITORY = "https://github.com/dbops/migrations"

project = "dbops.migrations"
author = "The dbops.migrations contributors"
project_copyright = "2026, the dbops.migrations contributors"
extensions = ["myst_parser", "sphinx.ext.graphviz", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
# The top bar, on every page and at every width.
html_theme_options = {
    "announcement": f'<span><a href="{_REPOSITORY}">Repository</a> <a href="{_REPOSITORY}/issues">Issues</a></span>'
}
# The colours of the reference follow the page's switch between light and dark: site.css has them.
antsibull_ext_color_scheme = "none"
# The only Pygments styles that axe-core finds nothing wrong with.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
highlight_language = "YAML+Jinja"
graphviz_output_format = "svg"
# Every heading has a link of its own, as on GitHub.
myst_heading_anchors = 3
nitpicky = True
# What belongs to Ansible itself, whose documentation is elsewhere.
nitpick_ignore_regex = [(r"std:ref|any", r"ansible_collections\.ansible\.builtin\..*"), ("envvar", ".*")]
linkcheck_timeout = 15
linkcheck_retries = 2


# What axe-core finds wrong with the pages as the theme and antsibull-docs make them.
_ACCESSIBLE = [
    # A screen reader cannot place a heading without its level, nor tell landmarks apart that have no names.
    ('class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'),
    ('<aside class="announcement-content"', '<aside class="announcement-content" aria-label="The repository"'),
    ('<aside class="sidebar-drawer"', '<aside class="sidebar-drawer" aria-label="All pages"'),
    ('<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    # The keyboard has to reach what scrolls.
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
    ('<th class="head"><p></p></th>', "<td></td>"),
    ('aria-role="button"', 'role="button"'),
    (r'class="graphviz">\s*<p class="warning">(.*?)</p>', r'class="graphviz" role="img" aria-label="\1">'),
    ('<div id="search-results">', '<h1>Search</h1><div id="search-results">'),
]


def setup(app: Sphinx) -> None:
    """Connect what the theme and the generated reference need."""
    app.connect("doctree-read", _drop_contents)
    app.connect("build-finished", _make_accessible)


def _drop_contents(_app: Sphinx, doctree: nodes.document) -> None:
    """Remove the tables of contents that antsibull-docs writes: the theme shows them beside the page."""
    for topic in list(doctree.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)


def _make_accessible(app: Sphinx, error: Exception | None) -> None:
    """Correct the pages, once all are there."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for pattern, replacement in _ACCESSIBLE:
            text = re.sub(pattern, replacement, text, flags=re.DOTALL)
        page.write_text(text, encoding="utf-8")
