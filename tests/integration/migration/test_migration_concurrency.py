# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs at once on one schema, golang-migrate among them: the lock lets each migration run once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from integration.migration.support import Database

COUNT = 25


def test_twelve_at_once(twins: tuple[Database, Database]) -> None:
    database, _other = twins
    database.write({"1_log.up.sql": "CREATE TABLE log (version INT); INSERT INTO log VALUES (1);"})
    database.write({f"{n}_m.up.sql": f"INSERT INTO log VALUES ({n}); DO SLEEP(0.01);" for n in range(2, COUNT + 1)})
    with ThreadPoolExecutor(12) as pool:
        ours = [pool.submit(database.apply, lock_timeout=120) for _number in range(9)]
        theirs = [pool.submit(database.golang, "up") for _number in range(3)]
    results = [future.result() for future in ours]
    assert [result["msg"] for result in results if result["failed"]] == []
    for future in theirs:
        said = future.result()
        assert "no change" in said or f"{COUNT}/u m" in said or "can't acquire lock" in said, said
    by_ours = sum(len(result["applied"]) for result in results)
    by_golang = sum(future.result().count("/u ") for future in theirs)
    assert by_ours + by_golang == COUNT
    assert database.query("SELECT version FROM log") == [(n,) for n in range(1, COUNT + 1)]
    assert database.state() == [(COUNT, 0)]
