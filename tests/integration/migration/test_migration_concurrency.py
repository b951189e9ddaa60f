# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many runs at once on one schema, golang-migrate among them: the lock lets each migration run once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from integration.migration.support import Database

COUNT = 25
PATIENT, IMPATIENT, GOLANG = 10, 5, 5


def test_twenty_at_once(twins: tuple[Database, Database]) -> None:
    database, _other = twins
    database.write({"1_log.up.sql": "CREATE TABLE log (version INT); INSERT INTO log VALUES (1);"})
    database.write({f"{n}_m.up.sql": f"INSERT INTO log VALUES ({n}); DO SLEEP(0.01);" for n in range(2, COUNT + 1)})
    with ThreadPoolExecutor(PATIENT + IMPATIENT + GOLANG) as pool:
        patient = [pool.submit(database.apply, lock_timeout=120) for _number in range(PATIENT)]
        impatient = [pool.submit(database.apply, lock_timeout=0) for _number in range(IMPATIENT)]
        golang = [pool.submit(database.golang, "up") for _number in range(GOLANG)]
    ours = [future.result() for future in (*patient, *impatient)]
    assert [result["msg"] for result in ours[:PATIENT] if result["failed"]] == []
    for result in ours[PATIENT:]:
        assert not result["failed"] or "Another migration run holds the lock on" in result["msg"], result["msg"]
    theirs = [future.result() for future in golang]
    for said in theirs:
        assert "no change" in said or f"{COUNT}/u m" in said or "can't acquire lock" in said, said
    by_ours = sum(len(result.get("applied", [])) for result in ours)
    by_golang = sum(said.count("/u ") for said in theirs)
    assert by_ours + by_golang == COUNT
    assert database.query("SELECT version FROM log") == [(n,) for n in range(1, COUNT + 1)]
    assert database.state() == [(COUNT, 0)]
