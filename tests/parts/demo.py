# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job, shown on real servers: fetch from Git, look the credentials up, migrate two databases."""

from __future__ import annotations

import contextlib
import json
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from . import CHECKOUT, private_folder
from .ansible import Results, environment
from .mariadb import MariaDB
from .secretsmanager import SecretsManager
from .sshd import GitServer, Repository

SCHEMAS = ("shop", "billing")
FILES = Path(__file__).with_name("demo_repository")
# Kept between runs, as a runner is.
HOME = CHECKOUT / ".venv" / "runner"
NEXT_MIGRATION = {
    "database/shop/0004_add_phone.up.sql": "ALTER TABLE customers ADD COLUMN phone VARCHAR(30) NULL;\n",
    "database/shop/0004_add_phone.down.sql": "ALTER TABLE customers DROP COLUMN phone;\n",
}
# The task of the role that names what it did or would do.
APPLY = "Apply the migrations"


class Failed(Exception):
    """The demo did not show what it claims."""


@dataclass
class Stage:
    """The servers that run, and the folder with the file of their addresses and keys."""

    folder: Path
    database: MariaDB
    repository: Repository

    def playbook(self, name: str, *options: str) -> Results:
        """Run a playbook as a user would, show it, and return each task's result."""
        command = ["ansible-playbook", f"dbops.migrations.{name}", "-i", "inventories/demo"]
        command += ["-e", f"@{self.folder / 'demo.json'}", *options]
        print(f"$ {shlex.join(command)}", flush=True)
        results = self.folder / "results"
        results.write_text("")
        code = run(command, {**environment(results), **self.own_folders()})
        if code != 0:
            raise Failed(f"{command[1]} ended with exit code {code}.")
        outcome = Results()
        outcome.read(results)
        return outcome

    def own_folders(self) -> dict[str, str]:
        """Return what keeps Ansible from leaving anything in the home directory."""
        folder = self.folder / "ansible"
        return {"ANSIBLE_HOME": str(folder), "ANSIBLE_REMOTE_TMP": str(folder / "tmp")}

    def versions(self) -> list[int | None]:
        """Ask the server itself where each schema stands."""
        found: list[int | None] = []
        for schema in SCHEMAS:
            exists = self.database.query("SHOW TABLES LIKE 'schema_migrations'", schema)
            rows = self.database.query("SELECT version FROM schema_migrations", schema) if exists else []
            found.append(rows[0][0] if rows else None)
        return found


def show(stage: Stage) -> None:
    """Show the main job and check each claim."""
    heading("Prepare the runner: a virtual environment with the libraries of the modules")
    stage.playbook("prepare_runner")

    heading("Status before: nothing has been migrated yet")
    stage.playbook("status")
    claim("no database has a version", stage.versions() == [None, None])

    heading("Migrate: two databases, one inventory")
    stage.playbook("migrate")
    claim("shop is at version 3, billing at version 2", stage.versions() == [3, 2])

    heading("Status after")
    stage.playbook("status")

    heading("Migrate again: nothing is left to do")
    stats = stage.playbook("migrate").stats
    claim("changed=0 for every host", not any(stats[schema]["changed"] for schema in SCHEMAS))

    stage.repository.commit(NEXT_MIGRATION, "Add a phone number to the customers")
    heading("A developer has committed shop's migration 4. Check mode says what a deploy would do")
    plans = stage.playbook("migrate", "--check", "--diff")
    pending = [[step["version"] for step in plans.result(schema, APPLY)["pending"]] for schema in SCHEMAS]
    claim("migration 4 is pending for shop, and nothing for billing", pending == [[4], []])
    claim("check mode has changed nothing", stage.versions() == [3, 2])

    heading("Roll back one step, of one database")
    stage.playbook("rollback", "-e", "migrate_steps=1", "--limit", "shop")
    claim("shop is at version 2 again", stage.versions() == [2, 2])


@contextlib.contextmanager
def servers() -> Iterator[Stage]:
    """Start the servers and fill them: two schemas, a repository, two secrets."""
    with contextlib.ExitStack() as stack:
        folder, *others = [
            stack.enter_context(private_folder(f"demo-{name}")) for name in ("files", "db", "git", "aws")
        ]
        database = stack.enter_context(MariaDB(others[0]))
        print(f"MariaDB, with the schemas {' and '.join(SCHEMAS)}: {database.host}:{database.port}")
        git = stack.enter_context(GitServer(others[1]))
        repository = git.create("application")
        repository.commit(
            {str(path.relative_to(FILES)): path.read_bytes() for path in FILES.rglob("*.sql")}, "Begin the databases"
        )
        print(f"Git over SSH, with a deploy key: {repository.url}")
        aws = stack.enter_context(SecretsManager(others[2]))
        for schema, secret in credentials(database).items():
            aws.put(f"demo/{schema}", json.dumps(secret))
            print(f"AWS Secrets Manager, with the secret demo/{schema} (keys: {', '.join(secret)}): {aws.endpoint_url}")
        variables = {
            "demo_home": str(HOME),
            "demo_repository": repository.url,
            "demo_private_key_file": str(git.private_key_file),
            "demo_known_hosts": git.known_hosts,
            "demo_aws_region": aws.region,
            "demo_aws_access_key": aws.access_key,
            "demo_aws_secret_key": aws.secret_key,
            "demo_aws_endpoint_url": aws.endpoint_url,
        }
        (folder / "demo.json").write_text(json.dumps(variables))
        yield Stage(folder, database, repository)


def credentials(database: MariaDB) -> dict[str, dict[str, str | int]]:
    """Create the schemas and their accounts; return the credentials in the two shapes in which teams keep them."""
    shop, billing = (make_account(database, schema) for schema in SCHEMAS)
    plain: dict[str, str | int] = {"hostname": database.host, "port": str(database.port), "database": "shop"}
    amazon_rds: dict[str, str | int] = {
        "engine": "mysql",
        "host": database.host,
        "port": database.port,
        "dbname": "billing",
    }
    return {
        "shop": {**plain, "username": "shop", "password": shop},
        "billing": {**amazon_rds, "username": "billing", "password": billing},
    }


def make_account(database: MariaDB, schema: str) -> str:
    """Create a schema and an account that may do everything in it and nothing elsewhere; return its password."""
    password = secrets.token_urlsafe(18)
    database.create_schema(schema)
    database.query(f"CREATE USER '{schema}'@'%' IDENTIFIED BY '{password}'")
    database.query(f"GRANT ALL PRIVILEGES ON `{schema}`.* TO '{schema}'@'%'")
    return password


def run(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run a command in the checkout; whatever ends this process ends the command too."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], cwd=CHECKOUT, env=variables)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        raise


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{'=' * 100}\n  {text}\n{'=' * 100}", flush=True)


def claim(text: str, holds: bool) -> None:
    """Print what has been shown; stop when it is not so."""
    if not holds:
        raise Failed(f"This does not hold: {text}.")
    print(f"Shown: {text}.", flush=True)


def terminated(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> int:
    """Run the demo and end everything that it started, however it ends."""
    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGHUP, terminated)
    try:
        heading("Start real servers on this machine, each in a private folder, for loopback only")
        with servers() as stage:
            show(stage)
    except Failed as error:
        print(f"\nThe demo failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    heading("Done. The servers have been ended and their folders removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
