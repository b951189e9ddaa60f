# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parses and checks a user's repository, ref and directory before git gets them. Private to the collection."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .._core.errors import Error

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{4,39}\Z")
# What git-check-ref-format refuses: a name that no ref can have.
_NO_REF = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|/\Z|\A/|\.\Z|(\A|/)\.|\.lock(/|\Z)|\A@\Z")
_BYTE = re.compile(rb"\\(37777777[4-7][0-7]{2}|[23][0-7]{2})")
_SCP = re.compile(r"(?:(?P<user>[^@/:]*)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]]+):(?P<path>.+)\Z")
# Other names of transports, as package managers and old versions of git have them.
_ALIASES = {"git+ssh": "ssh", "ssh+git": "ssh", "git+https": "https", "git+http": "http", "git+file": "file"}
# What is before the @ of a URL, and is not a secret: the same for everybody.
_EVERYBODY = ("git", "oauth2", "x-access-token", "x-token-auth")
_PACKET = re.compile(r"packet: +fetch< ([0-9a-f]{40,}) (\S+?)((?: |\\0).*)?$")
_PROTOCOL = re.compile(r"packet: +fetch> command=ls-refs$")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """Where a repository is.

    :param transport: ssh, https, http or file; also what git itself is allowed to use.
    :param hint: what else may have been meant, should it not be there.
    """

    repo: str
    transport: str
    host: str = ""
    port: int | None = None
    hint: str = ""


@dataclass(frozen=True)
class Tag:
    """An annotated tag: an object of its own, and the name by which it was asked for, without refs/tags/."""

    id: str
    name: str


@dataclass(frozen=True)
class Resolved:
    """A commit, and the full name of the ref that leads to it (None when it was named itself).

    :param tag: the annotated tag that leads to it.
    """

    commit: str
    name: str | None = None
    tag: Tag | None = None


def _check_text(option: str, text: str) -> None:
    if not text:
        raise Error(1201, f"{option} is empty.")
    if text.startswith("-"):
        raise Error(1202, f"{option} must not begin with '-', which git would take for an option: {shown(text)}.")
    if _CONTROL.search(text):
        raise Error(1203, f"{option} must not contain line breaks or other control characters: {shown(text)}.")


def shown(text: str) -> str:
    """Return a text from outside as one line, quoted, with control characters escaped."""
    return "'" + text.encode("unicode_escape").decode("ascii")[:200] + "'"


def parse_repo(repo: str) -> Address:
    """Return where ``repo`` is; raise Error for what git must not be asked to use."""
    _check_text("repo", repo)
    if repo != repo.strip():
        raise Error(1204, f"repo has spaces around it: write {shown(repo.strip())}.")
    if "://" in repo:
        return _parse_url(repo)
    if re.match(r"[A-Za-z0-9+.-]*::", repo):
        raise _unsupported(repo.partition("::")[0])
    if repo.startswith("/"):
        return Address(repo, "file")
    scp = _SCP.match(repo)
    if scp is None:
        raise Error(1205, f"repo {shown(repo)} is neither a URL nor an absolute path on the runner{_perhaps(repo)}.")
    host, path = scp["host"].strip("[]"), scp["path"]
    if scp["user"] is None and host.lower() in ("ssh", "https", "http", "file"):
        raise Error(1206, f"repo {shown(repo)} is not a valid URL: write {shown(f'{host}://' + path.lstrip('/'))}.")
    _check_text("The user in repo", scp["user"] or "none")
    _check_text("The host in repo", host)
    hint = ""
    if re.match(r"[0-9]{1,5}/.", path):
        # A number may be the name of a group, too.
        end = len(repo) - len(path)
        hint = f" If {path.partition('/')[0]} is a port: write {shown(f'ssh://{repo[:end]}{path}')}."
    return Address(repo, "ssh", host, hint=hint)


