# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in command lines, replaced before anybody keeps the line. Private to the collection.

A line is taken apart into its arguments, as the kernel has them, so that a secret with spaces in it is one argument.
Where a word may be a secret or not, it is treated as one: a survey can do without it. What nothing marks as a secret
stays: a word behind echo, or a third argument of which only its program knows what it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Optional

HIDDEN = "********"

# A name one of whose words says that its value is a secret: db_password, --requirepass, AWS_SECRET_ACCESS_KEY.
_SECRET = (
    r"[\w.-]*(?:pass(?:wd?|wor?|word|phrase|code)?|pwd|pw|secret(?:s|[-_.]?key)?|tokens?|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|"
    r"account[-_.]?key|shared[-_.]?access[-_.]?(?:key|signature)|signature|private[-_.]?key|encryption[-_.]?key|"
    r"master[-_.]?key|signing[-_.]?key|license[-_.]?key|auth(?:orization|key|[-_.]?key)?|credentials?|creds?|"
    r"cookies?|session[-_.]?id|jwt|bearer|salt|pin|otp|sig|userpass|userpwd|masterauth|webhook|dsn|psk)"
)
_NAME = re.compile(rf"-{{0,2}}/?{_SECRET}", re.IGNORECASE)
# name=value, name: value, "name": "value", anywhere in an argument. The value ends where no quote is open.
_PAIR = re.compile(
    rf"""((?<![\w-]){_SECRET}["']?\s*(?:=>|:=|=|:)\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^;&,"'}}]+)""",
    re.IGNORECASE,
)
# scheme://user:secret@host and scheme://secret@host; a secret may itself hold @ and /.
_URL = re.compile(r"([a-z][\w+.-]*://)[^\s\"'?#]*@", re.IGNORECASE)
# user:secret@tcp(host), user/secret@host as Go's and Oracle's drivers have it.
_AT = re.compile(r"(?<![\w/])([\w.%+-]+)([:/])[^\s\"']+@")
_HEADER = re.compile(r"\b(bearer|basic|digest|negotiate|apikey|token)\s+[^\s\"']+", re.IGNORECASE)
# What is a secret by its own look: AWS, GitHub, GitLab, Slack, Stripe, Google, npm, PyPI, Vault, SendGrid, JWT, PEM.
_LOOKS = re.compile(
    r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{12,}|gh[pousr]_\w+|github_pat_\w+|gl(?:pat|rt|dt|cbt|ptt)-[\w.-]+|xox[a-z]-[\w-]+|xapp-[\w-]+|"
    r"[sr]k_(?:live|test)_\w+|sk-[\w-]{8,}|whsec_\w+|AIza[\w-]{8,}|ya29\.[\w-]+|npm_\w{8,}|pypi-[\w-]{8,}|hv[sbr]\.[\w-]+|"
    r"SG\.[\w.-]{8,}|dop_v1_\w+|eyJ[\w-]+\.[\w.-]*|glsa_\w+|dckr_pat_[\w-]+)"
    r"|-----BEGIN[\s\S]*"
    r"|https://hooks\.slack\.com/\S+"
)
# Long text of letters and digits without a meaning: keys and hashes; paths and names have separators.
_RANDOM = re.compile(
    r"(?<![\w/+.-])(?=[A-Za-z0-9+/_-]*\d)(?=[A-Za-z0-9+/_-]*[A-Za-z])[A-Za-z0-9+_-]{32,}={0,2}(?![\w/.-])"
)
# A word as a shell takes it, with its quotes.
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"?|'[^']*'?)+""")
# curl's, wget's: an account with its password.
_USER = ("--user", "--proxy-user")
# Programs whose short option is a secret: glued to it (-pSECRET), or the argument after it.
_GLUED = {
    "p": (
        "mysql",
        "mariadb",
        "mysqldump",
        "mysqladmin",
        "sshpass",
        "mongo",
        "mongod",
        "mongosh",
        "mongodump",
        "7z",
        "7za",
    ),
    "a": ("redis-cli", "valkey-cli"),
    "w": ("ldapsearch", "ldapadd", "ldapmodify", "ldapwhoami", "ldappasswd"),
    "P": ("sqlcmd", "bcp", "isql", "tsql", "mosquitto_pub", "mosquitto_sub", "unzip", "zip", "ipmitool"),
    "u": ("curl", "smbclient"),
    "U": ("smbclient", "rpcclient", "net", "curl"),
    "H": ("curl",),
    "b": ("curl",),
    "k": ("openssl",),
    "c": ("snmpget", "snmpset", "snmpwalk", "snmpbulkwalk"),
    "A": ("snmpget", "snmpset", "snmpwalk", "snmpbulkwalk"),
    "X": ("snmpget", "snmpset", "snmpwalk", "snmpbulkwalk"),
}
_SHORT = {
    program: {flag for flag, names in _GLUED.items() if program in names}
    for names in _GLUED.values()
    for program in names
}
_FAMILIES = ("mysql", "mariadb", "mongo", "ldap", "redis", "percona", "pt-", "mydumper", "myloader", "xtrabackup")


