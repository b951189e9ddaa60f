# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The remote repository: the one place that knows GitPython. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeVar

from .._core.dependency import Dependency
from .._core.errors import Error
from .._core.paths import native
from .blob import blob_name, read_regular
from .errors import SHA256, explain, refused, refused_filter
from .private import PrivateFolder
from .reference import Address, Resolved, Tag, candidates, choose, listed, not_found, shown
from .signature import Signers, mislabelled

# GitPython runs git when it is imported: what the environment says about git must be gone before.
for _variable in [name for name in os.environ if name.startswith("GIT_") or name == "SSH_ASKPASS"]:
    del os.environ[_variable]
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

GITPYTHON = Dependency("GitPython")
with GITPYTHON:
    import git

_SETTINGS = (
    "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.unpackLimit=1", "-c", "credential.helper=",
    "-c", "fetch.negotiationAlgorithm=noop",
)  # fmt: skip
# What the server is asked to leave out of a commit, from the most on: all directories below the root, all contents,
# nothing. Of objects that are asked for by name: all below them, or only what is in directories below.
_LEFT_OUT = ("--filter=tree:1", "--filter=blob:none", None)
_ONE_LEVEL, _WITH_FILES = "--filter=tree:0", "--filter=tree:2"
# The first git that can fetch without FETCH_HEAD.
_GIT = (2, 29)
# The first git that knows of SSH signatures.
_SSH_SIGNATURES = (2, 34)
# Bytes that a file may have; each is read into memory as a whole.
_LARGEST = 64 << 20
# What a file that Git LFS keeps elsewhere has in the repository, in fewer bytes than that.
_POINTER, _LARGEST_POINTER = b"version https://git-lfs.github.com/spec/v1", 1024
# Of a branch: its commits alone; with all directories; with all contents.
_COMMITS_ALONE = ((_ONE_LEVEL,), ("--filter=blob:none",), ())
# Of a SHA-1 in hexadecimal.
_DIGITS = 40
_QUIETLY = ("--no-tags", "--no-write-fetch-head")
# Of names: what steers a terminal, turns the direction of a text around or ends a line; a slash; what is not UTF-8.
# A name that no server has, and what git says about names that a server has not.
_NO_REF, _NOT_THERE = "refs/dbops-migrations/none", "fatal: couldn't find remote ref "
_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f/\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


_Result = TypeVar("_Result")


class DirectoryMissing(Error):
    """The commit has no such directory. An error of its own because a caller may accept it."""


class _Failed(Exception):
    """git, talking to the server, ended with an error; the text is what it wrote to its standard error."""


class _Refused(Exception):
    """The server does not send single objects, or does not leave out what it is asked to."""


@dataclass(frozen=True)
class Entry:
    """One name in a directory of a commit."""

    mode: str
    kind: str
    id: str
    name: str


