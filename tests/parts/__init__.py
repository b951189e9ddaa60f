# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real parts on which the demo and the tests run: servers on loopback, each in a private folder."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache"


class NotAvailable(Exception):
    """A part is missing; the message says why. It is available on such a system, so a test that needs it fails."""


class NotOnThisSystem(NotAvailable):
    """A part is not available on such a system, whatever is installed: the tests that need it are skipped."""


@contextlib.contextmanager
def private_folder(name: str) -> Iterator[Path]:
    """Give a new folder, of mode 0700 and reachable by every account, and remove it at the end.

    pytest's own temporary folders lie in one that only its owner may enter; a server that runs as another account
    cannot work there. The path is short because it holds sockets.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"dbops-{name}-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
