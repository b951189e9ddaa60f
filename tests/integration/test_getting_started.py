# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/getting-started.md, followed word for word on a bare Debian, with only the names of places exchanged."""

from __future__ import annotations

import re
import subprocess
import uuid
from pathlib import Path

import pytest
from parts import CHECKOUT, debian_root, private_folder
from parts.ansible import PROGRAMS
from parts.mariadb import MariaDB
from parts.sshd import GitServer

HOST_KEY = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
MIGRATIONS = {
    "db/migrations/0001_customers.up.sql": "CREATE TABLE customers (id INT PRIMARY KEY);\n",
    "db/migrations/0001_customers.down.sql": "DROP TABLE customers;\n",
    "db/migrations/0002_name.up.sql": "ALTER TABLE customers ADD name TEXT;\n",
    "db/migrations/0002_name.down.sql": "ALTER TABLE customers DROP name;\n",
}


@pytest.mark.fresh
def test_word_for_word(mariadb: MariaDB, git_server: GitServer, tmp_path: Path) -> None:
    page = (CHECKOUT / "docs/getting-started.md").read_text()
    commands = [
        line.removeprefix("$ ")
        for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    inventory = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    name, password = f"shop_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    repository = git_server.create(name)
    repository.commit(MIGRATIONS)
    mariadb.create_schema(name)
    mariadb.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'")
    mariadb.query(f"GRANT ALL ON `{name}`.* TO '{name}'@'%'")
    build: list[str | Path] = [PROGRAMS / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, CHECKOUT]
    subprocess.run(build, check=True, capture_output=True)
    [archive] = tmp_path.glob("*.tar.gz")
    places = {
        "git+https://github.com/dbops/migrations.git": f"/root/{archive.name}",
        "git@github.com:example/shop.git": repository.url,
        HOST_KEY: git_server.known_hosts.strip(),
        # The machine is its own runner.
        "ansible_user: deploy": "ansible_connection: local",
        "migrate_login_host: db.example.com": f"migrate_login_host: {mariadb.host}\n          "
        f"migrate_login_port: {mariadb.port}",
        "migrate_login_user: shop": f"migrate_login_user: {name}",
        "migrate_login_database: shop": f"migrate_login_database: {name}",
    }
    script = "\n".join(["set -ex", "cd", *commands, ""])
    for place, real in places.items():
        assert place in inventory + script
        inventory, script = inventory.replace(place, real), script.replace(place, real)
    with private_folder("root") as root:
        debian_root.create(root)
        # What the page asks for, and sudo, with which the runner is prepared.
        packages = "apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv openssh-client sudo"
        assert debian_root.run(root, ["sh", "-c", f"{packages} >/dev/null"], "/") == 0
        home = root / "root"
        (home / archive.name).write_bytes(archive.read_bytes())
        (home / "inventory.yml").write_text(inventory)
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        (home / ".ssh/deploy_key").write_text(git_server.private_key)
        (home / "follow.sh").write_text(script)
        (home / "password").write_text(f"{password}\n")
        code = debian_root.run(root, ["sh", "-c", "bash follow.sh <password >log 2>&1"], "/root")
        log = (home / "log").read_text()
    assert code == 0, log[-3000:]
    assert log.count("unreachable=0    failed=0") == 5
    assert f"shop ({name}): from no version yet to version 2, 2 migrations" in log
    # The last command of the page took one back.
    assert mariadb.query("SELECT version, dirty FROM schema_migrations", name) == [(1, 0)]
    assert password not in log
    mariadb.query(f"DROP DATABASE `{name}`")
    mariadb.query(f"DROP USER '{name}'@'%'")
