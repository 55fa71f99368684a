"""Calls to the nodes of a cluster, and what their failures mean.

The client's own retries are off: it would repeat an update that was carried out already
over a newer one. What only reads is tried on other nodes for a while; what changes is
tried again only where the node was never reached.
"""

from __future__ import annotations

import asyncio
import logging
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

logging.getLogger("opensearch").setLevel(logging.CRITICAL)  # it would log what clients sent

_ANSWER_SECONDS = 25.0
"""After so long a call is given up, whatever was tried."""
_PAUSE_SECONDS = 0.2
_BLOCKED = "cluster_block_exception"
_BUSY = (429, 502, 503, 504)
_RETRY_AFTER = 2


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
        if self.status in _BUSY:
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
    """The nodes of one cluster."""

    def __init__(self, urls: Sequence[str], user: tuple[str, str] | None = None) -> None:
        self._client = AsyncOpenSearch(
            hosts=list(urls),
            http_auth=user,
            serializer=_Json(),
            max_retries=0,
            retry_on_timeout=False,
            pool_maxsize=64,
        )

    async def read(self, verb: str, path: str, body: Any = None, **params: str) -> Any:
        """Call what changes nothing; raises Refused, or Unavailable after some tries."""
        return await self._call(verb, path, body, params, repeatable=True)

    async def change(self, verb: str, path: str, body: Any = None, **params: str) -> Any:
        """Call what changes something; raises Refused, or Unavailable: it may stand or not."""
        return await self._call(verb, path, body, params, repeatable=False)

    async def _call(
        self, verb: str, path: str, body: Any, params: Mapping[str, str], repeatable: bool
    ) -> Any:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            left = max(deadline - time.monotonic(), 1.0)
            try:
                return await self._client.transport.perform_request(
                    verb, path, params={**params, "request_timeout": left}, body=body
                )
            except NodeUnreachable as error:
                failure: Exception = error
                again = repeatable or isinstance(error.info, aiohttp.ClientConnectorError)
            except TransportError as error:
                failure, again = _failure_of(error), repeatable
                if isinstance(failure, Refused):
                    raise failure from error
            if not again or time.monotonic() > deadline:
                raise Unavailable(
                    "the cluster does not answer just now: try again", retry_after=_RETRY_AFTER
                ) from failure
            await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()


def _failure_of(error: TransportError) -> Exception:
    """Tell a refusal from what may succeed later."""
    status = error.status_code
    if not isinstance(status, int):
        return error
    if status in _BUSY:
        return error
    said = error.info.get("error") if isinstance(error.info, dict) else None
    cause = said if isinstance(said, dict) else {}
    roots = cause.get("root_cause") or [cause]
    return Refused(status, roots[0].get("type", str(error.error)), roots[0].get("reason", ""))
