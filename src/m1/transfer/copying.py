"""`m1 copy`: one store into a new one elsewhere, compared item by item at the end.

The items are those of one moment, streamed from one query. They keep their `_m1` but for
`session.lastUpdated`, which is when the copy was made, so that alone is not compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from m1.counts import counted
from m1.errors import Failure, Stopped
from m1.progress import Live
from m1.transfer.lines import Line
from m1.transfer.place import Place
from m1.transfer.sending import LANES, Sender, batches, sent
from m1.transfer.stopping import ENDINGS, reason_of


def copy_store(source: Place, target: Place, shape: Mapping[str, str], live: Live) -> None:
    """Copy a store into a new one; `shape` may say other shards or replicas than it has.

    Raises the servers' own errors, and Failure where the copy is not the same.
    """
    there = source.shape()
    of_it = {"key": there.key, "shards": str(there.shards), "replicas": str(there.replicas)}
    target.call("session/add", {"store": target.store, **of_it, **shape}).whole()
    try:
        copied = _copy(source, target, live)
        found = _counted(target, live)
        if str(found) != str(copied):
            raise Failure(f"{target} has {found}, and {source} had {copied}")
    except ENDINGS as error:
        reason, code = reason_of(error, "the copy")
        raise Stopped(
            f"{reason}; {target} is not a whole copy: "
            f"m1 {target.name} session/drop -store {target.store}, then copy again",
            code,
        ) from error
    finally:
        live.end()
    live.tell(f"{target} has {copied}, as {source} had")


def _copy(source: Place, target: Place, live: Live) -> _Sum:
    """Send all items, some at a time; gives what they come to."""
    total = _Sum()
    count, items = source.items()
    progress = live.progress(count, "item", "copied")
    for batch, refused in sent(batches(_lines(items), ""), Sender(target, live.tell).send, LANES):
        if refused:
            raise Failure(f"{target} refuses item {refused[0].line.number}: {refused[0].reason}")
        for line in batch.lines:
            total.add(line.text)
        progress.at(total.count)
    return total


def _lines(items: Iterator[bytes]) -> Iterator[Line]:
    return (Line(number, item, item) for number, item in enumerate(items, 1))


def _counted(place: Place, live: Live) -> _Sum:
    """Read all items again; gives what they come to."""
    total = _Sum()
    count, items = place.items()
    progress = live.progress(count, "item", "compared")
    for item in items:
        total.add(item)
        progress.at(total.count)
    return total


class _Sum:
    """How many items, and a checksum over them in order."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def add(self, item: bytes) -> None:
        """Add an item's JSON text."""
        self.count += 1
        self._hash.update(comparable(item))

    def __str__(self) -> str:
        return f"{counted(self.count, 'item')} with the sha256 {self._hash.hexdigest()}"


def comparable(item: bytes) -> bytes:
    """Give what of an item must be the same, each number as it is written.

    Raises Failure for what no server of ours sends.
    """
    try:
        read = json.loads(item, parse_int=_exactly, parse_float=_exactly)
        read["_m1"].get("session", {}).pop("lastUpdated", None)
        return json.dumps(read, sort_keys=True).encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise Failure(f"{item[:60]!r} is no item of a server of ours") from None


def _exactly(number: str) -> dict[str, str]:
    return {"number": number}