class Remote:
    """A repository on a server, and a bare one in a private directory for what is fetched from it.

    :param environment: variables for git, besides those that isolate it (see ``ssh`` and ``credentials``).
    :param timeout: seconds for all requests to the server.
    :param signers: those by one of whom what is fetched must be signed.
    :ivar unfiltered: the server has sent more than it was asked for, or did not send what it was asked for alone.
    """

    def __init__(
        self,
        address: Address,
        private: PrivateFolder,
        timeout: int,
        environment: dict[str, str],
        signers: Signers | None = None,
    ) -> None:
        GITPYTHON.check()
        for program in ("git", "ssh") if address.transport == "ssh" else ("git",):
            if shutil.which(program) is None:
                raise Error(
                    1103,
                    f"{program} is not installed on the runner. Prepare it with the playbook "
                    "dbops.migrations.prepare_runner, or install the package git or openssh-clients.",
                )
        git.Git.check_unsafe_protocols(address.repo)
        self._address = address
        self._private = private
        self._timeout = timeout
        self._left = float(timeout)
        self._signers = signers
        self._left_out = list(_LEFT_OUT)
        self._fetched: Resolved | None = None
        self._repositories = self._requests = self._lookups = 0
        self.unfiltered = False
        self._git = git.Git(private.path)
        self._git.update_environment(
            HOME=private.path,
            XDG_CONFIG_HOME=private.path,
            GIT_CONFIG_NOSYSTEM="1",
            GIT_CONFIG_GLOBAL=os.devnull,
            GIT_ATTR_NOSYSTEM="1",
            GIT_NO_REPLACE_OBJECTS="1",
            GIT_TERMINAL_PROMPT="0",
            # Only _run_remote contacts the server: missing objects are never fetched implicitly, one by one.
            GIT_ALLOW_PROTOCOL="none",
            GIT_NO_LAZY_FETCH="1",
            **{name: native(value) for name, value in environment.items()},
        )
        version = self._git.version_info
        if version < _GIT:
            raise Error(
                1104,
                f"git on the runner is {_dotted(version)}, and git_fetch needs {_dotted(_GIT)} or newer. Install a "
                "newer git there.",
            )
        if signers is not None and signers.policy.allowed_signers is not None and version < _SSH_SIGNATURES:
            raise Error(
                1105,
                f"git on the runner is {_dotted(version)}, and SSH signatures (allowed_signers) need "
                f"{_dotted(_SSH_SIGNATURES)} or newer. Install a newer git, or sign with OpenPGP.",
            )

    def resolve(self, ref: str) -> Resolved:
        """Return the commit that ``ref`` stands for now; a full commit is not asked for."""
        names = candidates(ref)
        if not names:
            return Resolved(ref.lower())
        self._new_repository()
        found = choose(ref, self._look_up(names))
        if found is None:
            listing = self._ask("ls-remote", "--heads", "--tags", "--refs", "--", self._address.repo)
            raise not_found(ref, self._address.repo, [line.partition("\t")[2] for line in listing.splitlines()])
        if len(found.commit) != _DIGITS:
            raise Error(SHA256.number, SHA256.text.format(repo=self._address.repo))
        return found

    def _look_up(self, names: Sequence[str]) -> str:
        """Return what ``git ls-remote --symref`` prints for some full names.

        It would have the server list all that it has, which may be megabytes. A fetch asks for the names alone, and as
        one of them never exists, it ends without fetching. What the server answered is in git's record of the talk.
        """
        self._lookups += 1
        record = self._private.file(f"talk-{self._lookups}", "")
        try:
            trace = {"GIT_TRACE_PACKET": record, "GIT_TRACE_BARE": "1"}
            self._run_remote("fetch", *_QUIETLY, "--", "origin", *names, _NO_REF, environment=trace)
        except _Failed as error:
            if _NOT_THERE not in str(error):
                raise self._explained(error) from None
        with open(record, encoding="utf-8", errors="surrogateescape") as file:
            listing = listed(file)
        if listing is not None:
            return listing
        # In git's first protocol over HTTP another program reads the list.
        peeled = [f"{name}^{{}}" for name in names]
        return self._ask("ls-remote", "--symref", "--", self._address.repo, *names, *peeled)

    def verify(self, found: Resolved) -> None:
        """Fetch the commit, or its tag, if it must be signed; raise Error unless it is."""
        if self._signers is not None:
            self._cheapest(lambda: self._fetch(found))

    def is_fast_forward(self, old: str, found: Resolved) -> bool:
        """Tell whether what was found descends from the commit ``old``; a tag or a commit was named on purpose."""
        if found.name is None or not found.name.startswith("refs/heads/") or found.commit == old:
            return True
        with contextlib.suppress(_Failed, git.GitCommandError):
            self._fetch_since(old, found.commit)
            return self._descends(found.commit, old)
        # The server does not send commits by their names, or lacks this one: the branch's own have the answer.
        for left_out in _COMMITS_ALONE:
            self._new_repository()
            try:
                self._run_remote("fetch", *_QUIETLY, *left_out, "--", "origin", found.name)
            except _Failed as error:
                if not refused_filter(str(error)):
                    raise self._explained(error) from None
            else:
                break
        return self._descends(found.commit, old)

    def _fetch_since(self, old: str, new: str) -> None:
        """Fetch the commits of ``new`` that are not of ``old``.

        The server is told that ``old`` is here, and so leaves out all that leads to it. As that is not here, git is
        given an ``old`` without parents; were it shallow, the server would send what leads to its parents another way.
        """
        self._new_repository()
        self._run_remote("fetch", *_QUIETLY, "--depth=1", _ONE_LEVEL, "--", "origin", old)
        self._git.replace("--graft", old)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._git.environment()["GIT_DIR"], "shallow"))
        with self._git.custom_environment(GIT_NO_REPLACE_OBJECTS=None):
            tell = ("-c", "fetch.negotiationAlgorithm=default")
            self._run_remote(*tell, "fetch", *_QUIETLY, f"--negotiation-tip={old}", _ONE_LEVEL, "--", "origin", new)

    def _descends(self, new: str, old: str) -> bool:
        """Tell whether ``old`` is an ancestor of ``new``, as far as the commits were fetched."""
        seen, ahead = {new}, [new]
        while ahead and old not in seen:
            with contextlib.suppress(ValueError):
                _id, _kind, _size, content = self._git.get_object_data(ahead.pop())
                head = content.decode("ascii", "replace").partition("\n\n")[0]
                parents = set(re.findall(r"^parent ([0-9a-f]{40})$", head, re.MULTILINE)) - seen
                seen |= parents
                ahead += parents
        self._git.clear_cache()
        return old in seen

    def contents(self, found: Resolved, directory: str, known: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
        """Fetch, and give name and content of each file directly in the directory.

        :param known: paths of files whose contents need not be sent again.
        """
        here = _named(known)
        files = self._fetch_files(found, directory, here)
        for file in files:
            yield file.name, _read_again(here[file.id], file.id) if file.id in here else self._content(file, directory)
        self._git.clear_cache()

    def _content(self, file: Entry, directory: str) -> bytes:
        what = f"{shown(file.name)} in {self._place(directory)}"
        try:
            size = self._git.get_object_header(file.id)[2]
            if size > _LARGEST:
                raise Error(1228, f"{what} has {size} bytes. Files of up to {_LARGEST >> 20} MiB are accepted.")
            content: bytes = self._git.get_object_data(file.id)[3]
        except ValueError:
            raise Error(1229, f"{self._address.repo}: the server did not send {shown(file.name)}.") from None
        if size < _LARGEST_POINTER and content.startswith(_POINTER):
            raise Error(
                1230,
                f"{what} is a Git LFS pointer: its content is not in the repository, and LFS is not fetched. "
                "Commit the file itself there: git lfs untrack, then git add --renormalize.",
            )
        return content

    def _fetch_files(self, found: Resolved, directory: str, here: Mapping[str, str]) -> list[Entry]:
        """Fetch the directory's files, and return them."""

        def fetch_all() -> list[Entry]:
            self._fetch(found)
            tree = self._tree(found.commit, directory, _ONE_LEVEL if here else _WITH_FILES)
            files = list(self._files(tree, directory))
            self._complete(tree, {file.id for file in files} - here.keys())
            return files

        return self._cheapest(fetch_all)

    def _cheapest(self, attempt: Callable[[], _Result]) -> _Result:
        """Do something in the cheapest way that the server allows."""
        while self._left_out:
            try:
                return attempt()
            except _Refused:
                self.unfiltered = True
                self._fetched = None
                del self._left_out[0]
        raise Error(1231, f"{self._address.repo}: the server did not send everything that was requested.")

    def _fetch(self, found: Resolved) -> None:
        """Fetch the commit, and the tag that must be signed; raise Error when what must be signed is not.

        :raises _Refused: the server does not leave out what it is asked to.
        """
        if self._fetched == found:
            return
        left_out = self._left_out[0]
        tag = self._signers.policy.tag(found) if self._signers else None
        shallow = ["--depth=1"]
        # With a tag comes what it points at.
        ways: list[tuple[list[str], list[str]]] = [(shallow, [tag.id if tag else found.commit])]
        if found.name is not None:
            ways.append((shallow, [found.name]))
        ways.append(([], ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]))
        options = [left_out] if left_out else []
        for depth, refs in ways:
            self._new_repository()
            try:
                self._run_remote("fetch", *_QUIETLY, *depth, *options, "--", "origin", *refs)
            except _Failed as error:
                if left_out and refused_filter(str(error)):
                    raise _Refused from None
                if not refused(str(error)):
                    raise self._explained(error) from None
            else:
                if self._has_commit(found.commit) and (tag is None or self._is_here(tag.id)):
                    if self._signers is not None:
                        self._check_signature(found, tag, self._signers)
                    self._fetched = found
                    return
        raise Error(
            1232,
            f"The commit {found.commit} does not exist in {self._address.repo}, or no branch or tag contains it any "
            "more.",
        )

    def _has_commit(self, commit: str) -> bool:
        try:
            kind = self._git.cat_file("-t", commit)
        except git.GitCommandError:
            return False
        if kind != "commit":
            raise Error(1233, f"{commit} in {self._address.repo} is a {kind}. Give the ID of a commit.")
        return True

    def _check_signature(self, found: Resolved, tag: Tag | None, signers: Signers) -> None:
        kind, name = ("tag", tag.id) if tag else ("commit", found.commit)
        content = self._local("cat_file", kind, name, stdout_as_string=False, strip_newline_in_stdout=False)
        status, _output, said = self._git.execute(
            [self._git.GIT_PYTHON_GIT_EXECUTABLE, *signers.settings, f"verify-{kind}", "--raw", name],
            with_extended_output=True,
            with_exceptions=False,
            env=signers.environment,
        )
        problem = signers.problem(content, tag, status == 0, said)
        if tag is not None and problem is None:
            problem = mislabelled(content, tag, found.commit)
        if problem is not None:
            what = f"the tag {shown(tag.name)}" if tag else f"the commit {found.commit}"
            raise Error(problem.number, f"{self._address.repo}: {what} {problem.text}. Nothing was changed.")

    def _tree(self, commit: str, directory: str, wanted: str) -> str:
        """Return the tree of a directory, found step by step so that the message can say how far it goes.

        :param wanted: what to leave out when its own tree has to be fetched.
        """
        tree = f"{commit}^{{tree}}"
        parts = directory.split("/") if directory else []
        for number, part in enumerate(parts):
            entries = {entry.name: entry for entry in self._list(tree)}
            entry = entries.get(part)
            path = "/".join(parts[: number + 1])
            where = f"at commit {commit} of {self._address.repo}"
            if entry is None:
                parent = "/".join(parts[:number])
                folders = [shown(name) for name, other in entries.items() if other.kind == "tree"][:5]
                raise DirectoryMissing(
                    1234,
                    f"directory {shown(directory)} does not exist {where}. The nearest existing one is "
                    f"{shown(parent) if parent else 'the root'}, "
                    + (f"which has {', '.join(folders)}." if folders else "which has no directories."),
                )
            if entry.kind != "tree":
                raise Error(
                    1235, f"directory {shown(directory)}: {shown(path)} is {_what(entry)}, not a directory, {where}."
                )
            tree = entry.id
            if not self._is_here(tree):
                self._fetch_objects([tree], wanted if number + 1 == len(parts) else _ONE_LEVEL)
        return tree

    def _is_here(self, name: str) -> bool:
        try:
            self._git.cat_file("-e", name)
        except git.GitCommandError:
            return False
        return True

    def _list(self, tree: str) -> list[Entry]:
        listing = self._local("ls_tree", "-z", tree, stdout_as_string=False, strip_newline_in_stdout=False)
        entries = []
        for line in listing.split(b"\0")[:-1]:
            described, _tab, name = line.partition(b"\t")
            mode, kind, object_id = described.decode("ascii").split()
            entries.append(Entry(mode, kind, object_id, name.decode("utf-8", "surrogateescape")))
        for name, count in Counter(entry.name for entry in entries).items():
            if count > 1:
                raise Error(
                    1236, f"{self._address.repo} is damaged: a directory in it has the name {shown(name)} twice."
                )
        return entries

    def _files(self, tree: str, directory: str) -> Iterator[Entry]:
        """Give the files to bring; directories below are not part of the migrations."""
        for entry in self._list(tree):
            if entry.kind == "tree":
                continue
            where = self._place(directory)
            if entry.kind != "blob" or entry.mode == "120000":
                raise Error(
                    1237, f"{shown(entry.name)} in {where} is {_what(entry)}. Only regular files are accepted there."
                )
            found = _CHARACTERS.search(entry.name)
            if found or entry.name in ("", ".", ".."):
                point = "" if found is None or "\ud800" <= found[0] <= "\udfff" else f" (U+{ord(found[0]):04X})"
                raise Error(
                    1238,
                    f"A file in {where} has a name that is not accepted (control characters, a slash, or not UTF-8): "
                    f"{shown(entry.name)}{point}. Rename it.",
                )
            yield entry

    def _place(self, directory: str) -> str:
        return f"directory {shown(directory or '.')} of {self._address.repo}"

    def _complete(self, tree: str, wanted: AbstractSet[str]) -> None:
        """Fetch those of the tree's contents that are wanted and did not come with it, in one go."""
        listing = self._local("rev_list", "--objects", "--missing=print", "--no-object-names", tree)
        missing = {line[1:] for line in listing.splitlines() if line.startswith("?")} & wanted
        if missing:
            self._fetch_objects(sorted(missing), _ONE_LEVEL)

    def _fetch_objects(self, names: Sequence[str], left_out: str) -> None:
        """Fetch objects by their names.

        :raises _Refused: the server does not send them like that.
        """
        self._requests += 1
        request = self._private.file(f"request-{self._requests}", "".join(f"{name}\n" for name in names))
        try:
            with open(request, "rb") as file:
                self._run_remote("fetch", *_QUIETLY, left_out, "--stdin", "--", "origin", stdin=file.fileno())
        except _Failed as error:
            if refused(str(error)):
                raise _Refused from None
            raise self._explained(error) from None

    def _new_repository(self) -> None:
        """Start over with an empty repository: nothing of an attempt that failed may shape the next one."""
        self._git.clear_cache()
        self._fetched = None
        self._repositories += 1
        path = self._private.join(f"repository-{self._repositories}")
        self._git.update_environment(GIT_DIR=path)
        self._local("init", "--bare", "--quiet", "--template=")

    def _local(self, command: str, *arguments: str, **options: bool) -> Any:
        """Run git on what is here, without the server."""
        try:
            return getattr(self._git, command)(*arguments, **options)
        except git.GitCommandError as error:
            raise self._explained(error) from None

    def _ask(self, *arguments: str) -> str:
        try:
            return self._run_remote(*arguments)
        except _Failed as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> Error:
        return Error(*explain(str(getattr(error, "stderr", error)), self._address, self._timeout))

    def _run_remote(
        self, *arguments: str, stdin: int | None = None, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git against the server and return what it printed; at the time limit it ends, and its ssh with it."""
        started = time.monotonic()
        settings = (*_SETTINGS, "-c", f"remote.origin.url={self._address.repo}")
        with contextlib.ExitStack() as at_the_end:
            with _signals_wait():
                process = self._git.execute(
                    [self._git.GIT_PYTHON_GIT_EXECUTABLE, *map(native, (*settings, *arguments))],
                    istream=stdin,
                    as_process=True,
                    env={"GIT_ALLOW_PROTOCOL": self._address.transport, **(environment or {})},
                    start_new_session=True,
                )

                @at_the_end.push
                def at_an_error(kind: object, _error: object, _traceback: object) -> None:
                    if kind is not None:
                        _kill_group(process.pid)

            try:
                output, errors = process.communicate(timeout=max(self._left, 0.0))
            except subprocess.TimeoutExpired:
                # Not the end of its output is waited for: an ssh in the background may hold it for a minute.
                raise _Failed("timed out") from None
            finally:
                self._left -= time.monotonic() - started
        self.unfiltered = self.unfiltered or b"filtering not recognized" in errors
        if process.returncode != 0:
            raise _Failed(errors.decode("utf-8", "replace"))
        return str(output.decode("utf-8", "surrogateescape"))


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version)) or "of an unknown version"


def _named(paths: Sequence[str]) -> dict[str, str]:
    """Return files' paths by git's names for their contents; those that cannot be read are fetched."""
    here = {}
    for path in paths:
        with contextlib.suppress(OSError):
            here[blob_name(read_regular(path))] = path
    return here


def _read_again(path: str, name: str) -> bytes:
    try:
        content = read_regular(path)
    except OSError as error:
        raise Error(1117, f"{path} can no longer be read: {error.strerror}. Try again.") from None
    if blob_name(content) != name:
        raise Error(1118, f"{path} changed while it was being read. Try again.")
    return content


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Have signals wait until what is started in the block can be ended."""
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda which, _frame: came.append(which))
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for which in came:
        # One that is ignored must not hide another.
        signal.raise_signal(which)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.killpg(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _what(entry: Entry) -> str:
    if entry.mode == "120000":
        return "a symbolic link"
    return {"commit": "a submodule", "tree": "a directory"}.get(entry.kind, "a file")