def redacted(arguments: Sequence[str], limit: int = 1000) -> str:
    """Return a command line of which secrets are replaced, and control characters too.

    :param arguments: the arguments as /proc/PID/cmdline has them; a program that wrote its title there has one.
    :param limit: the longest result, in characters. It is cut after secrets are gone.
    """
    return _redacted(tuple(arguments), limit)


# Many processes are called the same.
@lru_cache(maxsize=256)
def _redacted(arguments: tuple[str, ...], limit: int) -> str:
    # A title is one text: its words are arguments for us.
    line = _words(_WORD.findall(arguments[0]) if len(arguments) == 1 else arguments, limit)
    # Again as a whole: what a title or a shell's -c has in one text.
    line = _text(line)
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= limit else f"{line[:limit]}…"


def _words(words: Sequence[str], limit: Optional[int] = None) -> str:
    """Return the arguments, but none that begins behind the limit: it costs much, and would be truncated."""
    length = 0
    shorts: set[str] = set()
    result: list[str] = []
    hide = False
    for word in words:
        if hide:
            shown, hide = HIDDEN, False
        elif word in _USER:
            # The name is not a secret, but what is after its colon is.
            shown, hide = word, True
        elif len(pieces := _WORD.findall(word)) > 1 and not word.startswith("-"):
            # A shell's -c, or a command for another host.
            shown = _words(pieces)
        else:
            shown, hide = _one(word, shorts)
        # sudo, env, timeout and sshpass have the program after them.
        shorts = shorts | _short_options(word.rsplit("/", 1)[-1])
        result.append(shown)
        length += len(shown) + 1
        if limit is not None and length > 2 * limit:
            break
    return " ".join(result)


def _short_options(program: str) -> set[str]:
    if program in _SHORT:
        return _SHORT[program]
    return {"p", "a", "w"} if program.startswith(_FAMILIES) else set()


def _one(word: str, shorts: set[str]) -> tuple[str, bool]:
    """Return an argument as it may be shown, and whether the next one is a secret."""
    if len(word) > 1 and word[0] == "-" and word[1] in shorts:
        return (f"{word[:2]}{HIDDEN}", False) if len(word) > 2 else (word, True)
    if (_NAME.fullmatch(word.rstrip(":=")) and word not in _SHORT) or word.lower() in ("bearer", "basic"):
        return word, True
    name, equals, _value = word.partition("=")
    if equals and (name in _USER or _NAME.fullmatch(name)):
        return f"{name}={HIDDEN}", False
    return _text(word), False


def _text(text: str) -> str:
    text = _LOOKS.sub(HIDDEN, text)
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    text = _PAIR.sub(rf"\1{HIDDEN}", text)
    text = _HEADER.sub(rf"\1 {HIDDEN}", text)
    text = _AT.sub(rf"\1\2{HIDDEN}@", text)
    return _RANDOM.sub(HIDDEN, text)
