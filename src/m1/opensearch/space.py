"""One space on the cluster: an index, and an alias without which nothing is written to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

from m1.engine import Change, Put
from m1.errors import BadRequest, M1Error, Unavailable
from m1.opensearch.cluster import Cluster, Refused, refusals_told
from m1.opensearch.joined import Joined, Shared
from m1.opensearch.mapping import MAX_FIELD_PATHS, document_of, field_of, paths_with_fields

_BULK_BYTES = 1024 * 1024

Update = Sequence[bytes]
"""Changes as they are written in a bulk."""


class Space:
    """The index of one space, as far as this server uses it."""

    def __init__(self, cluster: Cluster, index: str, alias: str) -> None:
        self.alias = alias
        self.index = index
        self._cluster = cluster
        self._fields: set[str] = set()
        self._updates: Joined[Update] = Joined(self._write, _BULK_BYTES)
        self.refreshes = Shared(self._refresh)

    async def update(self, changes: Sequence[Change]) -> None:
        """Apply changes; see Engine."""
        await self._check_fields(changes)
        lines = [_lines_of(change) for change in changes]
        await self._updates.do(lines, sum(map(len, lines)))

    async def _write(self, updates: Sequence[Update]) -> list[Exception | None]:
        """Write some updates together; gives how each fared."""
        outcomes: list[M1Error | None] = []
        for some in _cut(list(chain.from_iterable(updates))):
            outcomes += await self._bulk(some)
        each = iter(outcomes)
        return [_failure_of(list(islice(each, len(lines)))) for lines in updates]

    async def _bulk(self, lines: Sequence[bytes]) -> list[M1Error | None]:
        """Write some changes in one call; gives what each failed by, a failed call for all."""
        try:
            with refusals_told():
                answer = await self._cluster.change(
                    "POST",
                    f"/{self.alias}/_bulk",
                    b"".join(lines),
                    require_alias="true",
                    filter_path="items.*.status,items.*.error",
                )
        except M1Error as error:
            return [error] * len(lines)
        return [_failure_in(*item.values()) for item in answer["items"]]

    async def _refresh(self) -> None:
        with refusals_told():
            answer = await self._cluster.read("POST", f"/{self.alias}/_refresh")
        if answer["_shards"]["failed"]:
            raise Unavailable("some of the store's shards do not answer just now: try again")

    # --- the limit of paths ---

    async def _check_fields(self, changes: Sequence[Change]) -> None:
        """Raise BadRequest where an update would go beyond the paths that a space may have."""
        new = _new_paths(changes, self._fields)
        if not new:
            return
        self._fields |= await self._mapped_fields()
        if len(self._fields) + len(new) > MAX_FIELD_PATHS:
            new = _new_paths(changes, self._fields)
            room = max(MAX_FIELD_PATHS - len(self._fields), 0)
            if len(new) > room:
                raise BadRequest(
                    f"the path {sorted(new)[room]} is one too many: on OpenSearch a store may "
                    f"have {MAX_FIELD_PATHS} different paths"
                )
        self._fields |= {field_of(path) for path in new}

    async def _mapped_fields(self) -> set[str]:
        with refusals_told():
            said = await self._cluster.read("GET", f"/{self.alias}/_mapping")
        (index,) = said.values()
        return set(index["mappings"]["properties"]["s"].get("properties", ()))

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


def _new_paths(changes: Sequence[Change], known: set[str]) -> set[str]:
    return {
        path
        for change in changes
        if isinstance(change, Put)
        for path in paths_with_fields(change)
        if field_of(path) not in known
    }


def _lines_of(change: Change) -> bytes:
    if isinstance(change, Put):
        head = msgspec.json.encode({"index": {"_id": change.id}})
        return b"%b\n%b\n" % (head, msgspec.json.encode(document_of(change)))
    return msgspec.json.encode({"delete": {"_id": change.id}}) + b"\n"


def _cut(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Cut changes into calls of some size; one that is larger is a call of its own."""
    begin = size = 0
    for end, line in enumerate(lines):
        if size and size + len(line) > _BULK_BYTES:
            yield lines[begin:end]
            begin, size = end, 0
        size += len(line)
    yield lines[begin:]


def _failure_in(answer: dict[str, Any]) -> M1Error | None:
    """Tell what a change failed by; None where it was made."""
    error = answer.get("error")
    if error is None:
        return None
    return Refused(answer["status"], error.get("type", ""), error.get("reason", "")).meant()


def _failure_of(outcomes: Sequence[M1Error | None]) -> M1Error | None:
    """Tell how an update fared by how each of its changes did."""
    failures = [failure for failure in outcomes if failure is not None]
    stand = len(outcomes) - len(failures)
    if not failures or not stand:
        return failures[0] if failures else None
    return Unavailable(
        f"{stand} of {len(outcomes)} changes were made, then: {failures[0].message}; "
        "sending the whole again is harmless"
    )
