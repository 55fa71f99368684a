"""The commands `m1 copy`, `m1 export` and `m1 import`: what they are told, and what they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from m1.environments import Environment, Environments
from m1.errors import Misuse
from m1.progress import Live
from m1.transfer.copying import copy_store
from m1.transfer.exporting import Wanted, to_file, to_pipe
from m1.transfer.formats import FORMATS, named
from m1.transfer.importing import Input, from_file, from_pipe, from_store, import_items
from m1.transfer.place import Place

_Parameters = dict[str, str]

USAGES = {
    "copy": """\
m1 copy <environment> -store S -to <environment> [-as NAME] [-shards N] [-replicas N]

Copies the items that a store has at one moment into a new store, of the same name, key, shards and
replicas where nothing else is said, and compares: by count, and by a checksum over all items in
order. Items keep their _m1 but for session.lastUpdated. The rights needed: sessionQuery and get
there, admin, sessionUpdate and sessionQuery here; log in to both with m1 auth. To bring items into
a store that is there already: m1 import.""",
    "export": """\
m1 export <environment> -store S -file F [-q Q] [-sort SORT] [-format ndjson|json|csv]

Writes the items that a query finds at one moment, all of them without -q, into a new file.

  -file    its name says the format: .ndjson or .jsonl an item a line, .json an array, .csv a
           table with dotted columns; .gz or .zst behind that packs it. A file that is there stays
           as it is, and F is there only when it is whole, until then F.part. - is standard output
  -q       a query, and
  -sort    an order, as of session/query
  -format  where the name does not say it; standard output is ndjson

The right needed: sessionQuery. Exit codes: 0 all is written, 1 the server refused, 2 misuse or a
file that cannot be written, 3 no connection or a broken answer, 130 Ctrl-C.""",
    "import": """\
m1 import <environment> -store S -file F [-format ndjson|json|csv]
m1 import <environment> -store S -from <environment> [-from-store T] [-q Q]

Puts items into a store that is there: new ones, and in place of those of the same id. Of two of
one id the later one stays.

  -file        ndjson, a JSON array, or (by the name .csv) a table as m1 export writes it, also
               packed by gzip or zstd; - is standard input
  -from        items of another store, named by -from-store if it is not S, that -q finds
  -format      where neither the name nor the first character says it: csv from a pipe

Lines that are no items of the store go into F.rejected with their number and the reason (from a
pipe or a store: S.rejected, in this folder); the rest goes in. What was cut off goes on where it
stood with the same command (F.m1-import says where); from a pipe or a store it begins anew, which
does no harm. A server that is away is asked again for 60 s. The rights needed: sessionUpdate, and
get for several updates at a time. Exit codes: 0 all is in, 1 lines or the import were refused, 2
misuse or a file that cannot be read to its end, 3 no connection, 130 Ctrl-C.""",
}
"""How each command is used; the first line says what it is told."""


def run(command: str, name: str, environment: Environment, given: _Parameters) -> None:
    """Carry out a command with the environment that it names. Raises Failure, or M1Error."""
    work, ways = _COMMANDS[command]
    if not any(needed <= given.keys() <= needed | known for needed, known in ways):
        raise Misuse(" or ".join(USAGES[command].splitlines()[: len(ways)]))
    os.umask(0o077)  # items are their owner's business
    work(Place(name, environment, given["store"]), given, Live())


def _copy(source: Place, given: _Parameters, live: Live) -> None:
    other, store = given["to"], given.get("as", source.store)
    target = Place(other, Environments().find(other), store)
    shape = {name: value for name, value in given.items() if name in ("shards", "replicas")}
    copy_store(source, target, shape, live)


def _export(source: Place, given: _Parameters, live: Live) -> None:
    file = given["file"]
    form, packing = named(file) if file != "-" else ("ndjson", "")
    form = _format(given) or form
    if not form:
        raise Misuse(f"{file}: its name says no format, as .ndjson does; give -format")
    wanted = Wanted(source, given.get("q", "*"), given.get("sort", ""), form, packing)
    if file != "-":
        return to_file(wanted, Path(file), live)
    if sys.stdout.isatty():
        raise Misuse("-file - is for pipes: on a terminal use m1 <environment> session/query")
    return to_pipe(wanted, sys.stdout.buffer, live)


def _import(target: Place, given: _Parameters, live: Live) -> None:
    with ExitStack() as stack:
        import_items(target, _input(stack, target, given), live)


def _input(stack: ExitStack, target: Place, given: _Parameters) -> Input:
    if "from" in given:
        name = given["from"]
        store = given.get("from-store", target.store)
        source = Place(name, Environments().find(name), store)
        return from_store(source, target, given.get("q", "*"))
    form = _format(given)
    if given["file"] == "-":
        return from_pipe(FileIO(0, closefd=False), "standard input", form, target)
    return from_file(stack, Path(given["file"]), form, target)


def _format(given: _Parameters) -> str:
    form = given.get("format", "")
    if form and form not in FORMATS:
        raise Misuse(f"-format {form}: there are {', '.join(FORMATS)}")
    return form


_Work = Callable[[Place, _Parameters, Live], None]
_COMMANDS: dict[str, tuple[_Work, list[tuple[set[str], set[str]]]]] = {
    "copy": (_copy, [({"store", "to"}, {"as", "shards", "replicas"})]),
    "export": (_export, [({"store", "file"}, {"q", "sort", "format"})]),
    "import": (
        _import,
        [({"store", "file"}, {"format"}), ({"store", "from"}, {"from-store", "q"})],
    ),
}
"""What each does, and the ways to tell it: what it must be told, and what it may be told."""
