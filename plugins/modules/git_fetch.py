#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_fetch
short_description: Bring one directory of a Git repository to the runner
version_added: 0.1.0
description:
  - Brings the files of one directory of a Git repository, at a branch, a tag or a commit, to the host on which it runs.
  - The files of one commit are put into a directory of their own, which never changes afterwards and is returned as
    RV(directory). The link C(current) in O(dest) leads to the latest one. It moves in one step once all is there, so a
    fetch that fails leaves everything as it was.
  - Several runs may use the same O(dest) at once. For each repository and each O(directory), use a different O(dest).
  - If hosts of one task want the same on the same runner, as databases do that share a repository, the first one
    fetches and the others take over what it found. They ask for themselves if that failed, in a later batch, in a
    loop, with C(until) and with C(async).
  - Only the regular files directly inside O(directory) are brought, with mode C(0640). Directories below it are left
    out. A symbolic link, a submodule, a pointer of Git LFS or a file of more than 64 MiB among them is an error.
  - There is no checkout, so hooks, filters and attributes have no effect, and neither has the Git configuration of the
    account or the host, nor C(GIT_*) variables.
  - If the server allows it, only the commit, its directory listings and the files wanted are transferred. Otherwise it
    is a shallow fetch, or at last a full one. If O(dest) has the commit already, nothing is fetched, unless a file of
    it was changed or is missing.
  - Kept are the last three releases and all that were current during the last 24 hours, because another run may still
    be reading them.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._aws
attributes:
  check_mode:
    support: full
    details: The repository is asked, and O(dest) is not touched. See O(preview_dest).
  diff_mode:
    support: full
  idempotent:
    support: full
author:
  - The dbops.migrations contributors (@dbops)
