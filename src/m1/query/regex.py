r"""Regular expressions: the subset that every engine reads alike, and its spellings.

    .  [abc]  [^a-z]  (…)  |  *  +  ?  {n}  {n,}  {n,m}  \d \w \s  \t \n \r  \ before punctuation

A pattern always covers the whole value, `.` and `[^…]` include line ends, and `\d \w \s`
are ASCII. The parsed form is a flat row of pieces, so no depth of parentheses can
exhaust a stack.
"""

from __future__ import annotations

import enum
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import re2

from m1.errors import BadQuery

MAX_LENGTH = 1_000
MAX_REPEAT = 1_000

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False

_PIECE = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[)|(?P<open>\()|(?P<close>\))|(?P<either>\|)|(?P<any>\.)"
    r"|(?P<repeat>[*+?]|\{[^{}]*\}?)|(?P<refused>[~&@#<>\"^$])|(?P<plain>.)",
    re.DOTALL,
)
_SET = re.compile(r"\[(\^?+)((?:[^\\]|\\.)(?:[^\]\\]|\\.)*+)\]", re.DOTALL)
_MEMBER = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)
_COUNTS = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")
_CLASSES = {"d": ("09",), "w": ("09", "AZ", "__", "az"), "s": ("\t\r", "  ")}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r"}


class Sign(enum.Enum):
    """A piece that is neither a character nor a repeat."""

    ANY = "."
    OPEN = "("
    CLOSE = ")"
    EITHER = "|"


class Set(NamedTuple):
    """One character out of some ranges (each a text of two), or out of all others."""

    ranges: tuple[str, ...]
    negated: bool = False


class Repeat(NamedTuple):
    """How often the piece before, or the group closed before, may stand."""

    low: int
    high: int | None


Piece = str | Sign | Set | Repeat


@dataclass(frozen=True, slots=True)
class Regular:
    """A regular expression, parsed; to be matched against whole values."""

    pieces: tuple[Piece, ...]

    def to_re2(self) -> str:
        """Write it for google-re2's full match."""
        return "(?s)" + "".join(_written(piece, "(?:", _in_re2) for piece in self.pieces)

    def to_lucene(self) -> str:
        """Write it for Lucene's `regexp` with `flags: NONE`."""
        return "".join(_written(piece, "(", _in_lucene) for piece in self.pieces)


def read(pattern: str, at: int = 1) -> Regular:
    """Parse a regular expression whose text begins at `at` of `q`, after its slash.

    Raises BadQuery for everything outside the subset, and where re2 refuses the size.
    """
    if len(pattern) > MAX_LENGTH:
        raise BadQuery(f"a regular expression may have at most {MAX_LENGTH} characters", at - 1)
    regular = Regular(tuple(_Reader(pattern, at).read()))
    try:
        re2.compile(regular.to_re2(), _OPTIONS)
    except re2.error:
        raise BadQuery("the regular expression is too complex", at - 1) from None
    return regular


