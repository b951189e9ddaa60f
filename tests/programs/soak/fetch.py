# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills of git_fetch, again and again: ``python -m programs.soak.fetch TRIALS [SEED]``.

In each trial a run of git_fetch is killed by SIGKILL at a random instant, alone or with its process group. Then nothing
of its secrets may be in a file, the link ``current`` must lead to a complete release or be absent, the next run must
bring the right files, and no process of the killed run may remain.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from integration.git_fetch.support import HttpGit
from parts import CHECKOUT, private_folder
from parts.sshd import GitServer, Repository, make_key

MODULE = "ansible_collections.dbops.migrations.plugins.modules.git_fetch"
WAYS = ("key", "passphrase", "token")
FILES = 60
PASSPHRASE = "open sesame to nobody else"
# Some seconds more than ssh waits for the next question.
GONE_WITHIN = 12
AT_ONCE = 4


class Bench:
    """The servers, and one trial after the other in folders of their own."""

    def __init__(self, server: GitServer, http: HttpGit, folder: Path) -> None:
        self.server, self.http, self.folder = server, http, folder
        locked = folder / "locked_key"
        make_key(locked, PASSPHRASE)
        server.allow(locked.with_suffix(".pub").read_text())
        keys = (server.private_key, locked.read_text())
        self.access: dict[str, dict[str, Any]] = {
            "key": {"private_key": keys[0], "known_hosts": server.known_hosts},
            "passphrase": {
                "private_key": keys[1],
                "private_key_passphrase": PASSPHRASE,
                "known_hosts": server.known_hosts,
            },
            "token": {"username": http.user, "token": http.token},
        }
        lines = (line for key in keys for line in key.splitlines() if not line.startswith("-----"))
        self.secrets = [text.encode() for text in (*lines, PASSPHRASE, http.token)]
        # How long a run takes that nobody disturbs, by what it does.
        self.seconds: dict[tuple[str, bool], float] = {}
        # How many were killed when the link had moved already.
        self.late = 0

    def trial(self, name: str, dice: random.Random, way: str, update: bool) -> list[str] | None:
        """Kill a run and return what is wrong then; None when it ended before it could be killed."""
        folder = self.folder / name
        (folder / "tmp").mkdir(parents=True)
        repository = self.server.create(name)
        options = {
            **self.access[way],
            "repo": self._address(repository, way),
            "directory": "m",
            "dest": f"{folder}/dest",
        }
        allowed: list[dict[str, bytes] | None] = [None]
        if update:
            allowed = [_commit(repository, dice)]
            _result(_start(options, folder, f"{name}-before"))
        files = _commit(repository, dice)
        allowed.append(files)

        began = time.monotonic()
        process = _start(options, folder, name)
        if (way, update) not in self.seconds:
            # The first one of its kind is left alone.
            _result(process)
            self.seconds[way, update] = time.monotonic() - began
            return None
        time.sleep(dice.uniform(0, self.seconds[way, update] * 1.15))
        # While its end has not been asked for, the number is its own.
        (os.kill if dice.random() < 0.5 else os.killpg)(process.pid, signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            return None

        self.late += _current(folder / "dest") == files
        wrong = self._leaks(folder)
        if _current(folder / "dest") not in allowed:
            wrong.append(f"current holds {sorted(_current(folder / 'dest') or {})}")
        began = time.monotonic()
        result = _result(_start(options, folder, f"{name}-after"))
        # Other trials take their share of the processor.
        self.seconds[way, update] = time.monotonic() - began
        if result.get("failed"):
            wrong.append(f"the next run failed: {result['msg']}")
        elif _current(folder / "dest") != files or Path(result["directory"]) != (folder / "dest" / "current").resolve():
            wrong.append("the next run brought other files")
        wrong += [f"left in dest: {path}" for path in (folder / "dest").rglob(".tmp-*")]
        wrong += [f"still runs: {text}" for text in _remaining(name, folder)]
        wrong += self._leaks(folder)
        return wrong

    def _address(self, repository: Repository, way: str) -> str:
        return f"{self.http.url}/{repository.path.name}" if way == "token" else repository.url

    def _leaks(self, folder: Path) -> list[str]:
        """Return what tells a secret; git may still be running, and remove files of its own."""
        found = []
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and any(secret in path.read_bytes() for secret in self.secrets):
                    found.append(f"a secret is in {path}")
        return found


def _commit(repository: Repository, dice: random.Random) -> dict[str, bytes]:
    """Commit files, of which some are those of the last commit, and return all."""
    files = {f"{number:04}_x.up.sql": b"-- %d\n" % number * 50 for number in dice.sample(range(FILES * 2), FILES)}
    changed = dice.sample(sorted(files), FILES // 2)
    files.update({name: dice.randbytes(2000).hex().encode() for name in changed})
    gone = {f"m/{number:04}_x.up.sql": None for number in range(FILES * 2)}
    repository.commit({**gone, **{f"m/{name}": content for name, content in files.items()}})
    return files


def _start(options: dict[str, Any], folder: Path, mark: str) -> subprocess.Popen[str]:
    """Start the module in a process group of its own; all that it starts has the mark in its environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT / ".venv" / "collections"),
            "TMPDIR": f"{folder}/tmp",
            "SOAK_FETCH": mark,
        },
        process_group=0,
        text=True,
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        json.dump({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_remote_tmp": f"{folder}/tmp"}}, process.stdin)
        process.stdin.close()
    process.stdin = None
    return process


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=120)
    if errors or not output:
        return {"failed": True, "msg": f"{output} {errors}"}
    result: dict[str, Any] = json.loads(output)
    return result


def _current(dest: Path) -> dict[str, bytes] | None:
    """Return the files to which the link leads; None without a link."""
    if not (dest / "current").is_symlink():
        return None
    if not (dest / "current").exists():
        return {}
    return {path.name: path.read_bytes() for path in (dest / "current").iterdir()}


def _remaining(mark: str, folder: Path) -> list[str]:
    """Return the processes of a trial that do not end soon, and end them."""
    end = time.monotonic() + GONE_WITHIN
    while (found := _processes(mark, folder)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(found.values())


def _processes(mark: str, folder: Path) -> dict[int, str]:
    """Return those that have the mark, or work in the folder: ssh writes its title over its environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            marked = f"SOAK_FETCH={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
            if marked or os.readlink(process / "cwd").startswith(f"{folder}/"):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return found


def soak(trials: int, seed: int) -> Counter[str]:
    """Run so many trials, print what is wrong, and return how they ended."""
    found: Counter[str] = Counter()
    with private_folder("git") as keys, private_folder("fetched") as folder, GitServer(keys) as server:
        (keys / "repositories").mkdir()
        with HttpGit(keys / "repositories") as http, ThreadPoolExecutor(AT_ONCE) as pool:
            bench = Bench(server, http, folder)

            def run(number: int) -> None:
                dice = random.Random(f"{seed} {number}")
                way, update = WAYS[number % len(WAYS)], number // len(WAYS) % 2 == 1
                wrong = bench.trial(f"trial-{number}", dice, way, update)
                kind = f"{'update' if update else 'first fetch'} with {way}"
                found["missed" if wrong is None else kind] += 1
                found["wrong"] += bool(wrong)
                for text in wrong or ():
                    print(f"seed {seed} trial {number}, {kind}: {text}", flush=True)

            number = 2 * len(WAYS)
            for first in range(number):
                run(first)
            found.clear()
            while (missing := trials + found["missed"] + found["wrong"] - found.total()) > 0:
                list(pool.map(run, range(number, number + missing)))
                number += missing
        print(f"{found['missed']} ended before they could be killed, {bench.late} were killed after the link had moved")
    return found


def main(trials: int, seed: int) -> int:
    """Run so many trials, print their counts, and return how many went wrong."""
    found = soak(trials, seed)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()) if kind not in ("missed", "wrong"))
    print(f"{found.total() - found['missed'] - found['wrong']} kills ({kinds}): {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1) > 0)