options:
  repo:
    description:
      - Where the repository is, as C(ssh://user@host/path), C(user@host:path), C(https://host/path), C(file:///path) or
        an absolute path on the runner.
      - No C(ssh_config) is read, neither the account's nor the system's. Aliases of hosts and jump hosts have no
        effect, so give the host's own name; the runner must reach it itself.
      - A URL with a password or token in it is refused, see O(token). Plain C(http) is accepted for the loopback
        addresses only, because anyone on the way could change the migrations.
    type: str
    required: true
  ref:
    description:
      - A branch, a tag, a full name such as C(refs/heads/main), a commit with all of its 40 digits, or V(HEAD), the
        repository's default branch.
      - If a branch and a tag have the same name, give the full name.
    type: str
    default: HEAD
  expected_commit:
    description:
      - The commit that O(ref) must stand for, with all of its 40 digits. If it stands for another one, nothing is
        changed and the module fails.
      - So what is deployed is what was reviewed, and the branch is still where it was then.
    type: str
  verify:
    description:
      - What must carry a good signature by one of O(allowed_signers) or O(gpg_public_keys). It is verified before
        anything in O(dest) is touched; if it is not good, the module fails.
      - V(signed_commit) is the commit that O(ref) stands for. The commits before it need none.
      - V(signed_tag) is the annotated tag that O(ref) names. It must bear that name in itself, and point at a commit.
      - A signature says who, and not for which branch, nor that there is nothing newer. See O(expected_commit).
      - Files that are in O(dest) count as verified only by the same V(signed_commit) or V(signed_tag), and by the same
        keys. When these options change, the commit is fetched and verified anew.
    type: str
    choices: [none, signed_commit, signed_tag]
    default: none
  allowed_signers:
    description:
      - Who may sign with SSH, in the format that B(ssh-keygen)(1) calls allowed signers. Its options hold, too. The
        time that C(valid-after) and C(valid-before) are about is the one in the commit or tag.
      - Nobody else's signature counts, whatever keys, trust or settings the host has.
    type: str
  gpg_public_keys:
    description:
      - The OpenPGP keys that may sign, as C(gpg --armor --export) prints them. A key that has expired or is revoked
        does not count, nor does a signature that has expired.
      - No other key counts, whatever keys, trust or settings the host has.
    type: str
  directory:
    description: The directory inside the repository, relative to its root.
    type: str
    default: .
  dest:
    description:
      - The directory on the runner to fetch into, an absolute path. It is made if needed.
      - It and the directories in it must belong to the account that runs this, and be writable to nobody else;
        otherwise they are refused, and nothing is touched.
      - It should be used for nothing else.
    type: path
    required: true
  keep:
    description:
      - How many commits' files stay in O(dest), the current one's included. To go back to one of them by its full
        commit, the server is not needed.
      - Files that were current during the last day stay in any case, as another run may still be reading them.
    type: int
    default: 3
  private_key:
    description:
      - The text of the private key for SSH. It is kept in memory. What stands around the key is left out.
      - If none of this, O(private_key_file), O(private_key_secret) and O(use_ssh_agent) is given, the account's own
        keys are used.
    type: str
  private_key_file:
    description: Path on the runner of the private key for SSH. Nobody but its owner may be able to read it.
    type: path
  private_key_secret:
    description:
      - Where the text of the private key for SSH is. The module reads it itself, on the host on which it runs; it never
        comes to the controller.
    type: dict
    suboptions: &address
      id:
        description: The secret's name or ARN, or the path of the file.
        type: str
        required: true
      store:
        description:
          - Where the secret is. V(aws_secrets_manager) and V(aws_parameter_store) are reached with the options for AWS.
          - V(file) is a file on the host, of 64 KiB at most, that only its owner and group may read, such as a
            credential of systemd.
        type: str
        default: aws_secrets_manager
        choices: [aws_secrets_manager, aws_parameter_store, file]
      version_stage:
        description: The staging label of the version to read, V(AWSCURRENT) by default; a label in the Parameter Store.
        type: str
      version_id:
        description: The ID of the version to read, instead of a label; its number in the Parameter Store.
        type: str
      field:
        description: The key under which it stands, if the secret is a JSON object. Otherwise it is the whole text.
        type: str
  private_key_passphrase:
    description: The passphrase that protects the private key.
    type: str
  private_key_passphrase_secret:
    description: Where the passphrase is, in the way of O(private_key_secret).
    type: dict
    suboptions: *address
  use_ssh_agent:
    description:
      - Use the keys of the SSH agent that E(SSH_AUTH_SOCK) names in this task's environment on the runner, and no
        others. It is the one that Ansible's own connection forwards, or is set with C(environment).
      - It is not forwarded to the Git server. Without this option no agent is asked.
      - Mutually exclusive with O(private_key), O(private_key_file) and O(private_key_passphrase).
    type: bool
    default: false
  known_hosts:
    description:
      - The host keys that are accepted, in the format of a C(known_hosts) file. No others are.
      - If none of this, O(known_hosts_file) and O(known_hosts_fingerprints) is given, the C(known_hosts) files of the
        account and the system count. The check is always strict.
    type: str
  known_hosts_file:
    description: Path on the runner of a C(known_hosts) file, in place of O(known_hosts).
    type: path
  known_hosts_fingerprints:
    description:
      - The SHA-256 fingerprints of the host keys that are accepted, in place of O(known_hosts). Each is V(SHA256:) and
        43 characters, as GitHub and GitLab publish them and as C(ssh-keygen -lf) prints them.
      - One of the server's host keys is enough, of whatever kind. Host certificates do not count.
      - It needs OpenSSH 8.5 or newer on the runner.
    type: list
    elements: str
  ssh_options:
    description:
      - Algorithms that SSH is to use, for old servers that have none of those it uses by itself. The values are those
        of B(ssh_config)(5); V(+NAME) adds one.
      - Allowed are C(HostKeyAlgorithms), C(KexAlgorithms), C(Ciphers), C(MACs) and C(PubkeyAcceptedAlgorithms) (before
        OpenSSH 8.5 C(PubkeyAcceptedKeyTypes)). The error that such a server causes says what to set.
      - C(HostKeyAlgorithms) does not go with O(known_hosts_fingerprints).
    type: dict
  username:
    description:
      - User name for HTTPS. Only used with O(token).
      - The default suits GitHub and GitLab; Bitbucket wants V(x-token-auth); a deploy token of GitLab has its own name.
    type: str
    default: x-access-token
  token:
    description: Token or password for HTTPS. Git gets it through C(GIT_ASKPASS), and only for the host in O(repo).
    type: str
  token_secret:
    description: Where the token is, in the way of O(private_key_secret).
    type: dict
    suboptions: *address
  missing_directory:
    description:
      - What to do if the commit has no such directory. Git holds no empty directories, so it may be a slip or the
        directory of a team that has not begun.
      - V(fail) fails, and names the nearest directory that exists.
      - V(empty) hands on an empty directory.
    type: str
    choices: [fail, empty]
    default: fail
  fast_forward_only:
    description:
      - Refuse a branch whose new commit does not descend from the one that is current in O(dest), because its history
        was rewritten by force. Nothing is changed then.
      - It does not matter by which ref the current commit came. A tag or a commit as O(ref) is not checked, as it was
        named on purpose.
      - Only the commits since the current one are transferred for it, if the server allows it.
    type: bool
    default: false
  preview_dest:
    description:
      - Where to put the files in check mode if O(dest) does not have them, so that later tasks can read them. The
        layout is the one of O(dest).
      - It is only used in check mode. Without it the files are not kept, and RV(directory) is where they would be.
    type: path
  timeout:
    description:
      - Seconds for the whole conversation with the server.
      - A run waits as long for other runs that are fetching into O(dest).
    type: int
    default: 60
requirements:
  - GitPython >= 3.2.1
  - git >= 2.29
  - OpenSSH's client, for SSH
  - git >= 2.34 and OpenSSH's client, for O(allowed_signers)
  - GnuPG, for O(gpg_public_keys)
notes:
  - O(private_key), O(private_key_passphrase) and O(token) reach Git and SSH through the memory of this module's
    process, not through a file on a disk, an argument or the environment. Where the system cannot do that, they are
    files in a private directory that is removed at the end.
"""

EXAMPLES = r"""
- name: Fetch the migrations with a deploy key
  dbops.migrations.git_fetch:
    repo: git@github.com:example/shop.git
    ref: main
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    private_key: "{{ shop_deploy_key }}"
    known_hosts: "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
  register: source

- name: Fetch with a deploy key that AWS Secrets Manager holds, and that the runner may read
  dbops.migrations.git_fetch:
    repo: git@github.com:example/shop.git
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    private_key_secret:
      id: production/shop-deploy-key
    region: eu-central-1
    known_hosts: "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
  register: source

- name: Show the files
  ansible.builtin.debug:
    msg: "{{ source.files }} of commit {{ source.commit }} in {{ source.directory }}"

- name: Fetch a tag over HTTPS, if the release manager has signed it
  dbops.migrations.git_fetch:
    repo: https://gitlab.example.com/example/shop.git
    ref: refs/tags/v1.4.0
    verify: signed_tag
    allowed_signers: "ops@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL+xbRZPXiB8pNtuXEcRwo+27bZwuAb4AoJYkHDEKp0"
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    token: "{{ shop_read_token }}"

- name: Fetch with a forwarded SSH agent, and follow the branch only forwards
  dbops.migrations.git_fetch:
    repo: git@github.com:example/shop.git
    ref: main
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    use_ssh_agent: true
    known_hosts_fingerprints:
      - SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU
    fast_forward_only: true
"""

RETURN = r"""
commit:
  description: The commit whose files are in RV(directory).
  returned: success
  type: str
  sample: 5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a392
previous_commit:
  description: The commit that was current in O(dest) before. Null if there was none.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
ref:
  description: The full name that O(ref) stood for, or the commit if it was one.
  returned: success
  type: str
  sample: refs/heads/main
directory:
  description: The directory on the runner that holds the files of exactly RV(commit).
  returned: success
  type: str
  sample: /var/lib/dbops-migrations/shop/releases/5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a392-cdb4ee2aea69
files:
  description: The names of the files, sorted.
  returned: success
  type: list
  elements: str
  sample:
    - 0001_customers.down.sql
    - 0001_customers.up.sql
"""

import contextlib
import functools
import os
import signal
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core import stop
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.module_utils._core.paths import native, text_of
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import register_secret
from ansible_collections.dbops.migrations.plugins.module_utils._git import agent, fingerprints, https, signature, ssh
from ansible_collections.dbops.migrations.plugins.module_utils._git.fetch import Wish, fetch, preview
from ansible_collections.dbops.migrations.plugins.module_utils._git.private import PrivateFolder
from ansible_collections.dbops.migrations.plugins.module_utils._git.reference import (
    Address,
    candidates,
    clean_directory,
    embedded_secret,
    parse_repo,
    shown,
)
from ansible_collections.dbops.migrations.plugins.module_utils._git.remote import Remote
from ansible_collections.dbops.migrations.plugins.module_utils._git.tree import Store, commit_of, difference
from ansible_collections.dbops.migrations.plugins.module_utils._secret.arguments import AWS, address
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import Texts

# Each may be given itself, or by the address of a secret.
_SECRETS = ("private_key", "private_key_passphrase", "token")
_FIELD = {"type": "str"}
SPEC = AWS + ArgumentSpec(
    argument_spec={
        "repo": {"type": "str", "required": True},
        "ref": {"type": "str", "default": "HEAD"},
        "expected_commit": {"type": "str"},
        "verify": {"type": "str", "choices": ["none", "signed_commit", "signed_tag"], "default": "none"},
        "allowed_signers": {"type": "str"},
        "gpg_public_keys": {"type": "str", "no_log": False},
        "keep": {"type": "int", "default": 3},
        "directory": {"type": "str", "default": "."},
        "dest": {"type": "path", "required": True},
        "private_key": {"type": "str", "no_log": True},
        "private_key_file": {"type": "path"},
        "private_key_secret": address(field=_FIELD),
        "private_key_passphrase": {"type": "str", "no_log": True},
        "private_key_passphrase_secret": address(field=_FIELD),
        "use_ssh_agent": {"type": "bool", "default": False},
        "known_hosts": {"type": "str"},
        "known_hosts_file": {"type": "path"},
        "known_hosts_fingerprints": {"type": "list", "elements": "str"},
        "ssh_options": {"type": "dict"},
        "username": {"type": "str", "default": "x-access-token"},
        "token": {"type": "str", "no_log": True},
        "token_secret": address(field=_FIELD),
        "missing_directory": {"type": "str", "choices": ["fail", "empty"], "default": "fail"},
        "fast_forward_only": {"type": "bool", "default": False},
        "preview_dest": {"type": "path"},
        "timeout": {"type": "int", "default": 60},
    },
    mutually_exclusive=[
        ["private_key", "private_key_file", "private_key_secret"],
        ["private_key_passphrase", "private_key_passphrase_secret"],
        ["token", "token_secret"],
        ["known_hosts", "known_hosts_file", "known_hosts_fingerprints"],
    ],
)
_OWN_KEY = ("private_key", "private_key_file", "private_key_passphrase")


def action(module: AnsibleModule) -> dict[str, Any]:
    """Fetch as the module's options say."""
    params = module.params
    register_secret(embedded_secret(params["repo"]))
    stop.take(_end)
    repo = parse_repo(params["repo"])
    candidates(params["ref"])
    expected = params["expected_commit"]
    if expected is not None and candidates(expected):
        raise Error(1225, f"expected_commit must be a full commit (40 digits): {shown(expected)}.")
    directory = clean_directory(params["directory"])
    policy = signature.policy(params["verify"], params["allowed_signers"], params["gpg_public_keys"])
    wish = Wish(
        params["ref"],
        directory,
        params["missing_directory"] == "empty",
        expected and expected.lower(),
        policy,
        params["fast_forward_only"],
    )
    timeout = params["timeout"]
    if timeout < 1:
        raise Error(1226, f"timeout must be at least 1 second: {timeout}.")
    if params["keep"] < 1:
        raise Error(1227, f"keep must be at least 1, the current commit: {params['keep']}.")
    dest = Store("dest", params["dest"], params["keep"])
    kept = _preview_store(params, dest)

    texts = Texts(params)
    addresses = {name: params[f"{name}_secret"] for name in _SECRETS}
    params = {**params, **{name: texts.read(where) for name, where in addresses.items() if where}}
    run = functools.partial(module.run_command, encoding=None, expand_user_and_vars=False, handle_exceptions=False)
    with PrivateFolder(module.tmpdir) as private, contextlib.ExitStack() as at_the_end:
        at_the_end.callback(ssh.hang_up, private, run)
        signers = None if policy is None else signature.Signers(policy, private, run)
        remote = Remote(repo, private, timeout, _access(params, repo, private), signers)
        if module.check_mode:
            elsewhere = kept or Store("dest", private.join("preview"))
            outcome, store = preview(remote, wish, dest, elsewhere, timeout)
        else:
            outcome, store = fetch(remote, wish, dest, timeout), dest
        result = {
            "changed": outcome.changed,
            "commit": outcome.found.commit,
            "previous_commit": commit_of(outcome.before),
            "ref": outcome.found.name or outcome.found.commit,
            "directory": text_of((store if store is kept else dest).path(outcome.name)),
            "files": store.files(outcome.name),
        }
        if remote.unfiltered:
            module.warn(
                coded(
                    1239,
                    f"The server of {repo.repo} cannot send the migrations alone, so more was fetched. If it is "
                    "yours: git config uploadpack.allowFilter true, and uploadpack.allowAnySHA1InWant true.",
                )
            )
        if not result["files"]:
            module.warn(
                coded(1240, f"There are no files in the directory {wish.directory} at commit {outcome.found.commit}.")
            )
        if module._diff:
            before = dest.path(outcome.before) if outcome.before else None
            result["diff"] = {"prepared": difference(before, store.path(outcome.name))}
    return result


def _end(number: int, _frame: object) -> None:
    # An exception, so that git, its ssh and the private directory end with this process.
    raise Error(1115, f"Ended by {signal.Signals(number).name} before it finished.")


def _preview_store(params: dict[str, Any], dest: Store) -> Store | None:
    if params["preview_dest"] is None:
        return None
    store = Store("preview_dest", params["preview_dest"])
    if os.path.commonpath([os.path.realpath(store.root), os.path.realpath(dest.root)]) == os.path.realpath(dest.root):
        raise Error(
            1116, f"preview_dest {store.root} is inside dest, which check mode must not touch. Choose another one."
        )
    return store


def _access(params: dict[str, Any], repo: Address, private: PrivateFolder) -> dict[str, str]:
    """Return the environment by which git proves who it is, and knows whom it talks to."""
    if repo.transport == "ssh":
        return _ssh_access(params, private)
    if params["token"] is not None:
        return https.credentials(repo, params["username"], params["token"], private)
    return {}


def _ssh_access(params: dict[str, Any], private: PrivateFolder) -> dict[str, str]:
    """Return the same for SSH."""
    environment = {"GIT_SSH_VARIANT": "ssh"}
    key, path, passphrase = (params[name] for name in _OWN_KEY)
    asks, by_agent = passphrase is not None, params["use_ssh_agent"]
    if by_agent:
        for name in _OWN_KEY:
            if params[name] is not None:
                raise Error(1316, f"use_ssh_agent and {name} are mutually exclusive. Give one of them.")
        environment.update(agent.environment())
    origin = "private_key"
    if path is not None:
        key, origin = ssh.read_key_file(path), f"private_key_file {path}"
    if key is not None:
        key = private.secret("private_key", ssh.clean_key(key, origin, asks))
    elif asks:
        raise Error(
            1317,
            "private_key_passphrase needs the key that it protects: give private_key, private_key_file or "
            "private_key_secret.",
        )
    if asks:
        environment.update(ssh.answers(passphrase, private))
    more = ssh.algorithms(params["ssh_options"] or {})
    listed = params["known_hosts_fingerprints"]
    if listed is not None and "HostKeyAlgorithms" in more:
        raise Error(
            1318,
            "ssh_options: HostKeyAlgorithms and known_hosts_fingerprints are mutually exclusive. Give known_hosts "
            "instead of the fingerprints.",
        )
    command = ssh.command(key, _host_keys(params, private), params["timeout"], asks=asks, agent=by_agent, more=more)
    environment["GIT_SSH_COMMAND"] = command if listed is None else fingerprints.command(command, listed, private)
    return environment


def _host_keys(params: dict[str, Any], private: PrivateFolder) -> dict[str, str]:
    """Return the settings by which ssh knows the server."""
    path = params["known_hosts_file"]
    if path is not None and not os.access(native(path), os.R_OK):
        raise Error(1319, f"Cannot read known_hosts_file {path} on the runner. Check the path and its mode.")
    if params["known_hosts"] is not None:
        path = private.file("known_hosts", params["known_hosts"] + "\n")
    if params["known_hosts_fingerprints"] is not None:
        return fingerprints.OPTIONS
    return {} if path is None else ssh.known_hosts_file(path)


def main() -> None:
    run_module(SPEC, action)


if __name__ == "__main__":
    main()
