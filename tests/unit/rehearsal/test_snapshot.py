# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of SHOW CREATE is part of an object, and what two definitions differ in."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.copy import closure
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.snapshot import (
    Definition,
    Key,
    Settings,
    Snapshot,
    difference,
    normalised,
)

TABLE = b"CREATE TABLE `t` (\n  `id` int,\n  KEY `b` (`id`),\n  KEY `a` (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"


@pytest.mark.parametrize(
    ("sort", "text", "expected"),
    [
        ("TABLE", "CREATE TABLE `t` (\n  `id` int\n) ENGINE=InnoDB AUTO_INCREMENT=7 X",
         "CREATE TABLE `t` (\n  `id` int\n) ENGINE=InnoDB X"),
        ("TABLE", "CREATE TABLE `t` (\n  `a` int COMMENT ' AUTO_INCREMENT=7'\n) ENGINE=InnoDB", None),
        ("TABLE", "CREATE TABLE `t` (\n  `shop` int DEFAULT nextval(`shop`.`s`)\n)", "CREATE TABLE `t` (\n  `shop` int "
         "DEFAULT nextval(`s`)\n)"),
        ("VIEW", "CREATE ALGORITHM=MERGE DEFINER=`a``b`@`%` SQL SECURITY DEFINER VIEW `v` AS select `shop`.`t`.`id` AS "
         "`shop`,'`shop`.`t`' AS `x` from `shop`.`t`", "CREATE ALGORITHM=MERGE SQL SECURITY DEFINER VIEW `v` AS select "
         "`t`.`id` AS `shop`,'`shop`.`t`' AS `x` from `t`"),
        ("VIEW", "CREATE VIEW `v` AS select `x`.`id` from `other`.`x`", None),
        ("PROCEDURE", "CREATE DEFINER=`app`@`10.0.0.%` PROCEDURE `p`()\nSELECT 'DEFINER=`a`@`b`'",
         "CREATE PROCEDURE `p`()\nSELECT 'DEFINER=`a`@`b`'"),
        ("TRIGGER", "CREATE DEFINER=`a`@`%` TRIGGER shop.`g` BEFORE INSERT ON `shop`.`t` FOR EACH ROW SET @a = shop.x",
         "CREATE TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET @a = shop.x"),
        ("TRIGGER", "CREATE TRIGGER g AFTER UPDATE ON other.t FOR EACH ROW SET @a = 1", None),
        ("EVENT", "CREATE DEFINER=`a`@`b` EVENT `e` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE ENABLE DO SELECT"
         " ' ON COMPLETION NOT PRESERVE ENABLE '", "CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE"
         " DISABLE DO SELECT ' ON COMPLETION NOT PRESERVE ENABLE '"),
    ],
)  # fmt: skip
def test_what_is_not_part_of_an_object_is_left_out(sort: str, text: str, expected: str | None) -> None:
    """None stands for a text that stays as it is."""
    assert normalised(sort, text.encode(), "shop") == (text if expected is None else expected).encode()


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW `v` AS select `shop`.`id` AS `id` from `shop`",
        "CREATE VIEW `v` AS select `shop`.`id` AS `id` from `t` `shop`",
    ],
)
def test_a_view_over_something_with_the_name_of_the_schema_cannot_be_told(text: str) -> None:
    """What comes before a dot may be either."""
    assert normalised("VIEW", text.encode(), "shop") is None


def definition(sort: str, name: str, text: bytes, table: str = "", **settings: str) -> Definition:
    """Return a definition."""
    return Definition(Key(sort, name), text, Settings(**settings), table)


def snapshot(*definitions: Definition) -> Snapshot:
    """Return a snapshot of definitions."""
    return Snapshot({item.key: item for item in definitions}, {})


def test_a_difference_is_in_a_stable_order() -> None:
    """By kind, then by name, whatever the order of what was read."""
    before = snapshot(definition("VIEW", "v", b"x"), definition("TABLE", "b", b"1\n2\n3"))
    after = snapshot(definition("TABLE", "b", b"1\n2\n4"), definition("TABLE", "a", b"new"))
    found = [(str(change.key), change.change, change.diff) for change in difference(before, after)]
    assert found == [
        ("TABLE a", "added", "@@ -0,0 +1 @@\n+new\n"),
        ("TABLE b", "changed", "@@ -1,3 +1,3 @@\n 1\n 2\n-3\n+4\n"),
        ("VIEW v", "removed", "@@ -1 +0,0 @@\n-x\n"),
    ]


