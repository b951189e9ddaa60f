#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_fetch
short_description: Fetch one directory of a Git repository to the runner
version_added: 0.1.0
description:
  - Fetches the files in one directory of a Git repository, at a branch, a tag or a commit, to the host on which the
    module runs.
  - The files of each commit are stored in a separate directory, which is never changed afterwards and is returned as
    RV(directory). The symbolic link C(current) in O(dest) points to the latest one. It is replaced atomically after all
    files have been fetched, so a failed fetch changes nothing.
  - Several runs can use the same O(dest) at the same time. Use a different O(dest) for each repository and each
    O(directory).
  - If several hosts of a task need the same files on the same runner, such as databases that share a repository, only
    the first host fetches them, and the others use its result. Each host fetches separately if that fetch failed, in a
    later batch, in a loop, with C(until) and with C(async).
  - Only the regular files directly inside O(directory) are fetched, with mode C(0640). Subdirectories are ignored. A
    symbolic link, a submodule, a Git LFS pointer or a file larger than 64 MiB is an error.
  - The repository is not checked out. Hooks, filters and attributes have no effect, and neither do the Git
    configuration of the account and the host, and C(GIT_*) variables.
  - If the server supports it, only the commit, its directory listings and the needed files are transferred. Otherwise
    the module uses a shallow fetch, or a full fetch as a last resort. If O(dest) already contains the commit, nothing
    is fetched, unless one of its files was changed or is missing.
  - The files of the last O(keep) commits are kept, as well as those that were current during the last 24 hours, because
    other runs may still be reading them.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._aws
attributes:
  check_mode:
    support: full
    details: Contacts the Git server, but does not change O(dest). See O(preview_dest).
  diff_mode:
    support: full
  idempotent:
    support: full
author:
  - The dbops.migrations contributors (@dbops)
