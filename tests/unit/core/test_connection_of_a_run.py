# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run's file is, as a shell expands it, and what tells a host that is not there from a connection that broke.

The action is a fake that has what it needs.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local
from ansible.plugins.connection.ssh import Connection as Ssh
from ansible.plugins.shell.sh import ShellModule
from ansible_collections.dbops.migrations.plugins.plugin_utils import reconnect
from ansible_collections.dbops.migrations.plugins.plugin_utils.progress import _folder
from ansible_collections.dbops.migrations.plugins.plugin_utils.reconnect import patience, reconnecting


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("~/.ansible/tmp", "{home}/.ansible/tmp"),
        ("$HOME/tmp", "{home}/tmp"),
        ("/var/tmp/a folder's", "/var/tmp/a folder's"),
        ("/var/tmp", "/var/tmp"),
        ("~root/tmp", "/root/tmp"),
    ],
)
def test_the_folder_is_where_the_module_writes(tmp_path: Path, folder: str, expected: str) -> None:
    looker: Any = SimpleNamespace(get_shell_option=lambda name, default: folder)
    command = f"printf %s {_folder(looker)}"
    environment = {**os.environ, "HOME": str(tmp_path)}
    found = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert found == expected.format(home=tmp_path)
    os.environ["HOME"], before = str(tmp_path), os.environ["HOME"]
    try:
        assert found == os.path.expanduser(os.path.expandvars(folder))
    finally:
        os.environ["HOME"] = before


def action(connection: type, **args: Any) -> Any:
    task = SimpleNamespace(args=args)
    fake: Any = object.__new__(connection)
    context = SimpleNamespace(remote_addr="runner1")
    return SimpleNamespace(_task=task, _connection=fake, _play_context=context, reached=False, cut=())


@pytest.mark.parametrize(
    ("connection", "args", "expected"),
    [
        (Ssh, {}, 300),
        (Ssh, {"reconnect": "20"}, 20),
        (Ssh, {"reconnect": 0}, 0),
        (Ssh, {"reconnect": "soon"}, 0),
        (Ssh, {"lock": "no"}, 0),
        (Ssh, {"history_table": ""}, 0),
        (Ssh, {"databases": ["a"]}, 0),
        (Local, {}, 0),
    ],
)
def test_for_how_long_it_is_asked_for_again(connection: type, args: dict[str, Any], expected: float) -> None:
    assert patience(action(connection, **args)) == expected


# As OpenSSH 9.2 and Ansible say them.
NO_LOGIN = [
    "ssh: connect to host 10.0.0.1 port 22: Connection refused",
    "ssh: connect to host 10.0.0.1 port 22: No route to host",
    "ssh: Could not resolve hostname nowhere.example.com: Name or service not known",
    "deploy@10.0.0.1: Permission denied (publickey).",
    "Warning: Permanently added '10.0.0.1' (ED25519)\nHost key verification failed.",
    "kex_exchange_identification: Connection closed by remote host",
    'Data could not be sent to remote host "10.0.0.1". Make sure this host can be reached over ssh: ssh: connect to '
    "host 10.0.0.1 port 22: Connection refused",
]
BROKEN = [
    "Connection reset by 10.0.0.1 port 22",
    "Shared connection to 10.0.0.1 closed.",
    "client_loop: send disconnect: Broken pipe",
    "mux_client_request_session: read from master failed: Broken pipe",
    "Timeout, server 10.0.0.1 not responding.",
]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "_PAUSE", 0)


def calls(*outcomes: Any) -> Any:
    """Return a call that gives one outcome after the other."""
    left = list(outcomes)

    def call() -> Any:
        found = left.pop(0)
        if isinstance(found, str):
            raise AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {found}")
        return found

    return call


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("text", NO_LOGIN)
def test_a_host_that_is_not_there_is_reported_at_once(text: str) -> None:
    with pytest.raises(AnsibleConnectionFailure, match="Failed to connect"):
        reconnecting(action(Ssh), 300, calls(text, {}))


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(("reached", "text"), [(False, text) for text in BROKEN] + [(True, text) for text in NO_LOGIN])
def test_a_connection_that_breaks_is_made_again(reached: bool, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = action(Ssh, login_db="shop")
    one.reached = reached
    assert reconnecting(one, 300, calls(text, NO_LOGIN[0], BROKEN[0], {"changed": True})) == {"changed": True}
    assert one._task.args == {"login_db": "shop", "reattach": True}
    assert capsys.readouterr().out == (
        "shop: the connection to the runner was lost. The run continues there. Trying to reconnect for 300 s.\n"
    )


@pytest.mark.usefixtures("now")
def test_it_is_given_up_after_a_while() -> None:
    with pytest.raises(AnsibleConnectionFailure) as caught:
        reconnecting(action(Ssh), 0.001, calls(*BROKEN[:1] * 1000))
    text = str(caught.value)
    assert "The connection was lost and could not be restored within 0 s: Failed to connect to the host" in text
    assert (
        "The run may still be in progress. Check with the playbook dbops.migrations.status, and run again when it has "
        "finished." in text
    )


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_of_which_ansible_was_not_told_is_removed(tmp_path: Path, made: bool) -> None:
    """The command is Ansible's own."""
    shell, folder = ShellModule(), tmp_path / "a folder"
    command = shell.mkdtemp(basefile=shell._generate_temp_dir_name(), tmpdir=str(folder))
    if made:
        subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True)
        assert len(list(folder.iterdir())) == 1
    one = action(Ssh)
    one.cut = ("echo ~ && sleep 0", command)
    commands: list[str] = []
    one._low_level_execute_command = lambda cmd, sudoable: commands.append(cmd)
    reconnecting(one, 300, calls(BROKEN[0], {}))
    [remove] = commands
    subprocess.run(["/bin/sh", "-c", remove], check=made)
    assert list(tmp_path.rglob("*")) == ([folder] if made else [])