def test_keys_have_no_order_and_columns_have_one() -> None:
    """The order of columns matters to INSERT and SELECT *."""
    other = TABLE.replace(b"`b`", b"`x`").replace(b"`a`", b"`b`").replace(b"`x`", b"`a`")
    assert definition("TABLE", "t", TABLE).compared == definition("TABLE", "t", other).compared
    columns = b"CREATE TABLE `t` (\n  `a` int,\n  `b` int\n) ENGINE=InnoDB"
    turned = b"CREATE TABLE `t` (\n  `b` int,\n  `a` int\n) ENGINE=InnoDB"
    assert definition("TABLE", "t", columns).compared != definition("TABLE", "t", turned).compared


def test_what_a_program_runs_under_is_part_of_it() -> None:
    """The sql_mode is; the character set of the connection that made it is not."""
    plain = definition("PROCEDURE", "p", b"x", sql_mode="", character_set="utf8mb4")
    assert plain.compared == definition("PROCEDURE", "p", b"x", sql_mode="", character_set="latin1").compared
    strict = definition("PROCEDURE", "p", b"x", sql_mode="ANSI_QUOTES", character_set="utf8mb4")
    [change] = difference(snapshot(plain), snapshot(strict))
    assert "+-- sql_mode: ANSI_QUOTES\n" in change.diff


def test_a_semicolon_behind_a_program_is_not_part_of_it() -> None:
    """MySQL keeps it where more statements came in the same packet."""
    for sort in ("PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"):
        assert definition(sort, "p", b"x;\n").compared == definition(sort, "p", b"x").compared
    assert definition("PROCEDURE", "p", b"x; y").compared != definition("PROCEDURE", "p", b"x y").compared


@pytest.mark.parametrize("name", [b"`t`", b'"t"', b"t"])
def test_the_quotes_around_the_table_of_a_trigger_are_not_part_of_it(name: bytes) -> None:
    """A server writes others when the table gets another name, and its old one again."""
    text = b"CREATE TRIGGER `x` BEFORE INSERT ON %b FOR EACH ROW SET @a = 1"
    first, other = (Definition(Key("TRIGGER", "x"), text % name, table=table) for table in "tu")
    assert first.compared == first._replace(text=text % b"t").compared
    assert first.compared != other.compared


def test_an_alter_that_has_mysql_name_another_character_set_before_a_literal_changes_nothing() -> None:
    """It does so to a CHECK that the ALTER does not name."""
    texts = [b"CHECK ((`a_` <> _%b'x'))" % charset for charset in (b"utf8mb4", b"latin1")]
    assert definition("TABLE", "t", texts[0]).compared == definition("TABLE", "t", texts[1]).compared
    assert definition("TABLE", "t", texts[0]).compared != definition("TABLE", "t", b"CHECK ((`a_` <> 'y'))").compared


TABLES = [Key("TABLE", name) for name in ("parent", "child", "other", "a-b", 'a`"b')]
PROGRAMS = snapshot(
    definition("VIEW", "over_child", b"CREATE VIEW `over_child` AS select 1 from `child`"),
    definition("TRIGGER", "fired", b"CREATE TRIGGER fired BEFORE INSERT ON child FOR EACH ROW CALL note(1)", "child"),
    definition("PROCEDURE", "note", b"CREATE PROCEDURE `note`(a INT)\nINSERT INTO other VALUES (a)"),
    definition("FUNCTION", "far", b"CREATE FUNCTION `far`() RETURNS int\nRETURN 1"),
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("ALTER TABLE child ADD a INT", "parent child other over_child fired note"),
        ("ALTER TABLE `parent` ADD a INT", "parent child other fired note"),
        ("alter table OTHER add a int", "other"),
        ("ALTER TABLE `a-b` ADD a INT", "a-b"),
        ('ALTER TABLE `a``"b` ADD a INT', 'a`"b'),
        ('ALTER TABLE "a`""b" ADD a INT', 'a`"b'),
        ("DROP FUNCTION far", "far"),
        ("CREATE TABLE fresh (id INT)", ""),
        ("DROP VIEW over_child", "over_child child parent fired note other"),
    ],
)
def test_what_a_script_may_have_to_do_with_is_copied(script: str, expected: str) -> None:
    """With the other ends of its foreign keys, its views, its triggers, and what these name."""
    found = closure(TABLES, PROGRAMS, {"child": {"parent"}}, [script.encode()])
    assert {key.name for key in found} == {*expected.split()}
