"""One level of parentheses while it is being read, and Lucene's clause rule within it."""

from __future__ import annotations

from m1.errors import BadQuery
from m1.query.escapes import shown
from m1.query.tree import Clause, Group, Mark, Node

EVERY_PATH = ""  # the path of `*:`; no text names the empty path

_MARKS: dict[str, Mark] = {"": "", "+": "+", "-": "-", "!": "-", "NOT": "-"}
_AND = ("AND", "&&")


class Level:
    """The clauses so far, and the words that wait for the next one."""

    __slots__ = ("at", "clauses", "conjunction", "inherited", "mod", "mod_at", "name")

    def __init__(self, inherited: str | None, at: int) -> None:
        self.inherited = inherited
        self.at = at
        self.name: str | None = None
        self.conjunction = self.mod = ""
        self.mod_at = 0
        self.clauses: list[Clause] = []

    @property
    def path(self) -> str | None:
        """The path that a value here belongs to, None where none was named."""
        return self.inherited if self.name is None else self.name

    def add(self, node: Node) -> None:
        """Append a clause; AND makes it and the one on its left a must, OR changes nothing."""
        mark = _MARKS[self.mod]
        if self.conjunction in _AND:
            mark = mark or "+"
            last = self.clauses[-1]
            self.clauses[-1] = last if last.mark else Clause("+", last.node)
        self.clauses.append(Clause(mark, node))
        self.name = None
        self.conjunction = self.mod = ""

    def conjoin(self, operator: str, at: int) -> None:
        """Take AND or OR; raises BadQuery where no condition stands before it."""
        if self.mod or self.conjunction:
            raise BadQuery(f"'{operator}' cannot follow another operator", at)
        if not self.clauses:
            raise BadQuery(f"'{operator}' needs a condition on its left", at)
        self.conjunction = operator

    def modify(self, operator: str, at: int) -> None:
        """Take `+`, `-`, `!` or NOT; raises BadQuery after another of them."""
        if self.mod:
            raise BadQuery(f"'{operator}' cannot follow another operator", at)
        self.mod, self.mod_at = operator, at

    def refuse_waiting(self, at: int) -> None:
        """Raise BadQuery where a name or an operator still waits for its condition at `at`."""
        if self.name is not None:
            raise BadQuery(f"a value is expected after '{shown(self.name or '*')}:'", at)
        if self.mod:
            raise BadQuery(f"'{self.mod}' must be followed by a condition", self.mod_at)
        if self.conjunction:
            raise BadQuery(f"'{self.conjunction}' must be followed by a condition", at)

    def replace_last(self, node: Node) -> None:
        """Put another node in the place of the one that was added last."""
        self.clauses[-1] = Clause(self.clauses[-1].mark, node)

    def close(self) -> Node:
        """Give what was read; a level of one unmarked clause is that clause."""
        if len(self.clauses) == 1 and not self.clauses[0].mark:
            return self.clauses[0].node
        return Group(tuple(self.clauses))
