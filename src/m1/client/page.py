"""The items of an answer, cut out of its lines; whole, or an error.

The header `m1-count` says how many items match, so how many lines must come is known. That
counts them even where something on the way hides that the answer broke off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from m1.client.ask import Ask
from m1.counts import counted
from m1.errors import NoConnection
from m1.wire import Whole, count_of

ACCEPT = "application/x-ndjson"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Page:
    """What one query found: the count, and the items as their bytes arrive."""

    def __init__(self, ask: Ask[None], response: httpx.Response, url: str) -> None:
        self._url = url
        self.count = count_of(response.headers.get("m1-count", ""), url)
        left = max(self.count - ask.parameters["start"], 0)
        self._expected = min(left, ask.parameters["rows"])
        self._got = 0
        self._line = Whole("an item")
        """What has come of a line that has not ended."""

    def items(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yield the items whose lines end in a chunk, one read at a time."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line.add(line)
            whole, self._line = self._line.joined(), Whole("an item")
            self._got += 1
            yield _decode(whole)
        self._line.add(rest)

    @contextmanager
    def to_its_end(self) -> Iterator[None]:
        """Raise NoConnection at the end of the block unless all items came in it."""
        try:
            yield
        except (httpx.RequestError, msgspec.DecodeError) as error:
            raise self._broken() from error
        if self._got != self._expected or self._line.joined():
            raise self._broken()

    def _broken(self) -> NoConnection:
        return NoConnection(
            f"the answer of {self._url} broke off after {self._got:,} of "
            f"{counted(self._expected, 'item')}: ask again"
        )
