# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program in ssh's place that keeps, in the folder of its first argument, all that goes in and out of ssh."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path


def install(folder: Path) -> Path:
    """Return the path of a program to give to ``ansible_ssh_executable``."""
    folder.mkdir()
    program = folder.with_suffix(".sh")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {__file__} {folder} "$@"\n')
    program.chmod(0o700)
    return program


def main(folder: str, *arguments: str) -> int:
    """Run ssh and return its exit code."""
    name = Path(folder, f"{time.time_ns()}-{os.getpid()}")
    ssh = subprocess.Popen(
        ["ssh", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert ssh.stdin
    assert ssh.stdout
    assert ssh.stderr
    ways = [
        ("stdin", 0, ssh.stdin.fileno()),
        ("stdout", ssh.stdout.fileno(), 1),
        ("stderr", ssh.stderr.fileno(), 2),
    ]
    threads = [
        threading.Thread(target=_pass_on, args=(source, target, name.with_suffix(f".{way}")), daemon=True)
        for way, source, target in ways
    ]
    for thread in threads:
        thread.start()
    code = ssh.wait()
    threads[1].join()
    # A connection that is kept for the next ssh holds the other end of this one.
    threads[2].join(0.2)
    return code


def _pass_on(source: int, target: int, record: Path) -> None:
    # What came from a terminal ends with an error.
    with record.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while data := os.read(source, 1 << 16):
            file.write(data)
            while data:
                data = data[os.write(target, data) :]
    with contextlib.suppress(OSError):
        os.close(target)


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    # Not through the end of the interpreter, which waits for threads that read.
    os._exit(code if code >= 0 else 128 - code)
