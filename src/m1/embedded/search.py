"""Carrying out a plan on one part of a space: which of its items match."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyroaring import BitMap

from m1.embedded.matching import Pattern
from m1.embedded.part import Part
from m1.embedded.part import Terms as PartTerms
from m1.query.plan import (
    All,
    And,
    DateRange,
    Exists,
    Fuzzy,
    Leaf,
    Not,
    NumberRange,
    Or,
    Plan,
    Prefix,
    Regex,
    Terms,
    TextRange,
    Wildcard,
)

Matched = Mapping[Pattern, Sequence[int]]
"""The numbers of the texts that a pattern matches, where that was found out beforehand."""


def patterns_of(plan: Plan) -> Iterator[Pattern]:
    """Yield the patterns of a plan: the leaves whose cost grows with a path's texts."""
    return (leaf for leaf in _leaves_of(plan) if isinstance(leaf, Wildcard | Regex | Fuzzy))


def paths_of(plan: Plan) -> Iterator[str]:
    """Yield the paths whose values a plan asks for, some perhaps more than once."""
    for leaf in _leaves_of(plan):
        match leaf:
            case All() | Exists():
                pass
            case Terms(terms):
                yield from {term.path for term in terms}
            case _:
                yield leaf.path


def _leaves_of(plan: Plan) -> Iterator[Leaf]:
    match plan:
        case And(plans) | Or(plans):
            for inner in plans:
                yield from _leaves_of(inner)
        case Not(inner):
            yield from _leaves_of(inner)
        case _:
            yield plan


def find(part: Part, live: BitMap, plan: Plan, matched: Matched) -> BitMap:
    """Give the docids among `live` that match a plan; the answer must not be changed."""
    return _Search(part, live, matched).find(plan) & live


@dataclass(frozen=True, slots=True)
class _Search:
    part: Part
    live: BitMap
    matched: Matched

    def find(self, plan: Plan) -> BitMap:
        """Give the docids that match, perhaps with dead ones among them."""
        match plan:
            case All():
                return self.live
            case And(plans):
                return self._all_of(plans)
            case Or(plans):
                return BitMap.union(*map(self.find, plans))
            case Not(inner):
                return self.live - self.find(inner)
            case Exists(path):
                return self.part.existing(path)
            case Terms(terms):
                return self._any_of(terms)
            case _:
                terms_there = self.part.terms_at(plan.path)
                return _NONE if terms_there is None else self._at_path(terms_there, plan)

    def _all_of(self, plans: Iterable[Plan]) -> BitMap:
        found: BitMap | None = None
        for plan in sorted(plans, key=_cost):
            inner = self.find(plan)
            found = inner if found is None else found & inner
            if not found:
                break
        return _NONE if found is None else found

    def _any_of(self, terms: Iterable[tuple[str, str]]) -> BitMap:
        texts: defaultdict[str, list[str]] = defaultdict(list)
        for path, text in terms:
            texts[path].append(text)
        found: list[BitMap] = []
        for path, some in texts.items():
            terms_there = self.part.terms_at(path)
            if terms_there is not None:
                numbers = [terms_there.number_of(text) for text in some]
                found.append(terms_there.having([n for n in numbers if n is not None]))
        return found[0] if len(found) == 1 else BitMap.union(_NONE, *found)

    def _at_path(self, terms: PartTerms, plan: Plan) -> BitMap:
        match plan:
            case NumberRange(_, low, high, with_low, with_high):
                return terms.numbers.between(low, high, with_low, with_high)
            case DateRange(_, low, high, with_low, with_high):
                return terms.numbers.between(low, high, with_low, with_high) | (
                    terms.dates.between(low, high, with_low, with_high)
                )
            case TextRange(_, low, high, with_low, with_high):
                return terms.having(terms.between(low, high, with_low, with_high))
            case Prefix(_, head):
                return terms.having(terms.starting(head))
            case Wildcard() | Regex() | Fuzzy():
                known = self.matched.get(plan)
                return terms.having(terms.matching(plan) if known is None else known)
            case _:
                raise AssertionError(plan)


_NONE = BitMap()


def _cost(plan: Plan) -> int:
    """Rank a plan for `And`, the cheap and the choosy first."""
    match plan:
        case Terms() | Exists() | All():
            return 0
        case Not(inner):
            return _cost(inner)
        case NumberRange() | DateRange():
            return 1
        case And(plans) | Or(plans):
            return max(map(_cost, plans))
        case _:
            return 2
