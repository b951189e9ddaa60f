# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that can be planted in a Python file, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
}


class Mutant(NamedTuple):
    """One fault: its place among the file's nodes, and for people its line and what it is."""

    node: int
    line: int
    kind: str


def mutants(source: str) -> list[Mutant]:
    """Return every fault that can be planted in a file."""
    tree = ast.parse(source)
    annotations = {id(node) for part in _annotations(tree) for node in ast.walk(part)}
    return [
        Mutant(number, node.lineno, kind)
        for number, node in enumerate(ast.walk(tree))
        if isinstance(node, (ast.expr, ast.stmt)) and id(node) not in annotations
        for kind in [_kind(node)]
        if kind
    ]


def mutated(source: str, mutant: Mutant) -> str:
    """Return the file's text with the fault in it."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    old = nodes[mutant.node]
    new = _CHANGES[mutant.kind](copy.deepcopy(old))
    for parent in nodes:
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(each is old for each in value):
                value[:] = [new if each is old else each for each in value]
    return ast.unparse(ast.fix_missing_locations(tree))


def _annotations(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what no run evaluates."""
    for node in ast.walk(tree):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")]
        yield from (part for part in parts if isinstance(part, ast.AST))
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield node


def _kind(node: ast.AST) -> str:
    """Return the kind of fault that a node can have, or nothing."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        return "comparison"
    if isinstance(node, ast.BoolOp):
        return "boolean"
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int)):
        return "constant"
    if isinstance(node, ast.Return) and node.value and not _is_none(node.value):
        return "return"
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return "arithmetic"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return "not"
    return ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _compare(node: ast.Compare) -> ast.AST:
    node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    return node


def _bool(node: ast.BoolOp) -> ast.AST:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return node


def _constant(node: ast.Constant) -> ast.AST:
    assert isinstance(node.value, int)
    node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    return node


def _return(node: ast.Return) -> ast.AST:
    node.value = ast.Constant(None)
    return node


def _arithmetic(node: ast.BinOp) -> ast.AST:
    node.op = _ARITHMETIC[type(node.op)]()
    return node


def _not(node: ast.UnaryOp) -> ast.AST:
    return node.operand


_CHANGES: dict[str, Callable[..., ast.AST]] = {
    "comparison": _compare,
    "boolean": _bool,
    "constant": _constant,
    "return": _return,
    "arithmetic": _arithmetic,
    "not": _not,
}
