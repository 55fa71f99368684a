"""From the text of `q` to its plan, in steps between which others can have their turn."""

from __future__ import annotations

from m1.query import plan
from m1.query.parser import parsing
from m1.query.resolve import resolving
from m1.steps import Steps


def planning(q: str, now: int) -> Steps[plan.Plan]:
    """Parse and resolve; raises BadQuery."""
    tree = yield from parsing(q)
    return (yield from resolving(tree, now))