def _perhaps(repo: str) -> str:
    """Return what may have been meant with something like git@host/path or host.example.com/path."""
    found = re.match(r"([^/@:]+@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)/(.+)", repo)
    if found is None:
        return ""
    user, host, path = found.groups()
    return f": write {shown(f'{user}{host}:{path}' if user else f'https://{host}/{path}')}"


def embedded_secret(repo: str) -> str | None:
    """Return what may be a password or a token in a URL: parse_repo refuses it, and nobody should see it."""
    found = re.match(r"([a-z+]+)://(?:[^/@:]*:([^/@]+)|([^/@:]+))@([^/]*)", repo, re.IGNORECASE)
    if found is None:
        return None
    scheme, password, user, place = found.groups()
    if password is None and ("ssh" in scheme.lower() or user in _EVERYBODY or user in place):
        return None
    return password or user


def _parse_url(repo: str) -> Address:
    try:
        parts = urlsplit(repo)
        user, password, host, port = parts.username, parts.password, parts.hostname or "", parts.port
    except ValueError as error:
        raise _no_url(repo, str(error)) from None
    scheme = parts.scheme.lower()
    transport = _ALIASES.get(scheme, scheme)
    rest = repo.partition("://")[2]
    place = rest.partition("/")[0]
    without = f"{transport}://{rest[place.rfind('@') + 1 :]}"
    if password is not None and transport == "ssh":
        raise Error(
            1207,
            f"repo holds credentials (for {host}). URLs are shown and logged, and ssh needs a key, not a password: "
            f"write {shown(without.replace('://', f'://{user}@', 1))}, and set private_key.",
        )
    if user is not None and password is None and transport != "ssh" and user in _EVERYBODY:
        raise Error(
            1208,
            f"repo names the user {user}, which belongs in username: write {shown(without)}, and set username and "
            "token.",
        )
    if password is not None or (user is not None and transport != "ssh"):
        raise Error(
            1209,
            f"repo holds credentials (for {host}). URLs are shown and logged: write {shown(without)}, and use the "
            "options username and token.",
        )
    if transport != scheme:
        raise Error(
            1210,
            f"repo uses the transport {shown(scheme)}, which is not supported. Use {transport}://: write "
            f"{shown(f'{transport}://{rest}')}.",
        )
    if transport not in ("ssh", "https", "http", "file"):
        raise _unsupported(transport)
    if transport != "file" and not host:
        raise Error(1211, f"repo {shown(repo)} names no host.")
    if transport == "http" and host not in _LOOPBACK:
        raise Error(
            1212, f"repo {shown(repo)}: over plain http anyone in between can change the migrations. Use https or ssh."
        )
    for part in (user, host):
        if part:
            _check_text("The user or host in repo", unquote(part))
    return Address(repo, transport, host, port)


def _no_url(repo: str, reason: str) -> Error:
    """Return the error for a URL that cannot be read, in which a password may stand."""
    found = re.match(
        r"([a-z+]+)://(?:([^/@:]*)(:[^/@]*)?@)?([^/:@\[\]]+):([^/]*[^/0-9][^/]*)(/.*)?\Z", repo, re.IGNORECASE
    )
    if found is None:
        return Error(1213, f"repo is not a valid URL: {reason}.")
    scheme, user, _password, host, first, rest = found.groups()
    path = first + (rest or "")
    if "ssh" not in scheme.lower():
        return Error(
            1214, f"repo is not a valid URL: a port follows the colon. Write {shown(f'{scheme}://{host}/{path}')}."
        )
    at = f"{user}@" if user else ""
    return Error(
        1214,
        f"repo is not a valid URL: a port follows the colon. Write {shown(f'ssh://{at}{host}/{path}')} or "
        f"{shown(f'{at}{host}:{path}')}.",
    )


def _unsupported(transport: str) -> Error:
    return Error(
        1210,
        f"repo uses the transport {shown(transport)}, which is not supported. "
        "Use ssh://, user@host:path, https://, file:// or an absolute path on the runner.",
    )


