# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the client's character set changes what the servers read. Private to the collection.

Found by sending each byte, and each pair of bytes, to MariaDB 10.11 and MySQL 9.7, which agree. In quotes and in names
a lead byte takes its trail byte with it, even a backslash or a backtick; a lead byte that no trail byte follows is a
byte like any other, and so is one after a backslash. An introducer (``_cp932'...'``) changes nothing of this.
"""

from __future__ import annotations

from typing import NamedTuple

_EUC = bytes(range(0x81, 0xFF))


def byte_class(found: bytes) -> bytes:
    """Return what stands for these bytes between the brackets of a pattern."""
    return b"".join(b"\\x%02x" % byte for byte in found)


class CharacterSet(NamedTuple):
    """What decides how a text is read.

    :param lead: bytes that start a character in which a later byte may be ASCII.
    :param trail: bytes that may follow one of those.
    :param four: whether a character may also be lead, digit, lead, digit.
    :param variable: bytes that the name of a user variable takes one by one, whatever follows them.
    :param blank: bytes that are whitespace, besides those of ASCII.
    :param control: bytes that make two dashes before them a comment, beside whitespace and the control characters up
        to 0x1f.
    :param codec: Python's name for it.
    """

    lead: bytes = b""
    trail: bytes = b""
    four: bool = False
    variable: bytes = b""
    blank: bytes = b""
    control: bytes = b"\x7f"
    codec: str = "latin-1"

    @property
    def wide(self) -> bytes:
        """A pattern for a lead byte, with its trail bytes if they follow; it matches in one way only."""
        lead, trail = b"[" + byte_class(self.lead) + b"]", b"[" + byte_class(self.trail) + b"]"
        four = b"[0-9]" + lead + b"[0-9]"
        follows = trail + b"|" + four if self.four else trail
        return lead + b"(?:" + follows + b"|(?!" + follows + b"))"

    @property
    def high(self) -> bytes:
        """The bytes beyond ASCII that are letters by themselves."""
        return bytes(byte for byte in range(0x80, 0x100) if byte not in self.lead and byte not in self.blank)


def _east_asian(lead: bytes, codec: str, trail: bytes, variable: bytes = b"", four: bool = False) -> CharacterSet:
    return CharacterSet(lead, trail, four, variable, codec=codec)


_SJIS_LEAD = bytes([*range(0x81, 0xA0), *range(0xE0, 0xFD)])
_SJIS_TRAIL = bytes([*range(0x40, 0x7F), *range(0x80, 0xFD)])
_GBK_TRAIL = bytes([*range(0x40, 0x7F), *range(0x80, 0xFF)])
_BIG5_LEAD = bytes(range(0xA1, 0xFA))
_NBSP, _FF = b"\xa0", b"\xff"
_UTF8 = CharacterSet(codec="utf-8")

_KNOWN = {
    "sjis": _east_asian(_SJIS_LEAD, "shift_jis", _SJIS_TRAIL),
    "cp932": _east_asian(_SJIS_LEAD, "cp932", _SJIS_TRAIL),
    "gbk": _east_asian(_EUC, "gbk", _GBK_TRAIL, bytes(range(0xA1, 0xFF))),
    "gb18030": _east_asian(_EUC, "gb18030", _GBK_TRAIL, bytes(range(0x80, 0xFF)), four=True),
    "big5": _east_asian(_BIG5_LEAD, "big5", bytes([*range(0x40, 0x7F), *range(0xA1, 0xFF)]), _BIG5_LEAD),
    # Letters may be trail bytes here, and a delimiter of the client may be a word.
    "euckr": _east_asian(_EUC, "cp949", bytes([*range(0x41, 0x5B), *range(0x61, 0x7B), *_EUC])),
    # No later byte of these is ASCII.
    **dict.fromkeys(("utf8", "utf8mb3", "utf8mb4"), _UTF8),
    "gb2312": CharacterSet(codec="gb2312"),
    "ujis": CharacterSet(codec="euc_jp"),
    "eucjpms": CharacterSet(codec="euc_jp"),
    # Of one byte each.
    **dict.fromkeys(("ascii", "binary", "cp1256", "koi8r", "koi8u", "swe7", "tis620"), CharacterSet()),
    **dict.fromkeys(("cp1251", "cp1257", "macce"), CharacterSet(control=b"")),
    **dict.fromkeys(
        ("armscii8", "dec8", "geostd8", "greek", "latin1", "latin5"), CharacterSet(blank=_NBSP, control=b"\x7f\xa0")
    ),
    **dict.fromkeys(("cp852", "cp866", "keybcs2"), CharacterSet(blank=_FF, control=_FF)),
    "cp850": CharacterSet(control=b"\x7f\xff"),
    "cp1250": CharacterSet(blank=_NBSP, control=b"\x7f\x80\x81\x83\x88\x90\x98\xa0"),
    "hebrew": CharacterSet(blank=_NBSP, control=b"\x7f\xa0\xfd\xfe"),
    "hp8": CharacterSet(control=bytes([*range(0x7F, 0xA1), *b"\xb1\xb2\xf2\xf3\xf4\xf5\xff"])),
    "latin2": CharacterSet(blank=_NBSP, control=_NBSP),
    "latin7": CharacterSet(blank=_NBSP, control=b"\x7f\x81\x83\x88\x8a\x8c\x90\x98\x9a\x9c\x9f\xa0\xa1\xa5"),
    "macroman": CharacterSet(control=b"\x80\xcb\xe5"),
}


def is_known(name: str) -> bool:
    """Tell whether it is known how a text in that character set is read."""
    return name in _KNOWN


def character_set(name: str) -> CharacterSet:
    """Return what is known of a character set; of one that is not known, what holds for UTF-8."""
    return _KNOWN.get(name, _UTF8)
