# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx builds the documentation; see make docs."""

from __future__ import annotations

from typing import Any

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


def setup(app: Sphinx) -> None:
    """Connect what the theme and the generated reference need."""
    app.connect("doctree-read", _drop_contents)
    # After the theme has made its navigation.
    app.connect("html-page-context", _give_captions_a_level, priority=900)


def _drop_contents(_app: Sphinx, doctree: nodes.document) -> None:
    """Remove the tables of contents that antsibull-docs writes: the theme shows them beside the page."""
    for topic in list(doctree.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)


def _give_captions_a_level(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    """Say how deep the headings of the navigation are, without which a screen reader cannot place them."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
