# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx builds the documentation; see make docs."""

project = "dbops.migrations"
author = "The dbops.migrations contributors"
project_copyright = "2026, the dbops.migrations contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_title = "dbops.migrations"
html_show_sphinx = False
html_copy_source = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
# A heading's own link, as on GitHub.
myst_heading_anchors = 3
nitpicky = True
# What belongs to Ansible itself, whose documentation is elsewhere.
nitpick_ignore_regex = [(r"std:ref|any", r"ansible_collections\.ansible\.builtin\..*"), ("envvar", ".*")]
exclude_patterns = ["README.md"]
