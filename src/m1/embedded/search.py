"""Carrying out a plan on one part of a space: which of its items match.

It is done in slices, between which everything else has its turn: the parts may grow
meanwhile, but what is live is of one moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pyroaring import BitMap

from m1.embedded.matching import Pattern, is_heavy, pieces
from m1.embedded.part import Part
from m1.embedded.part import Terms as PartTerms
from m1.longwork import Aside, Slices
from m1.query.plan import (
    All,
    And,
    DateRange,
    Exists,
    Fuzzy,
    Not,
    NumberRange,
    Or,
    Plan,
    Prefix,
    Regex,
    Terms,
    TextRange,
    Wildcard,
    leaves,
)

_TERMS_AT_ONCE = 200
_patterns = Aside("patterns")


def paths_of(plan: Plan) -> Iterator[str]:
    """Yield the paths whose values a plan asks for, some perhaps more than once."""
    for leaf in leaves(plan):
        match leaf:
            case All() | Exists():
                pass
            case Terms(terms):
                yield from {term.path for term in terms}
            case _:
                yield leaf.path


async def find(part: Part, live: BitMap, plan: Plan, slices: Slices) -> BitMap:
    """Give the docids among `live` that match a plan; the answer must not be changed."""
    return await _Search(part, live, slices).find(plan) & live


@dataclass(frozen=True, slots=True)
class _Search:
    part: Part
    live: BitMap
    slices: Slices

    async def find(self, plan: Plan) -> BitMap:
        """Give the docids that match, perhaps with dead ones among them."""
        if self.slices.are_due:
            await self.slices.rest()
        match plan:
            case All():
                return self.live
            case And(plans):
                return await self._all_of(plans)
            case Or(plans):
                return BitMap.union(*[await self.find(inner) for inner in plans])
            case Not(inner):
                return self.live - await self.find(inner)
            case Exists(path):
                return self.part.existing(path)
            case Terms(terms):
                return await self._any_of(terms)
            case _:
                terms_there = self.part.terms_at(plan.path)
                return _NONE if terms_there is None else await self._at_path(terms_there, plan)

    async def _all_of(self, plans: Iterable[Plan]) -> BitMap:
        found: BitMap | None = None
        for plan in sorted(plans, key=_cost):
            inner = await self.find(plan)
            found = inner if found is None else found & inner
            if not found:
                break
        return _NONE if found is None else found

    async def _any_of(self, terms: Iterable[tuple[str, str]]) -> BitMap:
        texts: defaultdict[str, list[str]] = defaultdict(list)
        for path, text in terms:
            texts[path].append(text)
        found: list[BitMap] = []
        for path, some in texts.items():
            if self.slices.are_due:
                await self.slices.rest()
            terms_there = self.part.terms_at(path)
            if terms_there is None:
                continue
            for piece in pieces(len(some), _TERMS_AT_ONCE):
                numbers = map(terms_there.number_of, some[piece.start : piece.stop])
                found.append(terms_there.having([n for n in numbers if n is not None]))
                if self.slices.are_due:
                    await self.slices.rest()
        return found[0] if len(found) == 1 else BitMap.union(_NONE, *found)

    async def _at_path(self, terms: PartTerms, plan: Plan) -> BitMap:
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
                return await self._matching(terms, plan)
            case _:
                raise AssertionError(plan)

    async def _matching(self, terms: PartTerms, pattern: Pattern) -> BitMap:
        numbers: list[int] = []
        found = terms.matching(pattern)
        if is_heavy(pattern):
            while (some := await _patterns.do(next, found, None)) is not None:
                numbers += some
            return terms.having(numbers)
        for some in found:
            numbers += some
            if self.slices.are_due:
                await self.slices.rest()
        return terms.having(numbers)


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
