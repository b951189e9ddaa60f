# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Translates the messages of git and ssh into what a user needs to know. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .._core.errors import Message
from .._core.secrets import clean
from .fingerprints import LISTED, UNLISTED
from .reference import Address

# The server has the repository but does not serve it in the way it was asked to.
_REFUSED = re.compile(
    r"unadvertised object|not our ref|remote error:|does not support (shallow|filter)|shallow capabilities"
)

_REFUSED_FILTER = re.compile(r"filter '\S+' not supported|tree filter allows max depth")

# Characters of what git, ssh or a server said: a line, and a part of one.
_LONGEST, _LONGEST_PART = 300, 160
# What ssh says only between the lines when a key stays shut. No server can say it: control characters are taken out.
_LOCKED = "\0locked"
_STAYED_SHUT = re.compile(r"^debug1: read_passphrase: [^\n]*\ndebug1: No more authentication methods", re.MULTILINE)
# git ends with these whatever happened to its ssh, and servers frame their messages.
_EMPTY = re.compile(
    r"(fatal: Could not read from remote repository\.|Please make sure you have the correct access rights|"
    r"and the repository exists\.|remote:[\W_]*)\Z"
)
_TELLING = re.compile(r"(fatal|error|ERROR|remote|ssh|Unable to negotiate)\b|ssh_|kex_|Received disconnect|Bad ")
# What a part of ssh_options is about, in the words of ssh.
_OPTION = {
    "host key type": "HostKeyAlgorithms",
    "key exchange method": "KexAlgorithms",
    "cipher": "Ciphers",
    "MAC": "MACs",
}
_NOT_LISTED = re.compile(f"^{UNLISTED}$", re.MULTILINE)
_AGENT = "\0agent"
_AGENT_IN_VAIN = re.compile(
    r"^debug1: Offering public key: [^\n]* agent\r?$.*Permission denied \(", re.MULTILINE | re.DOTALL
)

# The server is another machine, or another account.
_FAR = "\0far"
_OLD_SIGNATURES = "\0old signatures"
_NO_SIGNATURE = re.compile(
    r"^debug1: send_pubkey_test: no mutual signature algorithm\r?$.*Permission denied \(", re.MULTILINE | re.DOTALL
)

SHA256 = Message(1330, "{repo} uses SHA-256 object names, which is not supported. Fetch from one with SHA-1 names.")

