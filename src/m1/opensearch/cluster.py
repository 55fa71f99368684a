"""Calls to the nodes of a cluster, and what their failures mean.

The client's own retries are off: it would repeat what must not be. What may be repeated,
reads and changes that carry a version, is tried on other nodes for a while; what may not be,
only where the node was never reached.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import aiohttp
import msgspec
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import ConnectionError as NodeUnreachable
from opensearchpy.exceptions import TransportError
from opensearchpy.serializer import Serializer

from m1.errors import BadQuery, M1Error, Unavailable

_log = logging.getLogger("m1")
logging.getLogger("opensearch").setLevel(logging.CRITICAL)  # it would log what clients sent

_ANSWER_SECONDS = 16.0
"""After so long a call is given up, whatever was tried."""
_PAUSE_SECONDS = 0.2
_TOLD_SECONDS = 10.0
"""So often at most the log tells that a node fails."""
_BLOCKED = "cluster_block_exception"
_BUSY = (408, 429)


class Refused(Exception):
    """The cluster answered with an error; `kind` is its name in OpenSearch."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(f"{status} {kind}: {reason}")
        self.status = status
        self.kind = kind
        self.reason = reason

    def meant(self) -> M1Error:
        """Give what it means to a client."""
        if "too_complex_to_determinize" in self.kind or "Determinizing" in self.reason:
            return BadQuery("the regular expression is too complex")
        if self.kind == _BLOCKED:
            return Unavailable("the store takes no changes just now: try again")
        if self.status == 404:
            return Unavailable("the store is just being changed: try again")
        if _may_pass(self.status):
            return Unavailable("the cluster is busy: try again")
        return M1Error(f"OpenSearch refused: {self.kind}: {self.reason}")


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise what a refusal in the block means to a client."""
    try:
        yield
    except Refused as error:
        raise error.meant() from error


class _Json(Serializer):
    mimetype = "application/json"

    def loads(self, text: str) -> Any:
        return msgspec.json.decode(text)

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, (bytes, str)) else msgspec.json.encode(data).decode()


class Cluster:
    """The nodes of one cluster: one of them is called, until it fails, then the next."""

    def __init__(self, urls: Sequence[str], user: tuple[str, str] | None = None) -> None:
        self.moves = 0
        """How often another node took over: what two nodes say may be of two moments."""
        self._told = float("-inf")
        self._nodes = [
            AsyncOpenSearch(
                hosts=[url],
                http_auth=user,
                serializer=_Json(),
                max_retries=0,
                retry_on_timeout=False,
                pool_maxsize=64,
            )
            for url in urls
        ]
        random.shuffle(self._nodes)  # servers begin at different nodes

    async def read(
        self,
        verb: str,
        path: str,
        body: Any = None,
        seconds: float = _ANSWER_SECONDS,
        **params: str,
    ) -> Any:
        """Call what may be repeated; raises Refused, or Unavailable after some tries."""
        return await self._call(verb, path, body, params, seconds=seconds, repeatable=True)

    async def change(self, verb: str, path: str, body: Any = None, **params: str) -> Any:
        """Call what may not be; raises Refused, or Unavailable: it may stand or not."""
        return await self._call(verb, path, body, params, seconds=_ANSWER_SECONDS, repeatable=False)

    async def _call(
        self,
        verb: str,
        path: str,
        body: Any,
        params: Mapping[str, str],
        *,
        seconds: float,
        repeatable: bool,
    ) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            node, left = self._nodes[0], deadline - time.monotonic()
            limit = left / 2 if repeatable and len(self._nodes) > 1 else left
            try:
                return await node.transport.perform_request(
                    verb, path, params={**params, "request_timeout": max(limit, 0.5)}, body=body
                )
            except NodeUnreachable as error:
                failure: Exception = error
                again = repeatable or isinstance(error.info, aiohttp.ClientConnectorError)
            except TransportError as error:
                failure, again = _failure_of(error), repeatable
                if isinstance(failure, Refused):
                    raise failure from error
            self._leave(node, failure)
            if not again or time.monotonic() + _PAUSE_SECONDS > deadline:
                raise Unavailable("the cluster does not answer just now: try again") from failure
            await asyncio.sleep(_PAUSE_SECONDS)

    def _leave(self, node: AsyncOpenSearch, why: Exception) -> None:
        if self._nodes[0] is node:
            self._nodes.append(self._nodes.pop(0))
            self.moves += 1
        if time.monotonic() - self._told > _TOLD_SECONDS:
            self._told = time.monotonic()
            (host,) = node.transport.hosts
            _log.warning("%s:%s fails: %s", host["host"], host.get("port", ""), _named(why))

    async def close(self) -> None:
        """Let go of all connections."""
        for node in self._nodes:
            await node.close()


def _may_pass(status: int) -> bool:
    """Tell whether a status is of trouble in the cluster: what is wrong with a call is 4xx."""
    return status in _BUSY or status >= 500


def _named(failure: Exception) -> str:
    """Name a failure for the log, without what clients sent."""
    said = failure.args[:2] if isinstance(failure, TransportError) else ()
    return " ".join(map(str, (type(failure).__name__, *said)))


def _failure_of(error: TransportError) -> Exception:
    """Tell a refusal from what may succeed later."""
    status = error.status_code
    if not isinstance(status, int) or _may_pass(status):
        return error
    said = error.info.get("error") if isinstance(error.info, dict) else None
    cause = said if isinstance(said, dict) else {}
    roots = cause.get("root_cause") or [cause]
    return Refused(status, roots[0].get("type", str(error.error)), roots[0].get("reason", ""))
