# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Python runs as it starts below the tests' Ansible: modules' imports are compiled once, and not in each process.

Ansible sends a module and what it imports as an archive, of which Python keeps no bytecode: compiling is half of what
a module takes. Here it is kept by the hash of its source. Whatever is wrong with that, Python compiles as usual.
"""

from __future__ import annotations

import marshal
import os
import sys
import zipimport
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from types import CodeType
from typing import Any


def keep_bytecode(folder: Path) -> None:
    """Have the bytecode of what comes from an archive kept in a folder."""
    # Written in Python since 3.8, and no part of its interface.
    own: Any = zipimport
    compile_source = own._compile_source

    def compiled(path: str, source: bytes) -> CodeType:
        # The code has the path in it, which shows in a traceback only.
        kept = folder / f"{sys.implementation.cache_tag}-{MAGIC_NUMBER[:2].hex()}-{source_hash(source).hex()}"
        try:
            found = marshal.loads(kept.read_bytes())
            if isinstance(found, CodeType):
                return found
        except (OSError, ValueError, EOFError, TypeError):
            pass
        code: CodeType = compile_source(path, source)
        try:
            unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
            unfinished.write_bytes(marshal.dumps(code))
            unfinished.rename(kept)
        except OSError:
            # Another account's.
            pass
        return code

    own._compile_source = compiled


if "DBOPS_MODULES" in os.environ and hasattr(zipimport, "_compile_source"):
    keep_bytecode(Path(os.environ["DBOPS_MODULES"]))
