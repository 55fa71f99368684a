"""`m1 copy`: one store from one environment to another, compared item by item at the end.

The items are those of one moment, streamed from one query. They keep their `_m1` but for
`session.lastUpdated`, which is when the copy was made, so that alone is not compared.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from m1.caller import Answer, call
from m1.environments import Environment
from m1.errors import Failure, M1Error, NotFound, Unavailable
from m1.progress import Progress, Tell

_ALL = str(2**62)
_NDJSON = "application/x-ndjson"
_BATCH_BYTES = 1024 * 1024
_CLIENTS = 3
_TRIES = 10


class Place(NamedTuple):
    """A store of an environment; `name` is what the environment is called."""

    name: str
    environment: Environment
    store: str

    def __str__(self) -> str:
        return f"{self.store} of {self.name}"

    def call(self, endpoint: str, accept: str = "*/*", **parameters: str) -> Answer:
        """Call an endpoint about the store."""
        return call(self.environment, endpoint, {"store": self.store, **parameters}, accept)

    def items(self) -> tuple[int, Iterator[bytes]]:
        """Give how many items there are, and each as it arrives, by id."""
        answer = self.call("session/query", _NDJSON, q="*", rows=_ALL)
        return answer.count, _lines(answer.body)


def copy_store(source: Place, target: Place, shape: Mapping[str, str], tell: Tell) -> None:
    """Copy a store into a new one; `shape` may say other shards or replicas than it has.

    Raises the servers' own errors, and Failure where the copy is not the same.
    """
    there = _described(source)
    parameters = {**{name: str(there[name]) for name in ("key", "shards", "replicas")}, **shape}
    target.call("session/add", **parameters)
    try:
        copied = _copy(source, target, tell)
        found = _counted(target, tell)
        if str(found) != str(copied):
            raise Failure(f"{target} has {found}, and {source} had {copied}")
    except (M1Error, Failure, KeyboardInterrupt) as error:
        raise Failure(
            f"{str(error) or 'ended'}; {target} is not a whole copy: "
            f"m1 {target.name} session/drop -store {target.store}, then copy again"
        ) from error
    tell(f"{target} has {copied}, as {source} had")


def _described(place: Place) -> Any:
    stores = json.loads(b"".join(call(place.environment, "session/list", {}).body))
    for store in stores:
        if store["name"] == place.store:
            return store
    raise NotFound(f"there is no store {place}")


def _copy(source: Place, target: Place, tell: Tell) -> _Sum:
    """Send all items, some at a time; gives what they come to."""
    total = _Sum()
    count, items = source.items()
    progress = Progress(tell, count, "items copied")
    under_way: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_CLIENTS) as clients:
        for batch in _batches(items):
            under_way.append(clients.submit(_send, target, batch))
            for item in batch:
                total.add(item)
            if len(under_way) > _CLIENTS:
                under_way.popleft().result()
            progress.at(total.count)
        for sending in under_way:
            sending.result()
    return total


def _counted(place: Place, tell: Tell) -> _Sum:
    """Read all items again; gives what they come to."""
    total = _Sum()
    count, items = place.items()
    progress = Progress(tell, count, "items compared")
    for item in items:
        total.add(item)
        progress.at(total.count)
    return total


def _send(target: Place, items: list[bytes]) -> None:
    """Upsert some items; where the server cannot just now, again: that does no harm."""
    store = json.dumps(target.store).encode()
    body = b'{"store":%b,"ops":[{"upsert":[%b]}]}' % (store, b",".join(items))
    for left in reversed(range(_TRIES)):
        try:
            call(target.environment, "session/update", body)
            return
        except Unavailable as error:
            if not left:
                raise
            time.sleep(error.retry_after or 1)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a body into lines; the last ends like every other."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _batches(items: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for item in items:
        if batch and size + len(item) > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item)
    if batch:
        yield batch


class _Sum:
    """How many items, and a checksum over them in order."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def add(self, item: bytes) -> None:
        """Add an item's JSON text."""
        self.count += 1
        self._hash.update(_comparable(item))

    def __str__(self) -> str:
        return f"{self.count:,} items with the sha256 {self._hash.hexdigest()}"


def _comparable(item: bytes) -> bytes:
    """Give what of an item must be the same, each number as it is written."""
    read = json.loads(item, parse_int=_exactly, parse_float=_exactly)
    read["_m1"].get("session", {}).pop("lastUpdated", None)
    return json.dumps(read, sort_keys=True).encode()


def _exactly(number: str) -> dict[str, str]:
    return {"number": number}
