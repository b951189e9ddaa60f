# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_pattern
short_description: Return a host pattern, and fail if it matches no host
version_added: 0.2.0
description:
  - Returns a host pattern unchanged, for the keyword C(hosts) of a play.
  - Fails if the pattern matches no host in the inventory, or if C(--limit) excludes all of them. Ansible itself only
    prints a warning, and the play succeeds. Also fails if the pattern is empty, which to Ansible means all hosts.
author:
  - The dbops.migrations contributors (@dbops)
options:
  _terms:
    description:
      - The pattern.
    type: list
    elements: str
    required: true
  optional:
    description:
      - Do not fail if no host matches, for jobs that only have a slice of the inventory.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Migrate databases
  hosts: "{{ query('dbops.migrations.hosts_pattern', migrate_hosts | default('databases', true)) }}"
  gather_facts: false
  tasks:
    - name: Migrate the database
      ansible.builtin.import_role:
        name: dbops.migrations.migrate
"""

RETURN = r"""
_raw:
  description:
    - The pattern.
  type: list
  elements: str
  sample: ["databases"]
"""

import re
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import coded

# These options of ansible-playbook need no host.
_LOOKS_ONLY = ("syntax", "listtasks", "listtags")


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        pattern = [str(term) for term in self._flatten(terms)]
        if not any(term.strip(" ,") for term in pattern):
            # To Ansible, this means all hosts.
            raise AnsibleLookupError(coded(1011, "The host pattern is empty. Name a host or a group, or write all."))
        self.set_options(var_options=variables, direct=kwargs)
        if self.get_option("optional") or any(context.CLIARGS.get(name) for name in _LOOKS_ONLY):
            return pattern
        found, limit = self._hosts(pattern, variables), context.CLIARGS.get("subset")
        if not found:
            raise AnsibleLookupError(coded(1012, f"No host of the inventory matches {','.join(pattern)}."))
        # Only the inventory can read a file of hosts.
        if limit and "@" not in limit and not found & self._hosts([limit], variables):
            raise AnsibleLookupError(
                coded(1013, f"No host that matches {','.join(pattern)} is left by --limit {limit}.")
            )
        unknown = _unknown([*pattern, *([limit] if limit and "@" not in limit else [])], (variables or {})["groups"])
        if unknown:
            raise AnsibleLookupError(coded(1014, f"The inventory has no host or group named {', '.join(unknown)}."))
        return pattern

    def _hosts(self, pattern: list[str], variables: dict[str, Any] | None) -> set[str]:
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        return set(lookup.run(pattern, variables))


def _unknown(patterns: list[str], groups: Mapping[str, list[str]]) -> list[str]:
    """Return the plain names in patterns that the inventory does not have; Ansible would only warn about them."""
    names = [part.lstrip("!&") for part in split_host_pattern(patterns)]
    plain = [name for name in names if re.fullmatch(r"[\w.-]+", name)]
    # Ansible creates these hosts implicitly.
    known = {*groups, *groups["all"], "localhost", "127.0.0.1"}
    return [name for name in plain if name not in known]
