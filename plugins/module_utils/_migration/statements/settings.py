# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SET gives a value to. Private to the collection.

Sources: MySQL reference manual, "SET Syntax for Variable Assignment", "SET TRANSACTION Statement" (where ``@@`` without
a scope sets one of its variables for the next transaction only).
"""

from __future__ import annotations

from .effect import Effect, Object, StatementKind
from .rows import read_rows
from .tokens import Tokens, unquote

_SCOPES = frozenset(b"GLOBAL PERSIST PERSIST_ONLY".split())
_OF_TRANSACTIONS = frozenset(b"transaction_isolation tx_isolation transaction_read_only tx_read_only".split())


def read_set(tokens: Tokens) -> Effect:
    """Read a SET statement whose first word has been taken."""
    if tokens.peek().text == b"PASSWORD":
        return Effect(StatementKind.OPAQUE)
    if tokens.peek().text == b"TRANSACTION":
        return Effect(StatementKind.NEXT_TRANSACTION)
    if tokens.skip(b"DEFAULT") and tokens.peek().text == b"ROLE":
        return Effect(StatementKind.REPEATABLE)
    return _Reader(tokens).read()


class _Reader:
    """
    :ivar _once: something holds for the next transaction only.
    :ivar _computed: a value is an expression that may call or read something.
    :ivar _constant: each value is a literal, or a word of the server's.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._once = self._computed = False
        self._constant = True

    def read(self) -> Effect:
        tokens = self._tokens
        sets, depth, previous = [self._target()], 0, b""
        while tokens.peek().kind != "nothing":
            token = tokens.take()
            text = token.text
            depth += {b"(": 1, b")": -1}.get(text, 0)
            if text == b"," and depth == 0:
                sets.append(self._target())
                previous = b""
                continue
            assigning = text in (b"=", b":=")
            self._constant = self._constant and (token.kind in ("word", "quoted") or assigning or text in (b"-", b"."))
            called = text == b"(" or (text == b"VALUE" and previous in (b"NEXT", b"PREVIOUS"))
            # Within an expression it gives another variable a value.
            assigns = text == b":=" and previous != b""
            self._computed = self._computed or called or assigns
            previous = text
        return self._effect(tuple(sets))

    def _effect(self, sets: tuple[bytes, ...]) -> Effect:
        variables = tuple(self._tokens.variables)
        own = tuple(name for name in sets if name.startswith(b"@"))
        effect = Effect(StatementKind.SESSION, verb=b"SET", sets=sets, plain=True, assigns=own, variables=variables)
        if b"GLOBAL" in sets and not self._constant:
            return effect._replace(kind=StatementKind.OPAQUE, plain=False)
        if set(sets) == {b"GLOBAL"}:
            return effect._replace(kind=StatementKind.REPEATABLE)
        if self._computed:
            return self._reads(effect)
        return effect._replace(kind=StatementKind.NEXT_TRANSACTION) if self._once else effect

    def _reads(self, effect: Effect) -> Effect:
        again = Tokens(self._tokens.text, self._tokens.dialect)
        while again.peek().kind != "nothing" and again.take().text != b"SET":
            pass
        rows = read_rows(again, b"SET")
        return effect._replace(
            kind=StatementKind.DATA,
            writes=tuple(Object("TABLE", name) for name in rows.writes),
            names=rows.names,
            plain=rows.plain and not self._once,
            assigns=tuple(dict.fromkeys(effect.assigns + rows.assigns)),
        )

    def _target(self) -> bytes:
        """Take the name of what gets a value."""
        tokens = self._tokens
        if tokens.peek().kind == "name":
            token = tokens.take()
            return tokens.text[token.start : token.end]
        bare = True
        if tokens.skip(b"@"):
            if tokens.peek().text != b"@":
                return tokens.variable()
            tokens.take()
            bare = False
        if tokens.peek().text in _SCOPES:
            return b"GLOBAL"
        scoped = tokens.skip(b"SESSION", b"LOCAL")
        tokens.skip(b".")
        token = tokens.take()
        name = unquote(tokens.text[token.start : token.end]).lower()
        self._once = self._once or (not bare and not scoped and name in _OF_TRANSACTIONS)
        return name
