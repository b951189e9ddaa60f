#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_create
short_description: Create the files of a new SQL migration
version_added: 0.1.0
description:
  - Creates a pair of files, C(VERSION_TITLE.up.sql) and C(VERSION_TITLE.down.sql), for you to edit, like
    golang-migrate's C(create).
  - Each file contains a comment that describes its purpose, because MySQL refuses to run an empty file.
  - Existing files are never changed.
extends_documentation_fragment:
  - dbops.migrations._attributes
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details: If the highest migration in the directory already has the title, its files are returned.
options:
  directory:
    description: The directory that holds the migration files. It is created if it does not exist.
    type: path
    required: true
  title:
    description:
      - A short description of the migration. Whitespace is replaced by underscores.
      - It must not contain C(/), C(\) or unprintable characters.
    type: str
    required: true
  format:
    description:
      - How to choose the version.
      - V(sequential) is the highest version in the directory plus one.
      - V(timestamp) is the current time in UTC, as C(YYYYMMDDHHMMSS). If the directory has a higher version, it is that
        version plus one, because a lower version would never be applied.
    type: str
    default: sequential
    choices: [sequential, timestamp]
  digits:
    description:
      - Pad a V(sequential) version with zeros to this number of digits, from 1 to 19. Longer versions are kept.
      - The default is the number of digits of the highest version in the directory, or 6 if there are no migrations.
    type: int
seealso:
  - module: dbops.migrations.migration_apply
"""

EXAMPLES = r"""
- name: Create the files of a migration in the working copy
  dbops.migrations.migration_create:
    directory: /opt/shop/migrations
    title: add email to users
  delegate_to: localhost
  register: migration

- name: Show the names of the files
  ansible.builtin.debug:
    msg: "Now edit {{ migration.files | join(' and ') }}"

- name: Create a migration whose version is the current time
  dbops.migrations.migration_create:
    directory: /opt/shop/migrations
    title: add orders
    format: timestamp
  delegate_to: localhost
"""

RETURN = r"""
version:
  description: The migration's version.
  returned: success
  type: int
  sample: 4
title:
  description: The migration's title, as in the names of the files.
  returned: success
  type: str
  sample: add_email_to_users
files:
  description: The paths of the migration's files, up before down.
  returned: success
  type: list
  elements: str
  sample:
    - /opt/shop/migrations/000004_add_email_to_users.up.sql
    - /opt/shop/migrations/000004_add_email_to_users.down.sql
msg:
  description: A summary in one line of what was done.
  returned: always
  type: str
  sample: /opt/shop/migrations has the new migration 000004_add_email_to_users
"""

import os
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.paths import native
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import MAX_STATE, Migration, Source

SPEC = ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "title": {"type": "str", "required": True},
        "format": {"type": "str", "default": "sequential", "choices": ["sequential", "timestamp"]},
        "digits": {"type": "int"},
    }
)
DIGITS = 6
MAX_DIGITS = len(str(MAX_STATE))
# The maximum length of a file name in bytes on common file systems.
MAX_NAME = 255


def create(module: AnsibleModule) -> dict[str, Any]:
    directory, digits = module.params["directory"], module.params["digits"]
    title = read_title(module.params["title"])
    if digits is not None and not 1 <= digits <= MAX_DIGITS:
        raise Error(2301, f"digits is {digits}. Give a number from 1 to {MAX_DIGITS}.")
    source = read_directory(directory) if os.path.lexists(native(directory)) else Source(directory, (), ())
    for warning in source.warnings:
        module.warn(warning)
    highest = source.migrations[-1] if source.migrations else None
    if highest and highest.title == title:
        files = [name for name in (highest.up, highest.down) if name]
        return report(directory, highest.version, title, files, f"{directory} has the migration {files[0]} already")
    version, number = next_version(highest, module.params["format"], digits)
    name = f"{number}_{title}"
    texts = {
        f"{name}.up.sql": f"-- Write the SQL statements of {name} here, each ending with a semicolon.\n",
        f"{name}.down.sql": f"-- Write the SQL statements that undo {name} here, each ending with a semicolon.\n",
    }
    if max(len(file.encode()) for file in texts) > MAX_NAME:
        raise Error(2302, f"The title is too long for a file's name, which takes {MAX_NAME} bytes. Shorten it.")
    if not module.check_mode:
        write(directory, texts)
    return {
        **report(directory, version, title, list(texts), f"{directory} has the new migration {name}"),
        "changed": True,
        "diff": [
            {"before_header": file, "after_header": os.path.join(directory, file), "before": "", "after": text}
            for file, text in texts.items()
        ],
    }


def read_title(text: str) -> str:
    title = "_".join(text.split())
    if not title:
        raise Error(2303, "title is empty. Say in a few words what the migration does.")
    if not title.isprintable() or "/" in title or "\\" in title:
        raise Error(
            2304, f"title is {text!r}, which cannot be used in a file name. Leave out /, \\ and unprintable characters."
        )
    return title


def next_version(highest: Optional[Migration], form: str, digits: Optional[int]) -> tuple[int, str]:
    """Return the next version, as a number and as the file names spell it."""
    version = highest.version + 1 if highest else 1
    if version > MAX_STATE:
        raise Error(
            2305,
            f"The directory's highest version is {version - 1}, and the state table holds none above {MAX_STATE}. "
            "Give that migration a lower version.",
        )
    if form == "timestamp":
        version = max(version, int(datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S")))
        return version, str(version)
    used = len((highest.up or highest.down or "").partition("_")[0]) if highest else DIGITS
    return version, str(version).zfill(digits or used)


def write(directory: str, texts: dict[str, str]) -> None:
    written = []
    try:
        os.makedirs(native(directory), exist_ok=True)
        for file, text in texts.items():
            path = native(os.path.join(directory, file))
            with open(path, "x", encoding="utf-8") as stream:
                written.append(path)
                stream.write(text)
    except OSError as error:
        # A single file would look like a complete migration.
        for path in written:
            os.unlink(path)
        raise Error(
            2306,
            f"{error.filename or directory} cannot be written: {error.strerror}. No file of the new migration is left "
            "behind.",
        ) from error


def report(directory: str, version: int, title: str, files: list[str], message: str) -> dict[str, Any]:
    return {
        "changed": False,
        "version": version,
        "title": title,
        "files": [os.path.join(directory, file) for file in files],
        "msg": message,
    }


def main() -> None:
    run_module(SPEC, create)


if __name__ == "__main__":
    main()
