# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the work on many schemas has got, for whoever looks. Private to the collection.

Without a thread: the process forks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..progress.file import ProgressFile
from ..progress.look import duration
from ..report import few

# Seconds before the first line, and from one to the next.
_FIRST, _NEXT = 5.0, 10.0


class Tally:
    """Writes a line now and then.

    :param file: None if nobody looks.
    :param total: how many schemas there are to work on.
    """

    def __init__(self, file: Optional[ProgressFile], total: int) -> None:
        self._file = file
        self._total = total
        self._began = time.monotonic()
        self._due = self._began + _FIRST

    def tell(self, results: Mapping[str, Mapping[str, Any]], busy: Sequence[str]) -> None:
        """Write the line, if it is due.

        :param results: of the schemas that are done.
        :param busy: those that are being worked on.
        """
        moment = time.monotonic()
        if self._file is None or moment < self._due:
            return
        self._due = moment + _NEXT
        failed = sum(bool(result.get("failed")) for result in results.values())
        failures = f", {failed:,} failed" if failed else ""
        done = f"{len(results):,} of {self._total:,} databases are done{failures}"
        text = f"{done}; working on {few(busy)}, {duration(moment - self._began)}"
        self._file.write({"text": text, "since": time.time() - (moment - self._began)})

    def end(self) -> None:
        """Remove the line: the work is over."""
        if self._file is not None:
            self._file.remove()
