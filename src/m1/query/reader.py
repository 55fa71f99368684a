"""One pass over the tokens of a query, with a stack of levels for the parentheses."""

from __future__ import annotations

from collections.abc import Callable
from re import Match

from m1.errors import BadQuery
from m1.query import regex, tree
from m1.query.escapes import SPACES, unescape
from m1.query.levels import Level
from m1.query.ranges import read_comparison, read_range, refuse_wildcard_after
from m1.query.scanner import (
    BOOST,
    EDITS,
    GLUED,
    NEGATIVE,
    TOKEN,
    colon_after_comments,
    end_of_comment,
)
from m1.query.words import EVERY_PATH, leaf_of, path_of
from m1.steps import Steps

MAX_CONDITIONS = 65_536
MAX_REGEXES = 1_000
"""More would be too many leaves anyway, and compiling each takes a millisecond."""
MAX_LEVELS = 100

Token = Match[str]

_OPERATORS = frozenset(("AND", "&&", "OR", "||", "NOT"))
_SPACES = frozenset(SPACES)
_BOOSTED = "="  # stands in the suffixes for a `^` that was used
_COLON_IN_VALUE = "a value with ':' must be quoted (property:\"value\") or the ':' escaped (\\:)"
_STRAY = {
    ":": "a property name is expected before ':'",
    '"': "the quote opened here is not closed",
    "/": "a value that begins with '/' is read as a regular expression: "
    "quote the value or write \\/",
    "\\": "a backslash must be followed by the character it escapes",
}


