# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/variables.md, and the examples in the roles' READMEs, from the argument specs: make reference.

With a folder as its argument it reorders the roles' pages in it, as antsibull-docs has written them, for the site.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from parts import CHECKOUT

ROLES = ("migrate", "runner", "survey")
BEGIN, END = "<!-- begin of the examples, from meta/argument_specs.yml -->\n", "<!-- end of the examples -->\n"
INTRO = """\
---
orphan: true
---

# Variables

The variables of the collection's roles, by what they are for. Set them in the inventory, in a play, or with `-e`. An
empty value means that the variable is not set. Your own variables may begin with `migrate_my_`, `runner_my_` or
`survey_my_`; any other unknown name that begins like a role's variables is refused.
"""


def spec_file(role: str) -> Path:
    return CHECKOUT / "roles" / role / "meta" / "argument_specs.yml"


def entries(role: str) -> dict[str, Any]:
    """Return a role's entry points."""
    specs: dict[str, Any] = yaml.safe_load(spec_file(role).read_text())["argument_specs"]
    return specs


def groups(role: str) -> dict[str, list[str]]:
    """Return the names of the variables of main below each of its groups."""
    found: dict[str, list[str]] = {}
    for line in spec_file(role).read_text().partition("    examples: |")[0].splitlines():
        if title := re.fullmatch(r"      # (.+)", line):
            found[title[1]] = []
        elif name := re.fullmatch(rf"      ({role}_\w+):", line):
            found[[*found][-1]].append(name[1])
    return found


def markdown(text: str) -> str:
    """Return a description with Markdown in place of Ansible's markup."""
    text = re.sub(r"O\([\w.]+\.(\w+)#module:([\w.]+)\)", r"`\2` of the module `\1`", text)
    text = re.sub(r"P\(([\w.]+)#role\)", r"`\1`", text)
    text = re.sub(r"\bI\(([^)]*)\)", r"*\1*", text)
    text = re.sub(r"\b(?:RV|[CEMOV])\((?:ignore:)?([^)]*)\)", r"`\1`", text)
    return text.replace("|", r"\|")


def described(option: dict[str, Any]) -> str:
    text = option["description"]
    texts = [text] if isinstance(text, str) else list(text)
    # A boolean's choices say nothing.
    if choices := option.get("choices"):
        texts.append(f"One of {', '.join(f'V({choice})' for choice in choices)}.")
    return markdown(" ".join(texts))


def default(option: dict[str, Any]) -> str:
    value = option.get("default")
    if value in (None, "", [], {}):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def rows(options: dict[str, Any], names: list[str], prefix: str = "") -> Iterator[str]:
    for name in names:
        option = options[name]
        kind = option["type"] if option["type"] != "raw" else ""
        yield f"| `{prefix}{name}` | {kind} | {default(option)} | {described(option)} |"
        inner = option.get("options", {})
        # Where all of them are alike, the option itself says it.
        if len({described(each) for each in inner.values()}) > 1:
            yield from rows(inner, [*inner], f"{name}.")


def table(options: dict[str, Any], names: list[str]) -> str:
    return "\n".join(["| Variable | Type | Default | Description |", "|---|---|---|---|", *rows(options, names)]) + "\n"


def variables_page() -> str:
    """Return docs/variables.md."""
    parts = [INTRO]
    for role in ROLES:
        specs = entries(role)
        main = specs.pop("main")
        parts.append(f"## Role {role}\n\n{main['short_description']}. The examples are in the role's README.\n")
        parts += [f"### {title}\n\n{table(main['options'], names)}" for title, names in groups(role).items()]
        for name, entry in specs.items():
            parts.append(
                f"### Only for `tasks_from: {name}`\n\n{entry['short_description']}.\n\n"
                + table(entry["options"], [*entry["options"]])
            )
    return "\n".join(parts)


def examples(role: str) -> list[str]:
    """Return a role's examples. Each begins with a comment, whose first line is its title."""
    text: str = entries(role)["main"]["examples"]
    return text.strip().split("\n\n")


def example_sections(role: str) -> str:
    """Return the section of examples of a role's README."""
    parts: list[str] = []
    for example in examples(role):
        comments = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# ")]
        code = "\n".join(line for line in example.splitlines() if not line.startswith("# "))
        if not code:
            parts.append("\n".join(comments) + "\n")
            continue
        title, *about = [re.sub(r"ansible-playbook .*", r"`\g<0>`", line) for line in comments]
        prose = "\n".join(about) + "\n\n" if about else ""
        parts.append(f"### {title}\n\n{prose}```yaml\n{code}\n```\n")
    return "\n".join(parts)


def readme(role: str) -> str:
    """Return a role's README with its examples as they are now."""
    before, _begin, rest = (CHECKOUT / "roles" / role / "README.md").read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{example_sections(role)}\n{END}{after}"


def main_first(page: str) -> str:
    """Return a role's page with main before the other entry points, and examples before parameters.

    antsibull-docs sorts the entry points by name, so that main follows baseline and force.
    """
    head, *sections = re.split(r"(?=^\.\. _\S+__entrypoint-\w+:$)", page, flags=re.MULTILINE)
    last, mark, links = sections.pop().partition(".. Extra links\n")
    sections.append(last)
    sections.sort(key=lambda section: "__entrypoint-main:" not in section.partition("\n")[0])
    if examples := re.search(r"^Examples\n\^+\n.*?(?=^Authors\n)", sections[0], re.MULTILINE | re.DOTALL):
        sections[0] = sections[0].replace(examples[0], "").replace(".. Options\n", f"{examples[0]}.. Options\n", 1)
    return head + "".join(sections) + mark + links


def main(arguments: list[str]) -> None:
    for folder in arguments:
        for role in ROLES:
            page = Path(folder, f"{role}_role.rst")
            page.write_text(main_first(page.read_text()))
    if arguments:
        return
    (CHECKOUT / "docs" / "variables.md").write_text(variables_page())
    for role in ROLES:
        (CHECKOUT / "roles" / role / "README.md").write_text(readme(role))


if __name__ == "__main__":
    main(sys.argv[1:])
