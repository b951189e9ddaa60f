# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SHOW CREATE TABLE says about columns, keys and constraints, as the servers write it."""

from __future__ import annotations

from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.structure import Column, Foreign, read

TABLE = r"""CREATE TABLE `t` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `a``b` varchar(40) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x NOT NULL',
  `e` enum('a,b','it''s)','c') COLLATE utf8mb4_bin NOT NULL DEFAULT 'c' COMMENT 'a, CHECK (x)',
  `s` varchar(9) DEFAULT NULL CHECK (`s` <> ')'),
  `g` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL,
  `d` decimal(10,2) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `both` (`a``b`(7),`s` DESC) USING BTREE,
  UNIQUE KEY `expression` ((`id` + 1)),
  KEY `plain` (`s`),
  CONSTRAINT `up` FOREIGN KEY (`id`, `d`) REFERENCES `par``ent` (`x`, `y`) ON DELETE CASCADE,
  CONSTRAINT `positive` CHECK (`id` > 0 and `s` <> 'a,'),
  CONSTRAINT `idle` CHECK (`id` > 1) /*!80016 NOT ENFORCED */
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci COMMENT='x'
 PARTITION BY RANGE (`id`)
(PARTITION `p0` VALUES LESS THAN (10) ENGINE = InnoDB,
 PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)"""


def test_a_table_is_read_as_the_servers_write_it() -> None:
    """With names and texts that hold what separates others."""
    found = read(TABLE)
    texts = ("utf8mb4", "utf8mb4_unicode_ci")
    assert found.columns == {
        "id": Column("int", "10", True, False, False, False, None, None),
        "a`b": Column("varchar", "40", False, True, False, True, "latin1", "latin1_bin"),
        "e": Column("enum", "'a,b','it''s)','c'", False, False, False, True, "utf8mb4", "utf8mb4_bin"),
        "s": Column("varchar", "9", False, True, False, True, *texts),
        "g": Column("int", "11", False, True, True, False, None, None),
        "d": Column("decimal", "10,2", False, False, False, False, None, None),
    }
    assert found.uniques == {"": (("id", 0),), "both": (("a`b", 7), ("s", 0)), "expression": None}
    assert found.checks == {"s itself": "`s` <> ')'", "positive": "`id` > 0 and `s` <> 'a,'"}
    assert found.foreign == {"up": Foreign(("id", "d"), "par`ent", ("x", "y"))}
    assert found.partitions == {"p0", "p1"}
