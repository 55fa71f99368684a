r"""The backslash in queries: `\x` is the character x, `\uXXXX` a UTF-16 unit.

`unescape` and `holes` read it; `as_word` and `as_quoted` write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m1.errors import BadQuery

SPACES = " \t\n\r\u3000"
SHOWN = 40

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HOLE_OR_TEXT = re.compile(r"[*?]|(?:[^*?\\]|\\.)++", re.DOTALL)
_SPECIAL = re.compile(rf'[{SPACES}+\-!():^\[\]"{{}}~*?\\/]')
_TAKEN = re.compile(r"(?:AND|OR|NOT|&&|\|\||_query_|_val_)\Z|[<>]")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@,;=%-]*+")


def unescape(raw: str, at: int) -> str:
    r"""Give the text that a word means; raises BadQuery, at `at`, for a bad `\u`."""
    if "\\" not in raw:
        return raw
    text = _ESCAPE.sub(lambda escape: _character(escape, at), raw)
    if _SURROGATE.search(text) is None:
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise BadQuery(r"\u escape is half of a surrogate pair", at) from None


def _character(escape: re.Match[str], at: int) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    if escape[2] == "u":
        raise BadQuery(r"\u must be followed by four hexadecimal digits", at)
    return escape[2]


def holes(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a wildcard in order: ("*", ""), ("?", "") or ("", literal text)."""
    for part in _HOLE_OR_TEXT.findall(pattern):
        yield (part, "") if part in ("*", "?") else ("", unescape(part, 0))


def as_word(text: str) -> str:
    """Write a text that is not empty as an unquoted word."""
    word = _SPECIAL.sub(r"\\\g<0>", text)
    return "\\" + word if _TAKEN.match(text) else word


def as_quoted(text: str) -> str:
    """Write a text as a value: bare where nothing in it could mislead, else in quotes."""
    if _PLAIN.fullmatch(text) and not _TAKEN.match(text) and text != "TO":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def shown(text: str) -> str:
    """Shorten a client's text for an error message."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