options:
  repo:
    description:
      - The repository, as C(ssh://user@host/path), C(user@host:path), C(https://host/path), C(file:///path) or an
        absolute path on the runner.
      - The C(ssh_config) files of the account and the system are not read. Host aliases and jump hosts have no effect,
        so use the real name of the host. The runner must be able to reach it directly.
      - A URL that contains a password or token is refused; use O(token) instead. Plain C(http) is only accepted for
        loopback addresses, because attackers in the network could change the migrations.
    type: str
    required: true
  ref:
    description:
      - A branch, a tag, a full reference name such as C(refs/heads/main), a full commit hash (40 digits), or V(HEAD),
        which is the default branch of the repository.
      - If a branch and a tag have the same name, use the full reference name.
    type: str
    default: HEAD
  expected_commit:
    description:
      - The full hash (40 digits) of the commit that O(ref) must point to. If it points to another commit, the module
        fails and changes nothing.
      - This ensures that the deployed commit is the reviewed one, and that the branch has not moved since.
    type: str
  verify:
    description:
      - What must have a valid signature by one of O(allowed_signers) or O(gpg_public_keys). The signature is verified
        before O(dest) is changed. The module fails if it is not valid.
      - V(signed_commit) requires a signature of the commit that O(ref) points to. Earlier commits need no signature.
      - V(signed_tag) requires O(ref) to be a signed annotated tag. The tag object must contain the name of the tag and
        point to a commit.
      - A signature proves who signed the commit or tag. It does not prove that it is meant for this branch, nor that it
        is the newest. See O(expected_commit).
      - Files that are already in O(dest) only count as verified if they were fetched with the same value of this option
        and the same keys. If these options change, the commit is fetched and verified again.
    type: str
    choices: [none, signed_commit, signed_tag]
    default: none
  allowed_signers:
    description:
      - The SSH keys that may sign, in the allowed signers format of B(ssh-keygen)(1), including its options.
        C(valid-after) and C(valid-before) are compared with the time in the commit or tag.
      - No other key is accepted, regardless of the keys, trust and settings on the host.
    type: str
  gpg_public_keys:
    description:
      - The OpenPGP keys that may sign, as printed by C(gpg --armor --export). Expired or revoked keys and expired
        signatures are not accepted.
      - No other key is accepted, regardless of the keys, trust and settings on the host.
    type: str
  directory:
    description: The directory inside the repository, relative to its root.
    type: str
    default: .
  dest:
    description:
      - The absolute path of the directory on the runner to fetch into. It is created if it does not exist.
      - It and its subdirectories must be owned by the account that runs the module, and must not be writable by anybody
        else. Otherwise the module fails and changes nothing.
      - Do not use the directory for anything else.
    type: path
    required: true
  keep:
    description:
      - The number of commits whose files to keep in O(dest), including the current one. To go back to one of them by
        its full hash, the server is not needed.
      - Files that were current during the last 24 hours are always kept, because other runs may still be reading them.
    type: int
    default: 3
  private_key:
    description:
      - The private key for SSH, as text. Text before and after the key is ignored.
      - If none of this option, O(private_key_file), O(private_key_secret) and O(use_ssh_agent) is set, the account's
        own keys are used.
    type: str
  private_key_file:
    description: The path on the runner of the private key for SSH. The file must only be readable by its owner.
    type: path
  private_key_secret:
    description:
      - Where to find the private key for SSH. The module reads it on the host on which it runs, so that it never
        reaches the controller.
    type: dict
    suboptions: &address
      id:
        description: The name or ARN of the secret, or the path of the file.
        type: str
        required: true
      store:
        description:
          - Where the secret is stored. V(aws_secrets_manager) and V(aws_parameter_store) use the AWS options.
          - V(file) is a file on the host, for example a systemd credential. It may have up to 64 KiB, and only its
            owner and group may be able to read it.
        type: str
        default: aws_secrets_manager
        choices: [aws_secrets_manager, aws_parameter_store, file]
      version_stage:
        description:
          - The staging label of the version to read, V(AWSCURRENT) by default, or a label in Parameter Store.
        type: str
      version_id:
        description: The ID of the version to read instead of a label, or its number in Parameter Store.
        type: str
      field:
        description: The key of the value, if the secret is a JSON object. By default, the whole secret is the value.
        type: str
  private_key_passphrase:
    description: The passphrase of the private key.
    type: str
  private_key_passphrase_secret:
    description: Where to find the passphrase, in the same format as O(private_key_secret).
    type: dict
    suboptions: *address
  use_ssh_agent:
    description:
      - Only use the keys of the SSH agent that E(SSH_AUTH_SOCK) names in the environment of this task on the runner.
        The variable is set if Ansible's connection forwards an agent, or with the keyword C(environment).
      - The agent is not forwarded to the Git server. Without this option, no agent is used.
      - Mutually exclusive with O(private_key), O(private_key_file) and O(private_key_passphrase).
    type: bool
    default: false
  known_hosts:
    description:
      - The host keys to accept, in the format of a C(known_hosts) file. No others are accepted.
      - If none of this option, O(known_hosts_file) and O(known_hosts_fingerprints) is set, the C(known_hosts) files of
        the account and the system are used. Unknown host keys are never accepted.
    type: str
  known_hosts_file:
    description: The path on the runner of a C(known_hosts) file to use instead of O(known_hosts).
    type: path
  known_hosts_fingerprints:
    description:
      - The SHA-256 fingerprints of the host keys to accept, instead of O(known_hosts). Each consists of V(SHA256:) and
        43 characters, as published by GitHub and GitLab and as printed by C(ssh-keygen -lf).
      - One of the server's host keys is sufficient, of any type. Host certificates are not accepted.
      - Requires OpenSSH 8.5 or later on the runner.
    type: list
    elements: str
  ssh_options:
    description:
      - The algorithms that SSH may use, for old servers that support none of the default ones. The values are the same
        as in B(ssh_config)(5); V(+NAME) adds an algorithm.
      - The keys can be C(HostKeyAlgorithms), C(KexAlgorithms), C(Ciphers), C(MACs) and C(PubkeyAcceptedAlgorithms)
        (C(PubkeyAcceptedKeyTypes) before OpenSSH 8.5). The error message that such a server causes contains the needed
        setting.
      - C(HostKeyAlgorithms) cannot be combined with O(known_hosts_fingerprints).
    type: dict
    version_added: 0.2.0
  username:
    description:
      - The user name for HTTPS. Only used with O(token).
      - The default works for GitHub and GitLab. Bitbucket needs V(x-token-auth), and GitLab deploy tokens have user
        names of their own.
    type: str
    default: x-access-token
  token:
    description: The token or password for HTTPS. Git gets it through C(GIT_ASKPASS), only for the host in O(repo).
    type: str
  token_secret:
    description: Where to find the token, in the same format as O(private_key_secret).
    type: dict
    suboptions: *address
  missing_directory:
    description:
      - What to do if the commit does not contain O(directory). Git does not store empty directories, so this may be a
        mistake, or a directory that does not have any files yet.
      - V(fail) fails, and names the nearest existing directory.
      - V(empty) returns an empty directory.
    type: str
    choices: [fail, empty]
    default: fail
  fast_forward_only:
    description:
      - Refuse a branch whose new commit is not a descendant of the current commit in O(dest), for example after a force
        push. Nothing is changed then.
      - It does not matter from which O(ref) the current commit was fetched. If O(ref) is a tag or a commit, it is not
        checked.
      - If the server supports it, only the commits since the current one are transferred for this check.
    type: bool
    default: false
  preview_dest:
    description:
      - The directory to store the files in during check mode if O(dest) does not contain them, so that later tasks can
        read them. It has the same layout as O(dest).
      - Only used in check mode. Without it, the files are not stored, and RV(directory) is the path that they would
        have.
    type: path
  timeout:
    description:
      - The maximum time for the whole communication with the server, in seconds.
      - This is also how long to wait for other runs that are fetching into O(dest).
    type: int
    default: 60
requirements:
  - GitPython >= 3.2.1
  - git >= 2.29
  - OpenSSH's client, for SSH
  - git >= 2.34 and OpenSSH's client, for O(allowed_signers)
  - GnuPG, for O(gpg_public_keys)
notes:
  - O(private_key), O(private_key_passphrase) and O(token) are passed to Git and SSH through memory, not through files
    on disk, arguments or the environment. If the system does not support this, they are written to a private directory
    that is removed at the end.
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

- name: Fetch with a deploy key from AWS Secrets Manager that the runner may read
  dbops.migrations.git_fetch:
    repo: git@github.com:example/shop.git
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    private_key_secret:
      id: production/shop-deploy-key
    region: eu-central-1
    known_hosts: "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
  register: source

- name: Show the fetched files
  ansible.builtin.debug:
    msg: "{{ source.files }} of commit {{ source.commit }} in {{ source.directory }}"

- name: Fetch a tag over HTTPS that the release manager must have signed
  dbops.migrations.git_fetch:
    repo: https://gitlab.example.com/example/shop.git
    ref: refs/tags/v1.4.0
    verify: signed_tag
    allowed_signers: "ops@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL+xbRZPXiB8pNtuXEcRwo+27bZwuAb4AoJYkHDEKp0"
    directory: db/migrations
    dest: /var/lib/dbops-migrations/shop
    token: "{{ shop_read_token }}"

- name: Fetch with a forwarded SSH agent, and refuse force pushes
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
  description: The commit that was current in O(dest) before; null if there was none.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567
ref:
  description: The full reference name that O(ref) resolved to, or the commit if O(ref) is a commit.
  returned: success
  type: str
  sample: refs/heads/main
directory:
  description: The directory on the runner that contains the files of RV(commit).
  returned: success
  type: str
  sample: /var/lib/dbops-migrations/shop/releases/5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a392-cdb4ee2aea69
files:
  description: The names of the fetched files, sorted.
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
from ansible_collections.dbops.migrations.plugins.module_utils._git.fetch import FetchRequest, fetch, preview
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
from ansible_collections.dbops.migrations.plugins.module_utils._git.tree import ReleaseStore, commit_of, difference
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
    request = FetchRequest(
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
    dest = ReleaseStore("dest", params["dest"], params["keep"])
    kept = _preview_store(params, dest)

    texts = Texts(params)
    addresses = {name: params[f"{name}_secret"] for name in _SECRETS}
    params = {**params, **{name: texts.read(where) for name, where in addresses.items() if where}}
    run = functools.partial(module.run_command, encoding=None, expand_user_and_vars=False, handle_exceptions=False)
    with PrivateFolder(module.tmpdir) as private, contextlib.ExitStack() as at_the_end:
        at_the_end.callback(ssh.close_connection, private, run)
        signers = None if policy is None else signature.Signers(policy, private, run)
        remote = Remote(repo, private, timeout, _access(params, repo, private), signers)
        if module.check_mode:
            elsewhere = kept or ReleaseStore("dest", private.join("preview"))
            outcome, store = preview(remote, request, dest, elsewhere, timeout)
        else:
            outcome, store = fetch(remote, request, dest, timeout), dest
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
                coded(
                    1240, f"There are no files in the directory {request.directory} at commit {outcome.found.commit}."
                )
            )
        if module._diff:
            before = dest.path(outcome.before) if outcome.before else None
            result["diff"] = {"prepared": difference(before, store.path(outcome.name))}
    return result


def _end(number: int, _frame: object) -> None:
    # An exception, so that git, its ssh and the private directory end with this process.
    raise Error(1115, f"Ended by {signal.Signals(number).name} before it finished.")


def _preview_store(params: dict[str, Any], dest: ReleaseStore) -> ReleaseStore | None:
    if params["preview_dest"] is None:
        return None
    store = ReleaseStore("preview_dest", params["preview_dest"])
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