class Reader:
    """Makes the tree of one query; every BadQuery holds the bare problem and its place."""

    def __init__(self, q: str) -> None:
        self._q = q
        self._at = 0
        self._level = Level(None, 0)
        self._outer: list[Level] = []
        self._conditions = 0
        self._regexes = 0
        self._suffixes = ""  # those of `~` and `^` that may still follow what was read last
        self._is_word = False  # what was read last: `~` makes only a word fuzzy
        self._has_comments = "/*" in q

    def read(self) -> Steps[tree.Node]:
        """Read the whole query, a token a step; raises BadQuery."""
        match, q, handlers = TOKEN.match, self._q, _HANDLERS
        while (token := match(q, self._at)) is not None:
            self._at = token.end()
            handlers[token.lastgroup](self, token)
            yield
        return self._end()

    def _end(self) -> tree.Node:
        self._level.refuse_waiting(len(self._q))
        if self._outer:
            raise BadQuery("'(' is not closed", self._level.at)
        if not self._level.clauses:
            raise BadQuery("the query is empty (write * for all items)")
        return self._level.close()

    def _comment(self, token: Token) -> None:
        self._at = end_of_comment(self._q, token.start("comment"))

    def _symbol(self, token: Token) -> None:
        symbol, at = token["symbol"], token.start("symbol")
        match symbol:
            case "(":
                self._open(token)
            case ")":
                self._close(at)
            case "+" | "-" | "!":
                self._modifier(symbol, at)
            case "[" | "{":
                self._range(at)
            case "^":
                self._boost(at)
            case "~":
                self._edits(at)
            case _:
                raise BadQuery(_STRAY.get(symbol, _not_expected(symbol)), at)

    # names, operators and parentheses

    def _name(self, token: Token) -> None:
        self._named(token["text"], token.start("text"), token.end() - 1)

    def _named(self, raw: str, at: int, colon: int) -> None:
        if raw in _OPERATORS:
            self._operator(raw, at)
            raise BadQuery(_STRAY[":"], colon)
        if self._level.name is not None:
            raise BadQuery(_COLON_IN_VALUE, colon)
        self._level.name = path_of(raw, at)
        self._suffixes = ""

    def _operator(self, operator: str, at: int) -> None:
        if self._level.name is not None:
            raise BadQuery(
                "a value is expected after the property name, found the operator "
                f"'{operator}' (quote it to search for the word)",
                at,
            )
        if operator == "NOT":
            self._level.modify(operator, at)
        else:
            self._level.conjoin(operator, at)
        self._suffixes = ""

    def _modifier(self, symbol: str, at: int) -> None:
        if self._level.name is not None:
            self._negative(symbol, at)
            return
        if symbol != "!" and self._q[at + 1 : at + 2] in _SPACES:
            raise BadQuery(
                f"'{symbol}' must stand directly before its condition "
                f"(write \\{symbol} for the character)",
                at,
            )
        self._level.modify(symbol, at)
        self._suffixes = ""

    def _negative(self, symbol: str, at: int) -> None:
        number = NEGATIVE.match(self._q, at)
        if number is None:
            raise BadQuery(
                f"a value cannot begin with '{symbol}' (write \\{symbol} or quote it)", at
            )
        if number["colon"]:
            raise BadQuery(_COLON_IN_VALUE, number.end() - 1)
        self._at = number.end()
        self._word(number[0], at)

    def _open(self, token: Token) -> None:
        at = token.end() - 1
        if len(self._outer) == MAX_LEVELS:
            raise BadQuery(f"parentheses are nested deeper than {MAX_LEVELS} levels", at)
        self._outer.append(self._level)
        self._level = Level(self._level.path, at)
        self._suffixes = ""

    def _close(self, at: int) -> None:
        self._level.refuse_waiting(at)
        if not self._outer:
            raise BadQuery("')' without a matching '('", at)
        if not self._level.clauses:
            raise BadQuery("empty parentheses: a condition is expected", at)
        node = self._level.close()
        self._level = self._outer.pop()
        self._level.add(node)
        self._suffixes = "^"

    # values

    def _plain(self, token: Token) -> None:
        path, text = token.group("path", "plain")
        if text in _OPERATORS or path in _OPERATORS or self._level.name is not None:
            self._at = token.start("plain")
            self._named(path, token.start("path"), self._at - 1)
        else:
            self._add(tree.Term(path, text), token.start("plain"), "~^", is_word=True)

    def _text(self, token: Token) -> None:
        raw, at = token["text"], token.start("text")
        if raw in _OPERATORS:
            self._operator(raw, at)
        elif self._has_comments and (colon := colon_after_comments(self._q, self._at)):
            self._at = colon
            self._named(raw, at, colon - 1)
        else:
            self._word(raw, at)

    def _word(self, raw: str, at: int) -> None:
        if raw == "*":
            path = self._level.path
            self._add(tree.Exists(path) if path else tree.All(), at, "~^")
            return
        path = self._path(at, raw)
        if raw[0] in "<>":
            comparison, self._at = read_comparison(self._q, raw, at, path)
            self._add(comparison, at, "^")
        else:
            self._add(leaf_of(path, raw, at), at, "~^", is_word=True)

    def _quoted(self, token: Token) -> None:
        at = token.start("quoted") - 1
        self._add(tree.Term(self._path(at), unescape(token["quoted"], at)), at, "~^")
        refuse_wildcard_after(self._q, self._at, "a quoted value")

    def _regex(self, token: Token) -> None:
        at, pattern = token.start("regex") - 1, token["regex"]
        path = self._path(at)
        if GLUED.match(self._q, self._at):
            raise BadQuery(_STRAY["/"], at)
        self._regexes += 1
        if self._regexes > MAX_REGEXES:
            raise BadQuery(f"the query has more than {MAX_REGEXES} regular expressions", at)
        regex.read(pattern, at + 1)
        self._add(tree.Regex(path, pattern), at, "~^")

    def _range(self, at: int) -> None:
        if self._q.startswith("{!", at):
            raise BadQuery("local parameters {!...} are not supported", at)
        node, self._at = read_range(self._q, at, self._path(at))
        self._add(node, at, "^")
        refuse_wildcard_after(self._q, self._at, "a range")

    def _path(self, at: int, raw: str = "") -> str:
        """Give the path of the value at `at`."""
        path = self._level.path
        if path is None:
            hint = " (operators are written in capital letters: AND, OR, NOT)"
            needed = "a condition needs a property name, as in property:value"
            raise BadQuery(needed + hint * (raw.lower() in ("and", "or", "not")), at)
        if path is EVERY_PATH:
            raise BadQuery("the property name '*' can only be used in *:*", at)
        return path

    def _add(self, node: tree.Node, at: int, suffixes: str, is_word: bool = False) -> None:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise BadQuery(f"the query has more than {MAX_CONDITIONS} conditions", at)
        self._level.add(node)
        self._suffixes = suffixes
        self._is_word = is_word

    # what may follow a value

    def _boost(self, at: int) -> None:
        if _BOOSTED in self._suffixes:
            raise BadQuery("only one '^' is allowed", at)
        if "^" not in self._suffixes:
            raise BadQuery(_not_expected("^"), at)
        boost = BOOST.match(self._q, at)
        if boost is None:
            raise BadQuery("'^' must be followed by a number (write \\^ for the character)", at)
        self._at = boost.end()
        self._suffixes = self._suffixes.replace("^", _BOOSTED)

    def _edits(self, at: int) -> None:
        if "~" not in self._suffixes:
            raise BadQuery(_not_expected("~"), at)
        edits = EDITS.match(self._q, at)
        assert edits is not None
        self._at = edits.end()
        self._suffixes = self._suffixes.replace("~", "")
        word = self._level.clauses[-1].node
        if self._is_word and isinstance(word, tree.Term):
            number = float(edits[1] or 2)
            if number > 1 and not number.is_integer():
                raise BadQuery("the number after '~' must be 0, 1 or 2", at)
            self._level.replace_last(tree.Fuzzy(word.path, word.text, number))


def _not_expected(symbol: str) -> str:
    return f"'{symbol}' is not expected here (write \\{symbol} for the character)"


_HANDLERS: dict[str | None, Callable[[Reader, Token], None]] = {
    "plain": Reader._plain,
    "filter": Reader._open,
    "text": Reader._text,
    "colon": Reader._name,
    "quoted": Reader._quoted,
    "comment": Reader._comment,
    "regex": Reader._regex,
    "symbol": Reader._symbol,
}
