# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rehearsing changes to 3 tables of 1,000 adds to check mode: ``python -m programs.benchmarks.rehearsal``.

The two take turns, in a process that has loaded the modules; of each the quickest of 7 counts.
"""

from __future__ import annotations

import time
from collections import defaultdict

from integration.migration.support import Database, make
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.mariadb import MariaDB
from parts.mysql import MySQL

TABLES, TURNS = 1000, 7
# Seconds.
BAR = 0.5
FILES = {
    "1_a.up.sql": "ALTER TABLE t1 ADD c INT;\nALTER TABLE t2 ADD KEY (a);\nALTER TABLE t3 DROP COLUMN a;\n",
    "1_a.down.sql": "ALTER TABLE t3 ADD a VARCHAR(40) AFTER id;\nALTER TABLE t2 DROP KEY a;\nALTER TABLE t1 DROP c;\n",
}


def seconds(database: Database) -> dict[str, float]:
    """Return how long check mode takes, by the option ``rehearse``."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for _turn in range(TURNS):
        for rehearse in ("never", "check"):
            began = time.perf_counter()
            result = database.module("apply", check=True, rehearse=rehearse)
            found[rehearse].append(time.perf_counter() - began)
    [migration] = result["rehearsal"]["migrations"]
    assert migration["reversible"], migration
    return {rehearse: min(times) for rehearse, times in found.items()}


def main() -> None:
    """Measure on each kind of server that is available."""
    for kind in (MariaDB, MySQL):
        try:
            with private_folder("data") as data, private_folder("files") as files, kind(data) as server:
                forks = Forks()
                database = make(server, files / "migrations", forks)
                database.write(FILES)
                for number in range(TABLES):
                    database.query(f"CREATE TABLE t{number} (id INT PRIMARY KEY, a VARCHAR(40), b INT, KEY (b))")
                took = seconds(database)
                forks.close()
        except NotAvailable as reason:
            print(f"Not run on {kind.__name__}: {reason}")
            continue
        more = took["check"] - took["never"]
        verdict = "met" if more <= BAR else "missed"
        times = f"{took['never']:.2f} s, rehearsed {took['check']:.2f} s: +{more:.2f} s"
        print(f"{kind.__name__}: {times} (bar {BAR}: {verdict})")


if __name__ == "__main__":
    main()
