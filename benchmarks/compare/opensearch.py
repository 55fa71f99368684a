"""OpenSearch: one node, one index, text mapped as keywords, over HTTP.

4 GB of heap, one shard, no replica, the translog synced at every request as shipped.
Every update is visible when it is answered: `refresh=true`. A deep page is allowed by
`max_result_window`, which is 10,000 as shipped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec

from benchmarks.compare.peer import Item, NotThere
from benchmarks.compare.questions import Question
from benchmarks.http import LOADERS
from benchmarks.load import Run, run
from tests.opensearch import Missing, call, cluster

_JAVA = "-Xms4g -Xmx4g"
_PAGE = 10_000
_INDEX: dict[str, Any] = {
    "settings": {
        "number_of_replicas": 0,
        "index.max_result_window": 10_000_000,
        "index.mapping.total_fields.limit": 2_000,
    },
    "mappings": {
        "dynamic_templates": [
            {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}
        ]
    },
}


class _Hit(msgspec.Struct):
    sort: list[Any]


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Found(msgspec.Struct):
    hits: _Hits


class OpenSearch:
    """A node with one index, and the clients that call it."""

    name = "OpenSearch"

    def __init__(self, url: str, index: str = "items", shards: int = 1) -> None:
        self.url = url
        self._index = index
        self._port = urlsplit(url).port or 0
        self.version = call(url, "GET", "/")["version"]["number"]
        settings = {**_INDEX["settings"], "number_of_shards": shards}
        call(url, "PUT", f"/{index}", {**_INDEX, "settings": settings})

    def load(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer."""
        loaded = run(self._port, [self._bulk(batch) for batch in batches], LOADERS, 600)
        _check_bulk(loaded)
        return loaded

    def _bulk(self, items: Sequence[Item], refresh: str = "false") -> bytes:
        lines = []
        for item in items:
            lines.append(_text({"index": {"_id": item["session"]["id"]}}))
            lines.append(_text(item))
        body = b"\n".join(lines) + b"\n"
        return _request(
            "POST", f"/{self._index}/_bulk?refresh={refresh}", body, b"application/x-ndjson"
        )

    def settle(self) -> None:
        """See Peer."""
        call(self.url, "POST", f"/{self._index}/_refresh")

    def drop(self) -> None:
        """Remove all items."""
        call(self.url, "DELETE", f"/{self._index}")

    def update(self, items: Sequence[Item], clients: int, refresh: str = "true") -> Run:
        """See Peer; without the refresh the next query does not find what was updated."""
        place = f"/{self._index}/_doc"
        requests = [
            _request("PUT", f"{place}/{item['session']['id']}?refresh={refresh}", _text(item))
            for item in items
        ]
        return run(self._port, requests, clients)

    def update_batches(self, batches: Sequence[Sequence[Item]]) -> Run:
        """See Peer."""
        updated = run(self._port, [self._bulk(batch, "true") for batch in batches])
        _check_bulk(updated)
        return updated

    def ask(self, questions: Sequence[Question], seconds: float) -> tuple[Run, int]:
        """See Peer."""
        requests = [
            _request("POST", f"/{self._index}/_search", _text(_search(each))) for each in questions
        ]
        asked = run(self._port, requests, 1, seconds)
        return asked, json.loads(asked.last)["hits"]["total"]["value"]

    def export(self, count: int) -> Run:
        """See Peer: by point in time and search_after, in pages of 10,000."""
        begun, read, after = perf_counter(), 0, None
        pit = call(self.url, "POST", f"/{self._index}/_search/point_in_time?keep_alive=5m")[
            "pit_id"
        ]
        while True:
            body: dict[str, Any] = {
                "size": _PAGE,
                "pit": {"id": pit},
                "sort": [{"session.id": "asc"}],
            }
            body["track_total_hits"] = False
            if after is not None:
                body["search_after"] = after
            page = run(self._port, [_request("POST", "/_search", _text(body))]).last
            hits = msgspec.json.decode(page, type=_Found).hits.hits
            if not hits:
                break
            read, after = read + len(hits), hits[-1].sort
        seconds = perf_counter() - begun
        if read != count:
            raise RuntimeError("not all items were exported")
        return Run([seconds], seconds)


def _search(question: Question) -> dict[str, Any]:
    body = {
        "query": {"bool": {"filter": [question.filter]}},
        "track_total_hits": True,
        "size": 10,
        "from": question.start,
    }
    if question.by_ms:
        body["sort"] = [{"event.data.ms": "desc"}, {"session.id": "asc"}]
    elif question.start:
        body["sort"] = [{"session.id": "asc"}]
    return body


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _request(verb: str, path: str, body: bytes, kind: bytes = b"application/json") -> bytes:
    return (
        b"%b %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
        % (
            verb.encode(),
            path.encode(),
            kind,
            len(body),
            body,
        )
    )


def _check_bulk(done: Run) -> None:
    if json.loads(done.last)["errors"]:
        raise RuntimeError("OpenSearch refused some items")


@contextlib.contextmanager
def running(scratch: Path, items: int) -> Iterator[OpenSearch]:
    """Run a node for as long as the block lasts; raises NotThere."""
    directory = scratch / "opensearch"
    directory.mkdir()
    with contextlib.ExitStack() as stack:
        try:
            nodes = stack.enter_context(cluster(directory, 1, _JAVA))
        except Missing as error:
            raise NotThere(str(error)) from None
        yield OpenSearch(nodes.urls[0])
