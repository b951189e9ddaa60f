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
    # With or without indentation, as in a list.
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    texts = [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in blocks]
    (tmp_path / "inventory.yml").write_text(texts[0])
    check(json.loads(ansible(tmp_path, "ansible-inventory", "-i", tmp_path / "inventory.yml", "--list")))
    assert len(texts) == 3
    for text in texts[1:]:
        (tmp_path / "play.yml").write_text(text)
        ansible(tmp_path, "ansible-playbook", "--syntax-check", "-i", tmp_path / "inventory.yml", tmp_path / "play.yml")
