# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A team whose controller holds no secret: the runner reads them all itself. With it, every way to fail."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.roles.support import MIGRATIONS, Team
from integration.roles.watch import Watch
from integration.secret.faulty_endpoint import FaultyEndpoint
from parts import ssh_recorder
from parts.ansible import ansible_runner, environment
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, make_key

# They end well. The second one's account has just got the password that is only staged in its secret.
GOOD = ["orders", "stock"]
# One for each step in which a run can fail; the others fail there in another way.
STEPS = [
    "wrong_input",
    "no_python",
    "host_key",
    "wrong_passphrase",
    "no_git_field",
    "not_json",
    "refused",
    "locked",
    "joined",
]
# Its migration holds the password, so what shows the difference of files shows it.
NAMED = "named"
# Its migration, too, and that takes long, so that it is seen while it runs.
SLOW = "slow"
_OWN = "SET PASSWORD = PASSWORD('{}');\n"
# The server quotes it in its error, also where the password comes in two parts and no file holds it.
_MISSPELT = "ALTER USER x IDENTIFYED BY '{}';\n"
_JOINED = "SET @text = CONCAT('ALTER USER x IDENTIFYED BY ''', '{}', '{}', '''');\nPREPARE p FROM @text;\n"
_QUOTED = "near 'IDENTIFYED BY '********''"