class _Reader:
    """One pass over a pattern; every piece is judged by the one before it."""

    def __init__(self, pattern: str, at: int) -> None:
        self._pattern = pattern
        self._base = at
        self._pieces: list[Piece] = []
        self._depth = 0

    def read(self) -> list[Piece]:
        at = 0
        while at < len(self._pattern):
            found = _PIECE.match(self._pattern, at)
            assert found is not None
            at = getattr(self, f"_{found.lastgroup}")(found[0], at)
        if self._depth:
            raise self._error("'(' is not closed", at)
        self._refuse_empty(at)
        return self._pieces

    def _error(self, problem: str, at: int) -> BadQuery:
        return BadQuery("in the regular expression: " + problem, self._base + at)

    def _last(self) -> Piece | None:
        return self._pieces[-1] if self._pieces else None

    def _plain(self, text: str, at: int) -> int:
        self._pieces.append(text)
        return at + 1

    def _refused(self, text: str, at: int) -> int:
        why = " (a pattern covers the whole value anyway)" if text in "^$" else ""
        raise self._error(rf"'{text}' must be escaped: write \{text}{why}", at)

    def _any(self, text: str, at: int) -> int:
        self._pieces.append(Sign.ANY)
        return at + 1

    def _escape(self, text: str, at: int) -> int:
        meant = self._meant(text, at)
        self._pieces.append(Set(meant) if isinstance(meant, tuple) else meant)
        return at + 2

    def _meant(self, text: str, at: int) -> str | tuple[str, ...]:
        r"""Give the character of an escape or of itself; the ranges of `\d \w \s`."""
        character = text[-1]
        if len(text) == 1:
            return character
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character.isalnum():
            raise self._error(rf"'{text}' is not known (\d \w \s \t \n \r are)", at)
        return character

    def _set(self, text: str, at: int) -> int:
        found = _SET.match(self._pattern, at)
        if found is None:
            raise self._error("'[' is not closed", len(self._pattern))
        ranges: list[str] = []
        place, end = found.span(2)
        while place < end:
            member = _MEMBER.match(self._pattern, place, end)
            assert member is not None
            ranges += self._ranges(member, place)
            place = member.end()
        self._pieces.append(Set(tuple(ranges), found[1] == "^"))
        return found.end()

    def _ranges(self, member: re.Match[str], at: int) -> tuple[str, ...]:
        first = self._meant(member[1], at)
        if member[2] is None:
            return first if isinstance(first, tuple) else (first * 2,)
        last = self._meant(member[2], at)
        if isinstance(first, tuple) or isinstance(last, tuple) or first > last:
            raise self._error(f"'{member[0]}' is not a range of characters", at)
        return (first + last,)

    def _open(self, text: str, at: int) -> int:
        if self._pattern.startswith("(?", at):
            raise self._error("'(?' is not supported: a group is only (…)", at)
        self._pieces.append(Sign.OPEN)
        self._depth += 1
        return at + 1

    def _close(self, text: str, at: int) -> int:
        if not self._depth:
            raise self._error(r"')' without a matching '(' (write \) for the character)", at)
        if self._last() is Sign.EITHER:
            self._refuse_empty(at)
        self._pieces.append(Sign.CLOSE)
        self._depth -= 1
        return at + 1

    def _either(self, text: str, at: int) -> int:
        self._refuse_empty(at)
        self._pieces.append(Sign.EITHER)
        return at + 1

    def _refuse_empty(self, at: int) -> None:
        if self._last() in (None, Sign.OPEN, Sign.EITHER):
            raise self._error("an alternative beside '|' is empty (write (…)? instead)", at)

    def _repeat(self, text: str, at: int) -> int:
        last = self._last()
        if isinstance(last, Repeat):
            raise self._error(f"'{text}' cannot follow another repeat", at)
        if last in (None, Sign.OPEN, Sign.EITHER):
            raise self._error(rf"'{text}' has nothing to repeat (write \{text[0]})", at)
        self._pieces.append(self._counts(text, at))
        return at + len(text)

    def _counts(self, text: str, at: int) -> Repeat:
        if text[0] != "{":
            return Repeat(int(text == "+"), 1 if text == "?" else None)
        found = _COUNTS.fullmatch(text)
        if found is None:
            raise self._error(r"a repeat is written {n}, {n,} or {n,m} (write \{ for '{')", at)
        low = int(found[1])
        high = int(found[3]) if found[3] else None if found[2] else low
        if max(low, high or 0) > MAX_REPEAT or (high is not None and high < low):
            raise self._error(f"a repeat goes from a lower to a higher number, to {MAX_REPEAT}", at)
        return Repeat(low, high)


def _written(piece: Piece, group: str, quote: Callable[[str], str]) -> str:
    match piece:
        case str():
            return quote(piece)
        case Sign():
            return group if piece is Sign.OPEN else piece.value
        case Set(ranges, negated):
            members = "".join("-".join(map(quote, sorted(set(pair)))) for pair in ranges)
            return f"[{'^' * negated}{members}]"
        case Repeat(low, high):
            return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _in_re2(character: str) -> str:
    return character if character.isalnum() else f"\\x{{{ord(character):x}}}"


def _in_lucene(character: str) -> str:
    return "\\" + character if character in string.punctuation else character