def clean_directory(directory: str) -> str:
    """Return a directory inside a repository without needless dots and slashes ("" is the root)."""
    _check_text("directory", directory)
    parts = [part for part in directory.split("/") if part not in ("", ".")]
    if directory.startswith("/") or ".." in parts:
        raise Error(
            1217,
            f"directory {shown(directory)} must be relative to the root of the repository and must not contain '..'.",
        )
    return "/".join(parts)


def candidates(ref: str) -> list[str]:
    """Return the full names that ``ref`` may stand for; none when it is a commit."""
    _check_text("ref", ref)
    if _COMMIT.match(ref.lower()):
        return []
    if _NO_REF.search(ref):
        raise Error(1218, f"ref {shown(ref)} is not a valid name of a branch or tag, nor a full commit (40 digits).")
    if ref == "HEAD" or ref.startswith("refs/"):
        return [ref]
    return [f"refs/heads/{ref}", f"refs/tags/{ref}"]


def listed(record: Iterable[str]) -> str | None:
    """Return what a record of git's packets says about refs, as ``git ls-remote --symref`` prints it.

    :return: None when the record holds no list of refs.
    """
    found, began = [], False
    for line in record:
        packet = _PACKET.match(line)
        if packet is None:
            began = began or _PROTOCOL.match(line) is not None
            continue
        began = True
        value, name, more = packet.groups("")
        # The first protocol says about the first ref where HEAD leads to, the second one of each what it is about.
        leads_to = re.search(
            r" symref-target:(\S+)" if "\\0" not in line else rf" symref={re.escape(name)}:(\S+)", more
        )
        peeled = re.search(r" peeled:([0-9a-f]+)", more)
        found += [f"ref: {leads_to[1]}\t{name}"] if leads_to else []
        found.append(f"{value}\t{name}")
        found += [f"{peeled[1]}\t{name}^{{}}"] if peeled else []
    return _plain("\n".join(found)) if began else None


def _plain(text: str) -> str:
    """Return a text in which git has written bytes beyond ASCII as octal numbers, of 32 bits where char is signed."""
    data = _BYTE.sub(lambda byte: bytes([int(byte[1], 8) & 0xFF]), text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def choose(ref: str, listing: str) -> Resolved | None:
    """Return what ``ref`` stands for according to ``git ls-remote --symref``; None when it does not exist."""
    commits: dict[str, str] = {}
    names: dict[str, str] = {}
    for line in listing.splitlines():
        value, _tab, name = line.partition("\t")
        if value.startswith("ref: "):
            names[name] = value[len("ref: ") :]
        else:
            commits[name] = value
    found = [name for name in candidates(ref) if name in commits]
    if len(found) > 1:
        raise Error(1219, f"ref {shown(ref)} is ambiguous: it is both a branch and a tag. Write {' or '.join(found)}.")
    if not found:
        return None
    name = found[0]
    # An annotated tag is an object of its own; git lists the commit it stands for as "name^{}".
    commit = commits.get(f"{name}^{{}}")
    short = re.sub(r"\Arefs/tags/", "", name)
    # By the name that was asked for, not by one that the server says it leads to.
    tag = Tag(commits[name], short) if commit is not None and short != name else None
    return Resolved(commit or commits[name], names.get(name, name), tag)


def not_found(ref: str, repo: str, names: Sequence[str]) -> Error:
    """Return the error for a ref that the repository lacks, naming those that look alike."""
    if not names:
        return Error(
            1220, f"The repository {repo} has no branch yet, so there is nothing to fetch. Push a commit first."
        )
    if _SHORT_COMMIT.match(ref):
        return Error(
            1221,
            f"ref {ref} is not a branch or tag of {repo}. If it is an abbreviated commit, give all 40 digits: git "
            "servers do not resolve abbreviations.",
        )
    short = [re.sub(r"\Arefs/(heads|tags)/", "", name) for name in names]
    alike = difflib.get_close_matches(ref, short, n=3, cutoff=0.5) or short[:3]
    return Error(1222, f"ref {shown(ref)} does not exist in {repo}. It has, among others: {', '.join(alike)}.")
