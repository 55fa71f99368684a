"""One space on the cluster: an index, and an alias without which nothing is written to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from m1.counts import counted
from m1.engine import Change, Put
from m1.errors import BadRequest, M1Error, Unavailable
from m1.metrics import COMMIT_SECONDS, COMMIT_UPDATES
from m1.opensearch.cluster import Cluster, Refused, refusals_told
from m1.opensearch.joined import Joined, Shared
from m1.opensearch.mapping import MAX_FIELD_PATHS, document_of, path_of
from m1.opensearch.versions import CONFLICT, Versions

_BULK_BYTES = 1024 * 1024
_BULKS_AT_ONCE = 4
"""So many bulks of one server's are under way on a space, where there is that much to write."""
_MANY = 50
"""So many changes are made into documents in a thread."""
_PRIMARY_SECONDS = "10s"
"""So long a node waits for a shard that has no primary just now."""


class _Write:
    """One change as it is written, and how it fares."""

    def __init__(self, change: Change, version: int) -> None:
        document = document_of(change) if isinstance(change, Put) else None
        self.fields: Iterable[str] = document["s"] if document else ()
        self.version = version
        self.pending = True
        self.failure: M1Error | None = None
        self._id = change.id
        self._document = msgspec.json.encode(document) if document else b""

    @property
    def size(self) -> int:
        """About how many bytes it is in a bulk."""
        return len(self._document) + len(self._id) + 100

    def lines(self) -> bytes:
        """Give its lines in a bulk."""
        place = {"_id": self._id, "version": self.version, "version_type": "external"}
        if not self._document:
            return msgspec.json.encode({"delete": place}) + b"\n"
        return b"%b\n%b\n" % (msgspec.json.encode({"index": place}), self._document)

    def end(self, failure: M1Error | None = None) -> None:
        """Take note that it was made, or failed."""
        self.pending, self.failure = False, failure


class _Update:
    """The writes of one update; `wanted` while somebody waits for it."""

    def __init__(self, writes: Sequence[_Write]) -> None:
        self.writes = writes
        self.wanted = True

    def pending(self) -> list[_Write]:
        """Give what is still to be written."""
        return [write for write in self.writes if write.pending] if self.wanted else []

    def failure(self) -> M1Error | None:
        """Tell how the whole fared."""
        failures = [write.failure for write in self.writes if write.failure]
        stand = len(self.writes) - len(failures)
        if not failures or not stand:
            return failures[0] if failures else None
        return Unavailable(
            f"{stand} of {counted(len(self.writes), 'change')} made, then: {failures[0].message}; "
            "sending the whole again is harmless"
        )


def _update_of(changes: Sequence[Change], version: int) -> _Update:
    """Make an update whose first change has a version, and the others those that follow."""
    return _Update([_Write(change, version + n) for n, change in enumerate(changes)])


