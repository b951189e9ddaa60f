# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there to be copied: the example inventory, and the inventory and playbooks in README.md."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from parts import CHECKOUT
from parts.ansible import PROGRAMS, environment

SPECS = yaml.safe_load((CHECKOUT / "roles/migrate/meta/argument_specs.yml").read_text())["argument_specs"]


def ansible(folder: Path, program: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        env=environment(folder / "results"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(inventory: dict[str, Any]) -> None:
    """Every database has what the role needs, and no variable that the role does not know."""
    for name, variables in inventory["_meta"]["hostvars"].items():
        ours = {variable for variable in variables if variable.startswith("migrate_")}
        if ours:
            assert ours <= set(SPECS["main"]["options"]), name
            assert {"migrate_repository", "migrate_secret_id", "migrate_known_hosts"} <= ours, name
            assert variables["ansible_host"] in inventory["runners"]["hosts"]


def test_example_inventory(tmp_path: Path) -> None:
    inventory = json.loads(ansible(tmp_path, "ansible-inventory", "-i", CHECKOUT / "inventories/example", "--list"))
    assert sorted(inventory["databases"]["children"]) == ["production", "staging"]
    check(inventory)


def test_readme(tmp_path: Path) -> None:
    inventory, *plays = blocks(CHECKOUT / "README.md")
    (tmp_path / "inventory.yml").write_text(inventory)
    check(json.loads(ansible(tmp_path, "ansible-inventory", "-i", tmp_path / "inventory.yml", "--list")))
    plays += [text for text in blocks(CHECKOUT / "docs/deploy-patterns.md") if text.startswith("- name: ")]
    assert len(plays) == 2
    for text in plays:
        (tmp_path / "play.yml").write_text(text)
        ansible(tmp_path, "ansible-playbook", "--syntax-check", "-i", tmp_path / "inventory.yml", tmp_path / "play.yml")


def blocks(page: Path) -> list[str]:
    """Return the YAML of a page."""
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
