"""From what a query says to what it means: the tree becomes a plan.

The only outside fact is `now`. Lucene's clause rule, the classes of a range's ends and
the other spellings of a number are settled here, so that every engine is spared them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from m1.errors import BadQuery
from m1.query import plan, regex, tree
from m1.query.dates import Date, Day, Number, read_end
from m1.query.escapes import holes
from m1.steps import Steps, at_once
from m1.values import DAY_MS, canonical_number

MAX_LEAVES = 1_000
MAX_EDITS = 2


def resolve(node: tree.Node, now: int) -> plan.Plan:
    """Give the plan of a tree at the moment `now`, in milliseconds.

    Raises BadQuery where more than 1,000 leaves remain after lists of terms are merged,
    and for a date outside the years 1 to 9999.
    """
    return at_once(resolving(node, now))


def resolving(node: tree.Node, now: int) -> Steps[plan.Plan]:
    """Give the plan of a tree step by step; see `resolve`."""
    whole = yield from _plan(node, now)
    if sum(1 for _ in plan.leaves(whole)) > MAX_LEAVES:
        raise BadQuery(
            f"q has more than {MAX_LEAVES} conditions that do not merge into lists of terms"
        )
    return whole


def _plan(node: tree.Node, now: int) -> Steps[plan.Plan]:
    if isinstance(node, tree.Group):
        return (yield from _group(node, now))
    yield
    return _leaf(node, now)


def _group(group: tree.Group, now: int) -> Steps[plan.Plan]:
    """Apply the clause rule: a must makes every should idle, nothing but nots starts from all."""
    nodes: dict[str, list[tree.Node]] = {"": [], "+": [], "-": []}
    for clause in group.clauses:
        nodes[clause.mark].append(clause.node)
    needed: list[plan.Plan] = []
    for node in nodes["+"]:
        needed += ((yield from _plan(node, now)),)
    if not needed and nodes[""]:
        needed = [(yield from _any(nodes[""], now))]
    if nodes["-"]:
        needed.append(_not((yield from _any(nodes["-"], now))))
    return _all(needed)


def _not(inner: plan.Plan) -> plan.Plan:
    return inner.plan if isinstance(inner, plan.Not) else plan.Not(inner)


def _all(plans: Iterable[plan.Plan]) -> plan.Plan:
    flat: list[plan.Plan] = []
    for one in plans:
        flat.extend(one.plans if isinstance(one, plan.And) else (one,))
    return flat[0] if len(flat) == 1 else plan.And(tuple(flat))


def _any(nodes: list[tree.Node], now: int) -> Steps[plan.Plan]:
    """Join alternatives; all their terms become one leaf, where the first of them stood."""
    flat: list[plan.Plan] = []
    terms: dict[plan.Term, None] = {}
    place = -1
    for node in _alternatives(nodes):
        for part in (yield from _parts(node, now)):
            if not isinstance(part, plan.Term):
                flat.append(part)
                continue
            if not terms:
                place = len(flat)
                flat.append(plan.Terms(()))
            terms[part] = None
    if terms:
        flat[place] = plan.Terms(tuple(terms))
    return flat[0] if len(flat) == 1 else plan.Or(tuple(flat))


def _alternatives(nodes: list[tree.Node]) -> Iterator[tree.Node]:
    """Yield the nodes, and in place of a group of alternatives its own, in their order."""
    pending = nodes[::-1]
    while pending:
        node = pending.pop()
        if isinstance(node, tree.Group) and not any(clause.mark for clause in node.clauses):
            pending.extend(clause.node for clause in reversed(node.clauses))
        else:
            yield node


def _parts(node: tree.Node, now: int) -> Steps[Iterable[plan.Plan | plan.Term]]:
    """Give the alternatives that a node means, terms bare."""
    if isinstance(node, tree.Term):
        yield
        return _spellings(node.path, node.text)
    whole = yield from _plan(node, now)
    parts = whole.plans if isinstance(whole, plan.Or) else (whole,)
    return chain.from_iterable(
        part.terms if isinstance(part, plan.Terms) else (part,) for part in parts
    )


def _leaf(leaf: tree.Leaf, now: int) -> plan.Leaf:
    match leaf:
        case tree.Term(path, text):
            return plan.Terms(_spellings(path, text))
        case tree.Prefix(path, text):
            return plan.Prefix(path, text)
        case tree.Wildcard(path, pattern):
            return _wildcard(path, pattern)
        case tree.Regex(path, pattern):
            return plan.Regex(path, regex.read(pattern))
        case tree.Fuzzy(path, text, edits):
            return _fuzzy(path, text, edits)
        case tree.Exists(path):
            return plan.Exists(path)
        case tree.Range():
            return _range(leaf, now)
        case tree.All():
            return plan.All()


def _spellings(path: str, text: str) -> tuple[plan.Term, ...]:
    """Give the text, and the canonical text where it is a number in another spelling."""
    number = canonical_number(text)
    if number is None or number == text:
        return (plan.Term(path, text),)
    return (plan.Term(path, text), plan.Term(path, number))


def _wildcard(path: str, pattern: str) -> plan.Leaf:
    parts: list[str | plan.Hole] = []
    for hole, text in holes(pattern):
        part = plan.Hole(hole) if hole else text
        if part is not plan.Hole.MANY or parts[-1:] != [part]:
            parts.append(part)
    match parts:
        case [str(text)]:
            return plan.Terms((plan.Term(path, text),))
        case [str(text), plan.Hole.MANY]:
            return plan.Prefix(path, text)
        case _:
            return plan.Wildcard(path, tuple(parts))


def _fuzzy(path: str, text: str, edits: float) -> plan.Leaf:
    """Read `~n` as n edits, `~0.x` as the share of the word that must stay; 2 at most."""
    allowed = edits if edits >= 1 or edits == 0 else (1 - edits) * len(text)
    if allowed < 1:
        return plan.Terms((plan.Term(path, text),))
    return plan.Fuzzy(path, text, min(MAX_EDITS, int(allowed)))


def _range(leaf: tree.Range, now: int) -> plan.Leaf:
    if leaf.low is None and leaf.high is None:
        return plan.Exists(leaf.path)
    low = None if leaf.low is None else read_end(leaf.low)
    high = None if leaf.high is None else read_end(leaf.high)
    include_low = leaf.include_low or low is None
    include_high = leaf.include_high or high is None
    if isinstance(low, str) or isinstance(high, str):
        return plan.TextRange(leaf.path, leaf.low, leaf.high, include_low, include_high)
    if isinstance(low, Day | Date) or isinstance(high, Day | Date):
        from_, include_low = _from(low, include_low, now)
        to, include_high = _to(high, include_high, now)
        return plan.DateRange(leaf.path, from_, to, include_low, include_high)
    return plan.NumberRange(leaf.path, _number(low), _number(high), include_low, include_high)


Instants = Number | Day | Date | None


def _number(end: Instants) -> float | None:
    return end.value if isinstance(end, Number) else None


def _from(end: Instants, included: bool, now: int) -> tuple[float | None, bool]:
    """Give a lower end in milliseconds; a day that is left out ends where the next begins."""
    if isinstance(end, Day):
        return float(end.start if included else end.start + DAY_MS), True
    return _instant(end, now), included


def _to(end: Instants, included: bool, now: int) -> tuple[float | None, bool]:
    """Give an upper end in milliseconds; a day that is included runs to the next."""
    if isinstance(end, Day):
        return float(end.start + DAY_MS if included else end.start), False
    return _instant(end, now), included


def _instant(end: Number | Date | None, now: int) -> float | None:
    match end:
        case Date():
            return float(end.instant(now))
        case Number(value):
            return value
        case None:
            return None