@dataclass
class Canary:
    """The secrets to look for, the inventory, and the folders in which the runs work.

    :ivar password: of the database's account.
    :ivar texts: what must be nowhere.
    :ivar exempt: where it is by right: on the servers, in the runner's own AWS file, in a migration that names it.
    :ivar hosts: the databases, each with its variables.
    :ivar messages: what the error of each that fails must say.
    """

    team: Team
    git_server: GitServer
    secrets_manager: SecretsManager
    folder: Path
    unique: str = field(default_factory=lambda: uuid.uuid4().hex)
    texts: list[str] = field(default_factory=list)
    exempt: list[Path] = field(default_factory=list)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.password = self.secret("password")
        servers = [server.folder for server in (self.git_server, self.secrets_manager, self.team.mariadb)]
        named = [self.folder / name for name in (NAMED, SLOW)]
        self.exempt += [*servers, self.credentials_file.parent, self.folder / "keys", *named]

    @property
    def credentials_file(self) -> Path:
        """The runner's AWS settings."""
        return self.folder / "aws" / "credentials"

    def secret(self, what: str) -> str:
        """Return a new text to look for."""
        self.texts.append(f"canary-{what}-{self.unique}")
        return self.texts[-1]

    def key(self, name: str, passphrase: str) -> str:
        """Return a new private key's text, which is to be looked for."""
        path = self.folder / "keys" / name
        path.parent.mkdir(exist_ok=True)
        make_key(path, passphrase)
        text = path.read_text()
        # The first line of every key's body is the same, and the last may be short.
        self.texts += text.splitlines()[2:-2]
        return text

    def fails(self, name: str, message: str, **variables: Any) -> None:
        """Add a database, or variables to one, that fails with a message."""
        self.hosts.setdefault(name, {}).update(variables)
        self.messages[name] = message

    def watch(self) -> Watch:
        """Watch everything but what is exempt."""
        transient = [self.folder / name for name in ("account", "remote", "home")]
        return Watch(self.texts, [self.folder], self.exempt, transient)

    def account(self) -> dict[str, str]:
        """The environment of a run: a home of its own, so that all that is left there is this run's."""
        home = self.folder / "account"
        home.mkdir(mode=0o700, exist_ok=True)
        return {"HOME": str(home)}

    def over_ssh(self) -> dict[str, Any]:
        """Return the variables with which the runner is reached over SSH, and what passes is kept in packets()."""
        key = self.folder / "login_key"
        if not key.exists():
            make_key(key)
            self.git_server.let_in(key.with_suffix(".pub").read_text())
            (self.folder / "known_hosts").write_text(self.git_server.known_hosts)
            ssh_recorder.install(self.folder / "packets")
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.git_server.host,
            "ansible_port": self.git_server.port,
            "ansible_user": self.git_server.user,
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_executable": str(self.folder / "packets.sh"),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self.folder / 'known_hosts'}",
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=3",
            "ansible_ssh_transfer_method": "piped",
        }

    def packets(self) -> list[Path]:
        """Return the files with what went through ssh's standard streams."""
        return sorted((self.folder / "packets").glob("*"))

    def inventory(self, **variables: Any) -> dict[str, Any]:
        """Return the inventory of all databases."""
        merged = {**self.team.variables, **variables}
        given = {key: value for key, value in merged.items() if value is not None}
        return {"databases": {"hosts": self.hosts, "vars": given}}

    def keep_histories(self) -> None:
        """Write down what the databases' histories say, to be searched too."""
        rows = {}
        for host, variables in self.hosts.items():
            schema = variables.get("schema")
            if schema and self.team.mariadb.query("SHOW TABLES LIKE 'schema_migrations_history'", schema):
                rows[host] = self.team.mariadb.query("SELECT * FROM schema_migrations_history", schema)
        assert rows
        (self.folder / "histories.json").write_text(json.dumps(rows, default=str))

    def variables(self) -> dict[str, dict[str, Any]]:
        """Return every host's variables after a run of the book."""
        found: dict[str, dict[str, Any]] = json.loads((self.folder / "variables.json").read_text())
        return found

    def book(self, *planted: Mapping[str, Any]) -> Path:
        """Write a playbook that uses all of the role, and keeps what is known afterwards.

        :param planted: further tasks for the databases.
        """

        def role(entry: str, **variables: Any) -> dict[str, Any]:
            include = {"name": "dbops.migrations.migrate", "tasks_from": entry}
            return {"ansible.builtin.include_role": include, "vars": variables}

        more = [
            role("status"),
            role("rollback", migrate_steps=1, migrate_rollback_all=True),
            role("force", migrate_version=1),
        ]
        # The task that failed is templates, which are of no use outside of the role.
        failed = {"canary_failed": "{{ ansible_failed_result }}", "ansible_failed_task": ""}
        hosts = "ansible_play_hosts"
        known = f"{{{{ dict({hosts} | zip({hosts} | map('extract', hostvars))) | to_json }}}}"
        keep = {
            "ansible.builtin.copy": {"content": known, "dest": str(self.folder / "variables.json"), "mode": "0600"},
            "vars": {"ansible_python_interpreter": sys.executable, "ansible_connection": "local"},
            "delegate_to": "localhost",
            "run_once": True,
            "check_mode": False,
            "diff": False,
        }
        play = {
            "hosts": "databases",
            "gather_facts": False,
            "environment": {"AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file)},
            "tasks": [
                {
                    "block": [role("main"), {"when": "inventory_hostname in good", "block": more}],
                    "rescue": [{"ansible.builtin.set_fact": failed}],
                },
                *planted,
                keep,
            ],
        }
        path = self.folder / "canary.yml"
        path.write_text(json.dumps([play]))
        return path

    def while_it_waits(self, run: Callable[[], Any], look: Callable[[], Any]) -> tuple[Any, Any]:
        """Run what changes the password, and look while it waits, for some seconds at least; return what both do."""
        question = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SET PASSWORD%' AND time >= 9"
        # Whatever happens the connection is closed, and the wait over, before the other thread is waited for.
        with ThreadPoolExecutor(1) as pool, self.team.mariadb.connect() as connection:
            connection.cursor().execute("LOCK TABLES mysql.global_priv READ")
            running = pool.submit(run)
            while not self.team.mariadb.query(question):
                assert not running.done(), running.result()
                time.sleep(0.2)
            looked = look()
        return running.result(), looked

    def run_by_ansible_runner(
        self, book: Path | str, limit: str, programs: Path, options: str = "-vvvv --diff"
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook as AWX does: a private data directory, whose artifacts hold an event for each task.

        :param book: a file, or the full name of a collection's playbook.
        """
        awx = self.folder / "awx"
        files = {
            "project/book.yml": book.read_text() if isinstance(book, Path) else json.dumps([{"import_playbook": book}]),
            "inventory/hosts.json": json.dumps(self.inventory()),
            "env/extravars": json.dumps({"migrate_statement_timeout": 60}),
            "env/settings": json.dumps({"idle_timeout": 300}),
            "env/cmdline": f"{options} --limit {limit}",
            "env/envvars": json.dumps({"AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file), **self.account()}),
        }
        for name, text in files.items():
            (awx / name).parent.mkdir(parents=True, exist_ok=True)
            (awx / name).write_text(text)
        results = self.folder / "results"
        results.touch()
        return subprocess.run(
            [ansible_runner(), "run", awx, "--playbook", "book.yml"],
            env=environment(results, programs),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def events(self) -> list[Path]:
        """Return the files in which ansible-runner keeps what happened in each task."""
        return sorted((self.folder / "awx" / "artifacts").glob("*/job_events/*.json"))


@contextlib.contextmanager
def prepared(team: Team, git_server: GitServer, secrets_manager: SecretsManager, folder: Path) -> Iterator[Canary]:
    """Make the team's secrets, and everything that is to fail."""
    canary = Canary(team, git_server, secrets_manager, folder)
    unique, put = canary.unique, secrets_manager.put
    passphrase = canary.secret("passphrase")
    deploy = canary.key("deploy", passphrase)
    git_server.allow((folder / "keys" / "deploy.pub").read_text())
    put(f"{unique}/git", json.dumps({"key": deploy, "passphrase": passphrase}))
    canary.credentials_file.parent.mkdir(mode=0o700)
    canary.credentials_file.touch(0o600)
    canary.credentials_file.write_text(
        f"[default]\naws_access_key_id = AKIA{unique[:16].upper()}\naws_secret_access_key = {canary.secret('aws')}\n"
    )
    team.variables |= {
        "ansible_remote_tmp": str(folder / "remote"),
        "good": GOOD,
        "migrate_home": str(folder / "home"),
        "migrate_private_key": None,
        "migrate_private_key_secret": {"id": f"{unique}/git", "field": "key"},
        "migrate_private_key_passphrase_secret": {"id": f"{unique}/git", "field": "passphrase"},
        "migrate_aws_access_key": None,
        "migrate_aws_secret_key": None,
    }
    with contextlib.ExitStack() as stack:
        _make_databases(canary, stack)
        _fail_to_fetch(canary, deploy, passphrase, stack)
        _fail_to_migrate(canary, stack)
        stack.enter_context(_core_dumps_wanted(git_server))
        yield canary


def _make_databases(canary: Canary, stack: contextlib.ExitStack) -> None:
    server, team = canary.team.mariadb, canary.team
    account, old = f"canary_{canary.unique[:8]}", canary.secret("old")
    server.query(f"CREATE USER '{account}'@'%' IDENTIFIED BY '{canary.password}'")
    stack.callback(server.query, f"DROP USER '{account}'@'%'")
    others = {name: f"{name}_{canary.unique[:8]}" for name in ("joined", NAMED, SLOW, "locked", "refused")}
    for schema in others.values():
        server.create_schema(schema)
        stack.callback(server.query, f"DROP DATABASE `{schema}`")
    for name, schema in {**team.databases, **others}.items():
        server.query(f"GRANT ALL ON `{schema}`.* TO '{account}'@'%'")
        secret = {"host": server.host, "port": server.port, "dbname": schema, "username": account}
        right, wrong = (json.dumps({**secret, "password": text}) for text in (canary.password, old))
        identity = f"{schema}/canary"
        canary.secrets_manager.put(identity, wrong if name in ("stock", "refused") else right)
        if name == "stock":
            canary.secrets_manager.client.put_secret_value(
                SecretId=identity, SecretString=right, VersionStages=["AWSPENDING"]
            )
        canary.hosts[name] = {"schema": schema, "migrate_secret_id": identity}


def _fail_to_fetch(canary: Canary, deploy: str, passphrase: str, stack: contextlib.ExitStack) -> None:
    unique, fails = canary.unique, canary.fails
    texts = {
        "stranger": canary.key("stranger", passphrase),
        "damaged": deploy[:150] + deploy[160:],
        "wrong": canary.secret("wrong"),
    }
    for name, text in texts.items():
        canary.secrets_manager.put(f"{unique}/{name}", text)
    denied = stack.enter_context(FaultyEndpoint())
    denied.error("AccessDeniedException", "not you")
    known_hosts = canary.git_server.known_hosts.replace("AAAA", "AAAB", 1)
    stranger, damaged, wrong = ({"id": f"{unique}/{name}"} for name in texts)
    nothing = {"id": f"{unique}/git", "field": "nothing"}
    fails("wrong_input", "argument 'migrate_lock_timeout'", migrate_lock_timeout="soon")
    fails("no_python", "/nowhere/python on ", migrate_python="/nowhere/python")
    fails("host_key", "The host key of", migrate_known_hosts=known_hosts)
    fails("key_refused", "does not accept the private key", migrate_private_key_secret=stranger)
    fails("key_damaged", "ssh cannot read the private key", migrate_private_key_secret=damaged)
    fails("wrong_passphrase", "does not open the private key", migrate_private_key_passphrase_secret=wrong)
    fails("no_ref", "ref 'nowhere' does not exist", migrate_ref="nowhere")
    fails("no_git_field", "it has no key nothing", migrate_private_key_secret=nothing)
    fails("denied", "access is denied", migrate_aws_endpoint_url=denied.url)
    fails("no_endpoint", "cannot connect to the endpoint", migrate_aws_endpoint_url="http://127.0.0.1:1")


def _fail_to_migrate(canary: Canary, stack: contextlib.ExitStack) -> None:
    server, fails, password = canary.team.mariadb, canary.fails, canary.password
    text, keys = f"{canary.unique}/text", f"{canary.unique}/keys"
    canary.secrets_manager.put(text, f"the password is {password}")
    canary.secrets_manager.put(keys, json.dumps({"host": server.host, "pass": password}))
    fails("no_secret", "there is no secret with this name", migrate_secret_id="no/such/secret")
    fails("not_json", "it is neither JSON nor a connection URL", migrate_secret_id=text)
    fails("no_password", "it has no password", migrate_secret_id=keys)
    nothing = {"password": "nothing"}
    fails("no_field", "fields maps password to nothing", migrate_secret_id=keys, migrate_secret_fields=nothing)
    fails("refused", "Access denied for user")
    fails("locked", "it was not free within 1 s", migrate_lock_timeout=1)
    lock = stack.enter_context(server.connect())
    name = lock_name(canary.hosts["locked"]["schema"], "schema_migrations")
    lock.cursor().execute("SELECT GET_LOCK(%s, 0)", (name,))
    scripts = {"joined": _JOINED.format(password[:20], password[20:]), NAMED: _MISSPELT.format(password)}
    for database, script in scripts.items():
        repository = canary.git_server.create(f"{database}-{canary.unique}")
        repository.commit({**MIGRATIONS, "db/0003_account.up.sql": script})
        fails(database, _QUOTED, migrate_repository=repository.url)
    repository = canary.git_server.create(f"{SLOW}-{canary.unique}")
    repository.commit({"db/0001_account.up.sql": _OWN.format(password)})
    canary.hosts[SLOW]["migrate_repository"] = repository.url
    for name in (NAMED, SLOW):
        canary.hosts[name]["migrate_home"] = str(canary.folder / name)


@contextlib.contextmanager
def _core_dumps_wanted(git_server: GitServer) -> Iterator[None]:
    """Allow core dumps here and to those who log in, if possible, so that it is seen who switches them off."""
    assert git_server._process is not None
    pids = [os.getpid(), git_server._process.pid]
    before = [resource.prlimit(pid, resource.RLIMIT_CORE) for pid in pids]
    for pid, (_soft, hard) in zip(pids, before):
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        for pid, limits in zip(pids, before):
            resource.prlimit(pid, resource.RLIMIT_CORE, limits)
