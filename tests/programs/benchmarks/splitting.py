# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How quickly scripts are split, and in how much memory: ``python -m programs.benchmarks.splitting [MEBIBYTES]``.

Each load is some SQL over and over, without a server. The seconds are those of the processor, and what it takes to
hand out the SQL, a copy in memory, is among them.
"""

from __future__ import annotations

import io
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter

_MEBIBYTE = 1 << 20
_ROW = b"(%d,'name %d','a text; of some words, as they are',17.50,NULL,'2026-01-31 12:00:00')"
_ESCAPED = rb"(%d,'it''s %d','{\"a\": \"b;c\"}\r\nit\'s a text; of some words',NULL,'2026-01-31 12:00:00')"
_JAPANESE = "(%d,'名前 %d','代表的なソフトの表; 機能','予定',NULL,'2026-01-31 12:00:00')".encode("cp932")
_SMALL = b"INSERT INTO t1 (id, name, price, created) VALUES (%d, 'name %d', 17.50, '2026-01-31 12:00:00');\n"
_TABLE = b"""
-- Table %d; what there is of it
/*!40101 SET @saved = @@character_set_client */;
DROP TABLE IF EXISTS `t%d`;
CREATE TABLE `t1` (
  `id` int NOT NULL AUTO_INCREMENT PRIMARY KEY, -- the key
  `name` varchar(100) NOT NULL DEFAULT '' COMMENT 'a; b'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
"""
_PROGRAM = b"""
CREATE DEFINER=`admin`@`%%` PROCEDURE move_%d(IN low INT, IN high DECIMAL(10,2)) MODIFIES SQL DATA
BEGIN
    -- what has been done; what is left
    DECLARE done INT DEFAULT 0;
    DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
    IF low > high THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'low; high';
    END IF;
    WHILE low < high DO
        INSERT INTO log (account, kind, note) SELECT a.id, CASE WHEN a.balance < 0 THEN 'debt' ELSE 'ok' END, %d
            FROM accounts AS a JOIN owners AS o ON o.id = a.owner WHERE a.id = low AND a.state <> 'closed';
        UPDATE accounts SET balance = balance - high, changed = NOW() WHERE id = low;
        SET low = low + 1;
    END WHILE;
END;
"""


_PIECE = b"DELIMITER //" + _PROGRAM.rstrip(b";\n") + b";\n//\nSELECT %d; SELECT %d;\n//\nDELIMITER ;\n"


def _many(pattern: bytes, size: int, separator: bytes = b"") -> bytes:
    places = pattern.count(b"%d")
    return separator.join(pattern % ((number,) * places) for number in range(size // len(pattern)))


def _insert(row: bytes) -> bytes:
    return b"INSERT INTO `t1` VALUES " + _many(row, _MEBIBYTE, b",") + b";\n"


def _mixed() -> bytes:
    return b"".join(
        _many(_TABLE, 5000) + _insert(row) + _many(_SMALL, 50_000) + _many(_PROGRAM, 5000) for row in (_ROW, _ESCAPED)
    )


_LOADS: dict[str, Callable[[], bytes]] = {
    "big INSERTs": lambda: _insert(_ROW),
    "big INSERTs with escapes": lambda: _insert(_ESCAPED),
    "mixed": _mixed,
    "small INSERTs": lambda: _many(_SMALL, _MEBIBYTE),
    "stored programs": lambda: _many(_PROGRAM, _MEBIBYTE),
    "stored programs between delimiters": lambda: _many(_PIECE, _MEBIBYTE),
    "big INSERTs in cp932": lambda: _insert(_JAPANESE),
    "empty statements": lambda: b"; -- nothing\n" * (_MEBIBYTE // 13),
}


class Repeated(io.RawIOBase):
    """A file that holds a block again and again."""

    def __init__(self, block: bytes, size: int) -> None:
        self._block, self._left, self._place = block, size // len(block) * len(block), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as target:
            size = min(len(target), len(self._block) - self._place, self._left)
            target[:size] = memoryview(self._block)[self._place : self._place + size]
        self._place = (self._place + size) % len(self._block)
        self._left -= size
        return size


def split(name: str, size: int) -> tuple[int, float]:
    """Split one load; return how many statements it has, and the seconds of processor time."""
    file = cast(BinaryIO, io.BufferedReader(Repeated(_LOADS[name](), size)))
    started = time.process_time()
    dialect = Dialect(character_set="cp932" if "cp932" in name else "utf8mb4")
    count = sum(1 for _statement in Splitter(file, dialect).statements())
    return count, time.process_time() - started


def measure(name: str, size: int) -> None:
    """Split one load, and print how it went."""
    count, seconds = split(name, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {count} statements, {size / 1e6 / seconds:.1f} MB/s, {peak:.0f} MiB", flush=True)


def main(size: int) -> None:
    """Measure each load in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    for name in _LOADS:
        process = spawning.Process(target=measure, args=(name, size))
        process.start()
        process.join()


if __name__ == "__main__":
    main((int(sys.argv[1]) if len(sys.argv) > 1 else 1024) * _MEBIBYTE)
