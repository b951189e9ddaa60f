# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles' reference: docs/variables.md, the READMEs and the examples, which say what the argument specs say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from parts import CHECKOUT
from parts.ansible import PROGRAMS, environment
from parts.role_pages import ROLES, entries, examples, groups, main_first, markdown, readme, variables_page

# What only the playbooks look at.
OF_PLAYBOOKS = {"migrate_hosts", "runner_hosts", "runner_become", "survey_hosts"}


def options(role: str, entry: str) -> dict[str, Any]:
    """Return what an entry point takes: its own variables and those of main."""
    specs = entries(role)
    merged: dict[str, Any] = {**specs["main"]["options"], **specs[entry]["options"]}
    return merged


def defaults(role: str) -> str:
    return (CHECKOUT / "roles" / role / "defaults" / "main.yml").read_text()


def tasks(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load("\n\n".join(examples(role)))
    return found


def test_the_page_of_variables_is_up_to_date() -> None:
    assert (CHECKOUT / "docs/variables.md").read_text() == variables_page(), "run make reference"


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_has_the_examples(role: str) -> None:
    assert (CHECKOUT / "roles" / role / "README.md").read_text() == readme(role), "run make reference"


@pytest.mark.parametrize("role", ROLES)
def test_main_comes_first_and_the_others_repeat_nothing_of_it(role: str) -> None:
    [name, *others] = (specs := entries(role))
    assert name == "main"
    main = specs["main"]["options"]
    # Where one means something else for an entry point, it says so.
    repeated = {(entry, option) for entry in others for option in specs[entry]["options"] if option in main}
    own = {("rollback", "migrate_target"), ("rollback", "migrate_steps"), ("baseline", "migrate_baseline")}
    assert repeated == (own if role == "migrate" else set())
    for entry, option in repeated:
        assert specs[entry]["options"][option]["description"] != main[option]["description"]


@pytest.mark.parametrize("role", ROLES)
def test_each_variable_is_in_one_group_and_the_defaults_have_the_same_order(role: str) -> None:
    found = groups(role)
    names = [name for group in found.values() for name in group]
    assert sorted(names) == sorted(entries(role)["main"]["options"])
    order = re.findall(rf"^({role}_\w+):", defaults(role), re.MULTILINE)
    assert [name for name in order if name in names] == [name for name in names if name in order]
    titles = [title for title in found if re.search(rf"^# {title}(\.|$)", defaults(role), re.MULTILINE)]
    assert titles == [*found]


def test_what_is_not_evaluated_without_a_fetch_is_what_only_a_fetch_reads() -> None:
    text = (CHECKOUT / "roles/migrate/vars/main/options.yml").read_text()
    of_runner = {"migrate_dest", "migrate_preview_dest", "migrate_keep"}
    found = groups("migrate")
    assert {*yaml.safe_load(text)["__migrate_only_fetched"]} == {
        *found["Migration files"],
        *found["Access to Git"],
        *of_runner,
    }


def test_there_are_examples_for_what_people_do() -> None:
    assert len(tasks("migrate")) == 10
    used = {task["ansible.builtin.import_role"].get("tasks_from", "main") for task in tasks("migrate")}
    assert used == {*entries("migrate")}


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_of_the_examples_exist_and_fit(role: str) -> None:
    for task in tasks(role):
        entry = task["ansible.builtin.import_role"].get("tasks_from", "main")
        known, values = options(role, entry), task.get("vars", {})
        assert set(values) <= set(known), task["name"]
        assert ArgumentSpecValidator(known).validate(values).error_messages == [], task["name"]


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_that_the_readme_names_exist(role: str) -> None:
    text = (CHECKOUT / "roles" / role / "README.md").read_text()
    known = {name for entry in entries(role).values() for name in entry["options"]}
    mentioned = {name for name in re.findall(rf"\b{role}_[a-z_]+\b(?!_?\*)", text) if not name.endswith("_")}
    assert mentioned <= {*known, *OF_PLAYBOOKS, f"{role}_result", f"{role}_my"}
    for path in re.findall(r"\]\((\.\./[^)#]+)", text):
        assert (CHECKOUT / "roles" / role / path).exists(), path


def test_ansible_accepts_every_example(tmp_path: Path) -> None:
    """Every block of the READMEs that is a play or tasks, which the examples are among."""
    plays: list[Any] = []
    for role in ROLES:
        text = (CHECKOUT / "roles" / role / "README.md").read_text()
        for block in map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
            if isinstance(block, list):
                plays += block if "hosts" in block[0] else [{"name": "Example", "hosts": "all", "tasks": block}]
    assert len(plays) > 15
    book = tmp_path / "book.yml"
    book.write_text(yaml.safe_dump(plays, sort_keys=False))
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", "--syntax-check", "-i", "localhost,", book],
        env=environment(tmp_path / "results"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_markup_becomes_markdown() -> None:
    assert (
        markdown("As O(dbops.migrations.git_fetch#module:ssh_options)") == "As `ssh_options` of the module `git_fetch`"
    )
    text = "V({id: a/b}) of E(HOME), I(not) P(a.b.c#role) | RV(ignore:x)"
    assert markdown(text) == r"`{id: a/b}` of `HOME`, *not* `a.b.c` \| `x`"


def test_the_reference_has_main_first_and_its_examples_before_its_parameters() -> None:
    def section(name: str, rest: str = "") -> str:
        return f".. _dbops.migrations.x_role__entrypoint-{name}:\n\nSynopsis\n\n.. Options\n\nP\n{rest}"

    examples_of_main = "Examples\n^^^^^^^^\n\nE\n\n"
    main = section("main", f".. Seealso\n\n{examples_of_main}Authors\n^^^^^^^\n")
    end = ".. Extra links\n\nlinks\n"
    page = main_first(f"head\n{section('force')}{main}{section('status')}{end}")
    sorted_main = section("main", ".. Seealso\n\nAuthors\n^^^^^^^\n").replace(
        ".. Options", f"{examples_of_main}.. Options"
    )
    assert page == f"head\n{sorted_main}{section('force')}{section('status')}{end}"
    without = f"head\n{section('main')}{end}"
    assert main_first(without) == without