class Space:
    """The index of one space, as far as this server uses it."""

    def __init__(self, cluster: Cluster, versions: Versions, index: str, alias: str) -> None:
        self.alias = alias
        self.index = index
        self._cluster = cluster
        self._versions = versions
        self._fields: set[str] = set()
        self._updates: Joined[_Update] = Joined(self._write, _BULK_BYTES)
        self._slots = asyncio.Semaphore(_BULKS_AT_ONCE)
        self.refreshes = Shared(self._refresh)

    async def update(self, changes: Sequence[Change]) -> None:
        """Apply changes; see Engine."""
        first = self._versions.take(len(changes))
        if len(changes) < _MANY:
            update = _update_of(changes, first)
        else:
            update = await asyncio.to_thread(_update_of, changes, first)
        await self._check_fields(update.writes)
        try:
            await self._updates.do(update, sum(write.size for write in update.writes))
        finally:
            update.wanted = False

    async def _write(self, updates: Sequence[_Update]) -> list[Exception | None]:
        """Write some updates together; gives how each fared."""
        COMMIT_UPDATES.observe(len(updates))
        with COMMIT_SECONDS.time():
            while writes := [write for update in updates for write in update.pending()]:
                await asyncio.gather(*map(self._bulk, _cut(writes)))
        return [update.failure() for update in updates]

    async def _bulk(self, writes: Sequence[_Write]) -> None:
        """Write some changes in one call; where it fails, all of them did."""
        try:
            async with self._slots:
                answer = await self._call_bulk(writes)
        except M1Error as error:
            for write in writes:
                write.end(error)
            return
        for write, item in zip(writes, answer["items"], strict=True):
            (said,) = item.values()
            self._end(write, said["status"], said.get("error"))

    async def _call_bulk(self, writes: Sequence[_Write]) -> Any:
        with refusals_told():
            return await self._cluster.read(  # their versions make it repeatable
                "POST",
                f"/{self.alias}/_bulk",
                b"".join(write.lines() for write in writes),
                require_alias="true",
                timeout=_PRIMARY_SECONDS,
                filter_path="items.*.status,items.*.error",
            )

    def _end(self, write: _Write, status: int, error: Any) -> None:
        if error is None:
            write.end()
        elif error["type"] == CONFLICT:
            self._versions.learn(error["reason"])
            write.version = self._versions.take()
        else:
            write.end(Refused(status, error["type"], error["reason"]).meant())

    async def _refresh(self) -> None:
        with refusals_told():
            answer = await self._cluster.read("POST", f"/{self.alias}/_refresh")
        if answer["_shards"]["failed"]:
            raise Unavailable("some of the store's shards do not answer just now: try again")

    # --- the limit of paths ---

    async def _check_fields(self, writes: Sequence[_Write]) -> None:
        """Raise BadRequest where an update would go beyond the paths that a space may have."""
        asked = {field for write in writes for field in write.fields}
        if asked <= self._fields:
            return
        self._fields |= await self.mapped_fields()
        new = asked - self._fields
        room = max(MAX_FIELD_PATHS - len(self._fields), 0)
        if len(new) > room:
            raise BadRequest(
                f"the path {sorted(map(path_of, new))[room]} is one too many: on OpenSearch a "
                f"store may have {MAX_FIELD_PATHS} different paths"
            )
        self._fields |= new

    async def mapped_fields(self) -> set[str]:
        """Give the fields of all paths at which some item ever had a text."""
        with refusals_told():
            said = await self._cluster.read("GET", f"/{self.alias}/_mapping")
        (index,) = said.values()
        return set(index["mappings"]["properties"]["s"].get("properties", ()))

    async def settled_fields(self) -> set[str]:
        """Give the mapped fields, with those of every update that was answered.

        The node of a shard knows a new field, and answers the update that brought it, a moment
        before the cluster manager does, who is asked for fields: so its tasks are waited for.
        """
        with refusals_told():
            await self._cluster.read("GET", "/_cluster/health", wait_for_events="languid")
        return await self.mapped_fields()

    # --- the fence ---

    async def fence(self, closed: bool) -> None:
        """Close to updates, or open again; see Engine."""
        try:
            if not closed:
                await self._block(None)
                return
            said = await self._cluster.read("GET", f"/{self.index}/_settings/index.blocks.write")
            if said:
                raise Unavailable("the store is just being re-keyed: try again")
            await self._cluster.change("PUT", f"/{self.index}/_block/write")
        except Refused as error:
            if closed or error.status != 404:
                raise error.meant() from error

    async def _block(self, value: bool | None) -> None:
        await self._cluster.change("PUT", f"/{self.index}/_settings", {"index.blocks.write": value})

    async def idle(self) -> None:
        """Wait until no update of ours is under way."""
        with contextlib.suppress(M1Error):
            await self._updates.idle()


def _cut(writes: list[_Write]) -> Iterator[list[_Write]]:
    """Cut writes into calls of some size; one that is larger is a call of its own."""
    begin = size = 0
    for end, write in enumerate(writes):
        if size and size + write.size > _BULK_BYTES:
            yield writes[begin:end]
            begin, size = end, 0
        size += write.size
    yield writes[begin:]
