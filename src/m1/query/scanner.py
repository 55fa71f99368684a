r"""The tokens of `q`: one compiled pattern, and small ones for the shapes of values.

Every repetition is possessive. What has been read is never tried again in another way,
so no text takes longer than its length. The commonest clause, a plain word at a plain
path, is one token ("plain"): that is only for speed.
"""

from __future__ import annotations

import re

from m1.errors import BadQuery
from m1.query.escapes import SPACES

_SPACE = f"[{SPACES}]*+"
_INSIDE = rf'(?:[^{SPACES}():^\[\]"{{}}~*?\\]|\\.)'
_START = rf'(?:[^{SPACES}+\-!():^\[\]"{{}}~*?\\/]|\\.)'
_PLAIN_PATH = r"(?!_query_:|_val_:)[A-Za-z0-9_][A-Za-z0-9_.]*+"
_PLAIN_TEXT = r"[A-Za-z0-9_][A-Za-z0-9_.@-]*+"
_QUOTED = r'"(?P<quoted>(?:[^"\\]|\\.)*+)"'

TOKEN = re.compile(
    rf"{_SPACE}(?:(?P<path>{_PLAIN_PATH}):(?P<plain>{_PLAIN_TEXT})(?={_SPACE}(?:[)A-Za-z0-9]|\Z))"
    r"|(?P<filter>filter\()"
    rf"|(?P<text>(?:{_START}|[*?])(?:{_INSIDE}|[*?])*+)(?P<colon>{_SPACE}:)?"
    rf"|{_QUOTED}"
    r"|(?P<comment>/\*)"
    r"|/(?P<regex>(?:[^*/\\]|\\.)(?:[^/\\]|\\.)*+)/"
    r"|(?P<symbol>.))",
    re.DOTALL,
)
NEGATIVE = re.compile(rf"-[0-9](?:{_INSIDE}|[*?])*+(?P<colon>{_SPACE}:)?", re.DOTALL)
VALUE_IN_QUOTES = re.compile(_QUOTED, re.DOTALL)
BOOST = re.compile(r"\^=?-?[0-9]+(?:\.[0-9]+)?")
EDITS = re.compile(r"~([0-9]+(?:\.[0-9]+)?)?")
PREFIX = re.compile(r"((?:[^*?\\]|\\.)++)\*", re.DOTALL)
LITERAL = re.compile(r"(?:[^*?\\]|\\.)++", re.DOTALL)
GLUED = re.compile(rf"(?!/\*)(?:{_INSIDE}|[*?])", re.DOTALL)

_BLANK_BEFORE_COMMENT = re.compile(rf"{_SPACE}/\*")
_BLANK_BEFORE_COLON = re.compile(rf"{_SPACE}:")
_COMMENT_MARK = re.compile(r"/\*|\*/")


def end_of_comment(q: str, start: int) -> int:
    """Give the place after the comment that `start` opens; raises BadQuery if it has no end."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(q, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise BadQuery("the comment opened here with /* is not closed", start)


def colon_after_comments(q: str, at: int) -> int | None:
    """Give the place after a colon that only comments keep from the word before it."""
    while (comment := _BLANK_BEFORE_COMMENT.match(q, at)) is not None:
        at = end_of_comment(q, comment.end() - 2)
    colon = _BLANK_BEFORE_COLON.match(q, at)
    return None if colon is None else colon.end()
