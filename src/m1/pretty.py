"""Answers made readable: JSON with line breaks as it streams by, and nothing a terminal obeys."""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r'\s++|[{}\[\],:"]|[^\s"{}\[\],:]++')
_INSIDE = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Write what a terminal would obey instead of showing it as JSON escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Pretty:
    """Feed it JSON text in pieces of any size; it gives back the text with line breaks."""

    def __init__(self) -> None:
        self._level = 0
        self._begun = False
        self._in_text = False
        self._held = ""

    def feed(self, text: str) -> str:
        """Give what can be shown so far: all, but for an escape that is cut in two."""
        text, self._held = self._held + text, ""
        shown: list[str] = []
        at = 0
        while at < len(text):
            if self._in_text:
                found = _INSIDE.match(text, at)
                assert found is not None
                at = found.end()
                shown.append(found[0])
                if text[at:] == "\\":
                    self._held = "\\"
                    break
                if at < len(text):
                    self._in_text = False
                    shown.append('"')
                    at += 1
            else:
                found = _OUTSIDE.match(text, at)
                assert found is not None
                at = found.end()
                shown.append(self._outside(found[0]))
        return "".join(shown)

    def end(self) -> str:
        """Give what still waited, and end the line."""
        return self._held + "\n"

    def _outside(self, token: str) -> str:
        if token.isspace():
            return ""
        if token in "}]":
            self._level -= 1
            before = "" if self._begun else self._line()
            self._begun = False
            return before + token
        if token == ",":
            return "," + self._line()
        if token == ":":
            return ": "
        before = self._line() if self._begun else ""
        self._begun = token in "{["
        self._in_text = token == '"'
        if self._begun:
            self._level += 1
        return before + token

    def _line(self) -> str:
        return "\n" + "  " * self._level