# The first pattern that is found counts: what is certain is before what is vague.
_MESSAGES: Sequence[tuple[str, Message]] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        Message(
            1331,
            "The host key of {server} is not the one in known_hosts{offer}. Either the server has a new key, or "
            "someone is intercepting the connection. Compare it with what the server's operator publishes before you "
            "replace the line in known_hosts.",
        ),
    ),
    (
        UNLISTED,
        Message(
            1332,
            "The host key of {server} has none of the fingerprints in known_hosts_fingerprints{offer}. Compare it with "
            "what the server's operator publishes before you list it.",
        ),
    ),
    (
        "(?i)bad configuration option: knownhostscommand",
        Message(
            1333,
            "known_hosts_fingerprints needs OpenSSH 8.5 or newer on the runner. Update it there, or give known_hosts.",
        ),
    ),
    (
        r"command-line:? line \d+: (?P<why>[^\n]*)",
        Message(1334, "ssh_options: the runner's ssh does not take this ({why}). ssh -Q lists what it knows."),
    ),
    (
        r"(?m)^Unable to negotiate with [^\n]*: no matching (?P<what>host key type|key exchange method|cipher|MAC) "
        r"found\. Their offer: (?P<their>[^\n]*)",
        Message(
            1335,
            "{repo}: ssh on the runner and {server} have no {what} in common; the server offers {their}. Have it offer "
            "a "
            "newer one. Until then set ssh_options: {option}.",
        ),
    ),
    (
        r"No \S+ host key is known for|Host key verification failed",
        Message(
            1336,
            "The host key of {server} is unknown{offer}. Compare it with what the server's operator publishes, then "
            "add "
            "its line to known_hosts; ssh-keyscan {scan} prints it.",
        ),
    ),
    (
        _LOCKED,
        Message(1337, "private_key_passphrase does not open the private key."),
    ),
    (
        r"Load key \S+ (?P<why>[^\n]*)",
        Message(
            1338, "ssh cannot read the private key ({why}). Is it complete, and of a kind that the runner's ssh knows?"
        ),
    ),
    (
        "Too many authentication failures",
        Message(
            1339,
            "{repo}: the server did not wait for the right one of the SSH agent's many keys. Remove others with "
            "ssh-add -d, or give private_key.",
        ),
    ),
    (
        _AGENT,
        Message(
            1340,
            "{repo}: the server accepts no key of the SSH agent{key}. Register the public half of one there as a "
            "deploy "
            "key with read access, or add the right one with ssh-add; check the user in the URL too.",
        ),
    ),
    (
        _OLD_SIGNATURES,
        Message(
            1341,
            "{repo}: the server supports no signature that ssh on the runner makes with the private key{key}. Use an "
            "ed25519 key, or set ssh_options: {{PubkeyAcceptedAlgorithms: +ssh-rsa}}.",
        ),
    ),
    (
        r"Permission denied \([^)]*\)",
        Message(
            1342,
            "{repo}: the server does not accept the private key{key}. Register its public half there as a deploy key "
            "with "
            "read access, or give the right private_key; check the user in the URL too.",
        ),
    ),
    (
        "Could not resolve host",
        Message(
            1343,
            "{repo}: the name {host} cannot be resolved on the runner. Check the name, and the runner's DNS.{no_alias}",
        ),
    ),
    (
        "timed out",
        Message(
            1344,
            "{repo}: {server} did not answer within {timeout} seconds. Check the address and the firewalls between the "
            "runner and it, or raise timeout.",
        ),
    ),
    (
        "Connection refused|Couldn't connect to server|Failed to connect to",
        Message(
            1345,
            "{repo}: {server} refuses the connection. Check host, port and the firewalls between the runner and it.",
        ),
    ),
    ("No route to host|Network is unreachable", Message(1346, "{repo}: the runner has no network route to {server}.")),
    (
        "SSL certificate problem|certificate verification failed|unable to get local issuer",
        Message(
            1347,
            "{repo}: the TLS certificate of {server} is not trusted ({detail}). Check the address, or add its "
            "authority to the runner's trust store.",
        ),
    ),
    (
        "Authentication failed for|HTTP Basic: Access denied|returned error: 40[13]",
        Message(
            1348,
            "{repo}: the server does not accept username and token. Check both, and that they may read this "
            "repository.",
        ),
    ),
    (
        "could not read (Username|Password)|terminal prompts disabled",
        Message(
            1349,
            "{repo}: the server asks for credentials. Set token (and username); or is the repository's name wrong?",
        ),
    ),
    (
        f"(?s){_FAR}.*dubious ownership",
        Message(
            1350,
            "{repo}: on the server it belongs to another account than the one that serves it, and git there refuses "
            "such repositories. Fix it on the server: change its owner (chown), or run there git config --global "
            "--add safe.directory PATH.",
        ),
    ),
    (
        "dubious ownership",
        Message(
            1351,
            "{repo} belongs to another account than the one that runs this task, and git refuses such repositories. "
            "Use "
            "become_user to run as its owner, or fetch it over ssh.",
        ),
    ),
    (
        r"does not appear to be a git repository|[Rr]epository '?[^\n]*not found|returned error: 404|"
        "project you were looking for could not be found|does not exist",
        Message(1352, "There is no repository {repo}, or these credentials may not see it ({detail})."),
    ),
    (
        "No space left on device|Disk quota exceeded",
        Message(
            1353,
            "No space is left on the runner for what git fetches from {repo} ({detail}). It goes into remote_tmp "
            "first.",
        ),
    ),
    ("mismatched algorithms|object format", SHA256),
    (
        "did not send all necessary objects|bad revision",
        Message(1354, "{repo}: the server did not send what was requested ({detail}). Look there with git fsck."),
    ),
    (
        "early EOF|unexpected disconnect|hung up (unexpectedly|upon initial)|index-pack|Connection (closed|reset)|"
        "kex_exchange",
        Message(
            1355,
            "{repo}: the connection to the server was interrupted ({detail}). Try again; if it keeps failing, look at "
            "the server's log.",
        ),
    ),
)


