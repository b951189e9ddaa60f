# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan would do, found out on copies of the structure before anything is run. Private to the collection.

``rehearse.rehearse`` returns this, as migration_apply's return value ``rehearsal``:

complete
    Whether each migration of the plan was rehearsed.
why
    Why none was, or why it ended before its time; None otherwise.
objects
    How many objects were copied.
left_out
    A list of what could not be copied: ``object``, its sort and its name; ``why``.
migrations
    One for each of the plan's, in order:

    version, title, direction
        Which one.
    rehearsed, why
        Whether it was rehearsed, and why not.
    error
        Why it failed on the copy, with the place and the server's code; None if it did not.
    changes
        What it changes: ``sort`` (TABLE, VIEW, ...), ``name``, ``change`` (added, removed, changed) and ``diff``, a
        unified diff of SHOW CREATE.
    impact
        What each ALTER TABLE, CREATE INDEX and DROP INDEX does to its table: ``statement``, ``line``, ``table``,
        ``algorithm`` (INSTANT, NOCOPY, INPLACE, COPY), ``rebuilds``, ``blocks_writes``, ``rows``, ``bytes``,
        ``certain``, and why it is not, ``uncertain``. None stands for what is not known.
    risks
        What of the real rows it would fail on, and which it would destroy: ``kind`` (would_fail, destroy), ``what``,
        ``table``, ``name``, ``rows``, ``certain`` and ``text``. Guards decide by these.
    skipped
        The statements that were left out because they need rows, each with what the server said.
    reversible, irreversible, not_restored
        Whether its down file restores the schema, and it can be applied again then: True, False, or None if that is not
        known; why it is not True; what differs after the down file, in the form of ``changes``.
cannot_tell
    A list of sentences on what a rehearsal does not see.
seconds
    How long it took.

What else is to be known of a migration has a place beside these.
Drift compares what ``snapshot.Snapshot.fingerprints`` returned at two times.

The way of the data: snapshot (all definitions) → copy.closure (what the files name) → scratch (a schema, a lock) →
copy.write → runner.carry_out, there and back and there again, a snapshot after each → differences → notes.
"""
