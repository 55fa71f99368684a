"""Items as the rows of a CSV table, each column a dotted path, and back without any loss.

    session.id,user.name,n,tags           {"session": {"id": "s1"}, "user": {"name": "Ada"},
    s1,Ada,7,"[""a"",""b""]"               "n": 7, "tags": ["a","b"]}

A cell that reads as JSON is that: a number, true, false, null, a list, {}, a text in quotes.
An empty cell is nothing at all, and any other is a text as it stands. So a text that would
be read as something else is written in quotes, and so is one that a spreadsheet would take
for a formula, be it in a cell or as the name of a column. Line ends within texts are escapes,
so a row is one line.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from m1.counts import counted
from m1.errors import Failure
from m1.transfer.lines import MAX_BYTES, Broken, Line, lines_of

_JSON_BEGINS = frozenset('-0123456789[{"tfn')
_FORMULA_BEGINS = frozenset("=+-@")
_CONTROL = re.compile(r"[\x00-\x1f]")
_encode = msgspec.json.encode
_check = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_Map = dict[str, "_Map | msgspec.Raw | str"]


def read(chunks: Iterator[bytes]) -> Iterator[Line]:
    """Read the rows of a table, the first being its header, into items.

    Raises Broken where there is no usable header, or a quote is never closed.
    """
    csv.field_size_limit(MAX_BYTES)
    feed = _Feed(chunks)
    rows = csv.reader(feed, strict=True)
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise Broken(f"the names of the columns cannot be read ({error})") from None
    if header is None:
        return
    if not header or len(set(header)) < len(header):
        raise Broken("the first line of a table names its columns, each once")
    columns = [_path(name).split(".") for name in header]
    while True:
        begin = rows.line_num + 1
        feed.taken.clear()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if feed.is_over:
                raise Broken(f"line {begin:,}: a quote that is opened here never ends") from None
            yield Line(begin, b"", feed.source(), str(error))
            continue
        if row:
            yield _line(begin, columns, row, feed.source())


class _Feed:
    """Gives lines to the CSV reader, and keeps those of the row that it is reading."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.taken: list[bytes] = []
        self.is_over = False
        self._lines = lines_of(chunks)

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.is_over = True
            raise StopIteration
        self.taken.append(line)
        return line.decode(errors="surrogateescape") + "\n"

    def source(self) -> bytes:
        """Give the row as it stood, in one line."""
        return b" ".join(self.taken).replace(b"\r", b"")


def _line(number: int, columns: list[list[str]], row: list[str], source: bytes) -> Line:
    if len(row) != len(columns):
        problem = (
            f"the row has {counted(len(row), 'cell')}, the table {counted(len(columns), 'column')}"
        )
        return Line(number, b"", source, problem)
    try:
        return Line(number, _encode(_item(columns, row)), source)
    except UnicodeEncodeError:
        return Line(number, b"", source, "not valid UTF-8")
    except _Taken as error:
        return Line(number, b"", source, f"the column {error} lies below one that has a value too")


class _Taken(Exception):
    pass


def _item(columns: list[list[str]], row: list[str]) -> _Map:
    item: _Map = {}
    for path, cell in zip(columns, row, strict=True):
        if not cell:
            continue
        node = item
        for key in path[:-1]:
            below = node.setdefault(key, {})
            if not isinstance(below, dict):
                raise _Taken(".".join(path))
            node = below
        if path[-1] in node:
            raise _Taken(".".join(path))
        node[path[-1]] = _value(cell)
    return item


def _value(cell: str) -> msgspec.Raw | str:
    """Give what a cell holds: JSON with its own spelling, or a text."""
    if cell[0] in _JSON_BEGINS:
        try:
            _check(text := cell.encode())
            return msgspec.Raw(text)
        except (msgspec.MsgspecError, RecursionError):
            pass
    return cell


def written(lines: Iterator[bytes], folder: Path) -> Iterator[bytes]:
    """Give the bytes of a table; which columns it has is known when all items were seen.

    So they are kept in a file in `folder` meanwhile. Raises Failure for an item that has two
    values at one path.
    """
    with tempfile.TemporaryFile(dir=folder) as kept:
        columns = _kept(lines, kept)
        if not columns:
            return
        page = io.StringIO(newline="")
        writer = csv.writer(page)
        writer.writerow(map(_name, columns))
        kept.seek(0)
        for line in kept:
            yield page.getvalue().encode()
            page.seek(0)
            page.truncate()
            cells = _cells(line)
            writer.writerow([cells.get(column, "") for column in columns])
        yield page.getvalue().encode()


def _kept(lines: Iterable[bytes], kept: IO[bytes]) -> list[str]:
    """Keep lines; gives the columns in the order in which they came."""
    columns: dict[str, None] = {}
    for line in lines:
        kept.write(line + b"\n")
        columns.update(dict.fromkeys(_cells(line)))
    return list(columns)


def _cells(item: bytes) -> dict[str, str]:
    """Give the cells of an item by their columns; raises Failure for what is no item."""
    cells: dict[str, str] = {}
    try:
        _add(cells, "", _members(item))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Failure(f"{item[:60]!r} is no item") from None
    return cells


def _add(cells: dict[str, str], head: str, members: dict[str, msgspec.Raw]) -> None:
    for key, raw in members.items():
        path, text = head + key, bytes(raw)
        begin = text[:1]
        if begin == b"{" and (below := _members(text)):
            _add(cells, f"{path}.", below)
        elif path in cells:
            raise Failure(
                f"an item has two values at {path}, which no table can hold: export to .ndjson"
            )
        elif begin == b'"':
            cells[path] = _cell(_text(text))
        else:
            cells[path] = "{}" if begin == b"{" else text.decode()


def _cell(text: str) -> str:
    """Write a text as it is, or in quotes where it would be read as something else."""
    if not text or text[0] in _FORMULA_BEGINS or _CONTROL.search(text) or _value(text) is not text:
        return _encode(text).decode()
    return text


def _name(path: str) -> str:
    """Write the name of a column as it is, or in quotes where it would be read as a formula."""
    if path[:1] in _FORMULA_BEGINS or path[:1] == '"' or _CONTROL.search(path):
        return _encode(path).decode()
    return path


def _path(name: str) -> str:
    """Read the name of a column; in a table of others a quote may be a part of it."""
    try:
        return _text(name) if name[:1] == '"' else name
    except (msgspec.DecodeError, UnicodeEncodeError):
        return name
