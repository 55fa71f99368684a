"""What a query means: the plan that both engines carry out.

Ten kinds of leaf and three ways to join them. Nothing here depends on an engine, a
clock or a store: `NOW` is already a number, a number's other spellings are already in
`Terms`, alternatives that one lookup can answer are already merged. An item matches a
leaf when one of the values at the path does; `Exists` also looks below the path.

    v:1.0 AND -w:a*   =>   And((Terms((("v", "1.0"), ("v", "1"))), Not(Prefix("w", "a"))))
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from m1.query.regex import Regular


class Term(NamedTuple):
    """A path and the exact canonical text of a value there."""

    path: str
    text: str


class Hole(enum.Enum):
    """What stands between the literal parts of a wildcard."""

    ONE = "?"
    MANY = "*"


@dataclass(frozen=True, slots=True)
class All:
    """Every item."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Items with a value other than null at the path or anywhere below it."""

    path: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Items with any of these terms; none at all where there are no terms."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Items with a text at the path that begins so."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Items with a text that is these parts in a row; no two literals or MANYs adjoin."""

    path: str
    parts: tuple[str | Hole, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """Items with a text that this regular expression matches as a whole."""

    path: str
    regular: Regular


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """Items with a text within 1 or 2 edits (optimal string alignment, code points)."""

    path: str
    text: str
    edits: int


@dataclass(frozen=True, slots=True)
class TextRange:
    """Items with a text between two others, by code point; None is open."""

    path: str
    low: str | None
    high: str | None
    include_low: bool
    include_high: bool


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Items with a number between two others, as doubles; None is open."""

    path: str
    low: float | None
    high: float | None
    include_low: bool
    include_high: bool


@dataclass(frozen=True, slots=True)
class DateRange:
    """Items with an instant between two others: a date text, or a number taken as ms."""

    path: str
    low: float | None
    high: float | None
    include_low: bool
    include_high: bool


@dataclass(frozen=True, slots=True)
class And:
    """Items that match every one; at least two."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Items that match any one; at least two."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Items that do not match."""

    plan: Plan


Leaf = (
    All | Exists | Terms | Prefix | Wildcard | Regex | Fuzzy | TextRange | NumberRange | DateRange
)
Plan = Leaf | And | Or | Not


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order: numbers first, then texts, then items with neither."""

    path: str
    descending: bool


def leaves(plan: Plan) -> Iterator[Leaf]:
    """Yield the leaves of a plan, in order; some perhaps more than once."""
    pending = [plan]
    while pending:
        match pending.pop():
            case And(plans) | Or(plans):
                pending.extend(reversed(plans))
            case Not(inner):
                pending.append(inner)
            case leaf:
                yield leaf