def refused(stderr: str) -> bool:
    """Tell whether asking the same server in a simpler way may help."""
    return bool(_REFUSED.search(stderr))


def refused_filter(stderr: str) -> bool:
    """Tell whether the server would serve it without leaving that out."""
    return bool(_REFUSED_FILTER.search(stderr))


def explain(stderr: str, address: Address, timeout: int) -> Message:
    """Return one clear message for what git and ssh wrote to their standard error."""
    # Once a host key is known, what was said about others is over.
    stderr = re.split(f"^{LISTED}$", stderr, flags=re.MULTILINE)[-1]
    text = _useful(stderr)
    detail = _detail(text)
    if address.transport != "file":
        text = f"{_FAR}\n{text}"
    for sign, mark in (
        (_STAYED_SHUT, _LOCKED),
        (_NOT_LISTED, UNLISTED),
        (_AGENT_IN_VAIN, _AGENT),
        (_NO_SIGNATURE, _OLD_SIGNATURES),
    ):
        if sign.search(stderr):
            text = f"{mark}\n{text}"
    server = address.host if address.port is None else f"[{address.host}]:{address.port}"
    offers = _listed(r"^debug1: Server host key: (\S+ \S+)", stderr)
    keys = _listed(r"^debug1: Offering public key: .*?(\S+ SHA256:\S+)", stderr)
    values = {
        "repo": address.repo,
        "host": address.host,
        "server": server or "the server",
        "scan": f"-p {address.port} {address.host}" if address.port else address.host,
        "offer": f" (it offers {offers})" if offers else "",
        "key": f" ({keys})" if keys else " (none was offered)",
        "no_alias": " No ssh_config is read: give the host's own name and no alias; a jump host cannot be used."
        if address.transport == "ssh"
        else "",
        "timeout": str(timeout),
        "detail": detail,
    }
    message = Message(1356, "{repo}: git failed: {detail}")
    for pattern, template in _MESSAGES:
        found = re.search(pattern, text)
        if found is not None:
            message = template
            values.update((name, clean(what)[:_LONGEST_PART].rstrip(".")) for name, what in found.groupdict().items())
            break
    if "their" in values:
        values["option"] = f"{{{_OPTION[values['what']]}: +{_usable(values['their'])}}}"
    return message._replace(text=message.text.format(**values) + address.hint)


def _usable(offer: str) -> str:
    """Return the first algorithm of an offer; the other names only say what the server can do."""
    return next((name for name in offer.split(",") if not re.match("kex-strict-|ext-info-", name)), offer)


def _listed(pattern: str, stderr: str) -> str:
    """Return what the pattern's group matched, each once."""
    return ", ".join(list(dict.fromkeys(re.findall(pattern, stderr, re.MULTILINE)))[:3])


def _useful(stderr: str) -> str:
    """Return the lines that are meant for people, without control characters (a server's could steer a terminal)."""
    lines = [re.sub(r"[^\x20-\x7e]", "?", line).strip() for line in stderr.splitlines()]
    noise = re.compile(
        r"debug1:|Transferred:|Bytes per second:|Authenticated to|warning: |hint: |Cloning into|From |\Z"
    )
    return "\n".join(line for line in lines if not noise.match(line))


def _detail(text: str) -> str:
    """Return the most telling line: the first one by a program about a failure, else the last one."""
    lines = text.splitlines()
    full = [line for line in lines if not _EMPTY.match(line)] or lines[:1] or ["it gave no reason"]
    telling = next((line for line in full if _TELLING.match(line)), full[-1])
    return clean(telling)[:_LONGEST].rstrip(".")
