"""What a query says: the tree that `parse` makes of the text, before it means anything.

A leaf keeps its words as they were written, escapes removed; only `Wildcard.pattern`
and `Regex.pattern` keep the escapes that their own small languages need. A group is a
flat list of clauses, each with Lucene's mark: "" (should), "+" (must) or "-" (must not).

    v:1 AND -w:(a b)  =>  Group((Clause("+", Term("v", "1")),
                                 Clause("-", Group((Clause("", Term("w", "a")),
                                                    Clause("", Term("w", "b")))))))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["", "+", "-"]


@dataclass(frozen=True, slots=True)
class All:
    """`*` and `*:*`: every item."""


@dataclass(frozen=True, slots=True)
class Term:
    """`path:text`, quoted or not."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """`path:text*`."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    r"""`path:pat?ern*`; in `pattern`, `\` escapes a literal `*`, `?` or `\`."""

    path: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Regex:
    """`path:/pattern/`, the text between the slashes as written."""

    path: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """`path:text~edits`, the number as written (2 where there is none)."""

    path: str
    text: str
    edits: float


@dataclass(frozen=True, slots=True)
class Exists:
    """`path:*`."""

    path: str


@dataclass(frozen=True, slots=True)
class Range:
    """`path:[low TO high]` and the comparisons; None is an open end."""

    path: str
    low: str | None
    high: str | None
    include_low: bool
    include_high: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """One member of a group, with its mark."""

    mark: Mark
    node: Node


@dataclass(frozen=True, slots=True)
class Group:
    """A pair of parentheses, or the whole query."""

    clauses: tuple[Clause, ...]


Leaf = All | Term | Prefix | Wildcard | Regex | Fuzzy | Exists | Range
Node = Leaf | Group
