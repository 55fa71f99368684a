"""The formats of files: one item a line, a JSON array, a table; which one it is, is found out."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from m1.transfer import tables
from m1.transfer.lines import MAX_BYTES, Broken, Line, lines_of
from m1.transfer.packing import ENDINGS

_BY_ENDING = {".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json", ".csv": "csv"}
FORMATS = tuple(dict.fromkeys(_BY_ENDING.values()))
_HEAD_BYTES = 256 * 1024
"""Where so much begins with nothing but spaces, there is no array behind them."""
_SPACE = re.compile(r"[ \t\r\n]*")
_raw_decode = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def named(name: str) -> tuple[str, str]:
    """Give the format and the packing that a file's name says, "" where it says none."""
    endings = Path(name).suffixes
    packing = endings.pop() if endings and endings[-1] in ENDINGS else ""
    return _BY_ENDING.get(endings[-1], "") if endings else "", packing


def read(chunks: Iterator[bytes], form: str) -> Iterator[Line]:
    """Read items of a format; without one, that of the first character. Raises Broken."""
    head = b""
    while len(head) < _HEAD_BYTES and not head.strip() and (chunk := next(chunks, b"")):
        head += chunk
    head = head.removeprefix(codecs.BOM_UTF8)
    form = form or ("json" if head.lstrip().startswith(b"[") else "ndjson")
    return _READERS[form](chain([head], chunks))


def written(lines: Iterator[bytes], form: str, folder: Path) -> Iterator[bytes]:
    """Give the bytes of a file of items; a table needs room in `folder` meanwhile."""
    match form:
        case "json":
            return _array(lines)
        case "csv":
            return tables.written(lines, folder)
        case _:
            return (line + b"\n" for line in lines)


def _array(lines: Iterator[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for line in lines:
        yield before + line
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _read_lines(chunks: Iterator[bytes]) -> Iterator[Line]:
    for number, line in enumerate(lines_of(chunks), 1):
        if line and not line.isspace():
            yield Line(number, line, line)


def _read_array(chunks: Iterator[bytes]) -> Iterator[Line]:
    """Read the items of a JSON array, each when it is there: the array may be of any size."""
    text = _Text(chunks)
    if text.next() != "[":
        raise Broken("this is no JSON array: it does not begin with [")
    text.at += 1
    number, is_over = 0, text.next() == "]"
    while not is_over:
        number += 1
        item = text.value(number)
        yield Line(number, item, item.replace(b"\n", b" ").replace(b"\r", b" "))
        mark = text.next()
        if mark not in ("]", ","):
            raise Broken(f"behind item {number:,} the JSON array cannot be read on")
        is_over = mark == "]"
        if not is_over:
            text.at += 1
            text.next()
    text.at += 1
    if text.next():
        raise Broken("there is something behind the end of the JSON array")


class _Text:
    """A text of which only what is being read is in memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.at = 0
        self._text = ""
        self._more = codecs.iterdecode(chunks, "utf-8")

    def next(self) -> str:
        """Go to the next character that is no space, and give it; "" at the end."""
        while True:
            found = _SPACE.match(self._text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._fill():
                return ""

    def value(self, number: int) -> bytes:
        """Read the value here, and give its text; `number` is for what is raised."""
        while True:
            try:
                end = _raw_decode(self._text, self.at)[1]
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or not self._fill():
                    raise Broken(f"item {number:,} of the JSON array cannot be read") from None
                continue
            if end == len(self._text) and self._fill():
                continue  # a number may go on
            value = self._text[self.at : end].encode()
            self.at = end
            return value

    def _fill(self) -> bool:
        """Read on, as much as is there already, so that long items are not read too often."""
        self._text, self.at = self._text[self.at :], 0
        have, pieces, size = len(self._text), [self._text], 0
        if have > MAX_BYTES:
            return False
        try:
            while size <= have and (piece := next(self._more, "")):
                pieces.append(piece)
                size += len(piece)
        except UnicodeDecodeError:
            raise Broken("the JSON array is not valid UTF-8") from None
        self._text = "".join(pieces)
        return bool(size)


_READERS: dict[str, Callable[[Iterator[bytes]], Iterator[Line]]] = {
    "ndjson": _read_lines,
    "json": _read_array,
    "csv": tables.read,
}
