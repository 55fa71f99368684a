"""A store of an environment, as a place that items come from or go to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from m1.advice import advised
from m1.answers import StoreInfo
from m1.caller import Answer, call
from m1.counts import counted
from m1.environments import Environment
from m1.errors import Conflict, Forbidden, M1Error, NoConnection, NotFound
from m1.transfer.lines import lines_of
from m1.wire import not_ours

_ALL = str(2**62)
_NDJSON = "application/x-ndjson"
_SILENCE_SECONDS = 600.0
_stores = msgspec.json.Decoder(list[StoreInfo]).decode


class Place(NamedTuple):
    """A store of an environment; `name` is what the environment is called."""

    name: str
    environment: Environment
    store: str

    def __str__(self) -> str:
        return f"{self.store} of {self.name}"

    def call(
        self,
        endpoint: str,
        parameters: Mapping[str, str] | bytes,
        accept: str = "*/*",
        seconds: float = _SILENCE_SECONDS,
    ) -> Answer:
        """Call an endpoint; raises what `caller.call` does, with what to do about a refusal."""
        try:
            return call(self.environment, endpoint, parameters, accept, seconds)
        except M1Error as error:
            raise self._with_a_way_on(error) from None

    def items(self, q: str = "*", sort: str = "") -> tuple[int, Iterator[bytes]]:
        """Give how many items a query finds, and each as it arrives, by id or as sorted.

        Reading raises NoConnection where they are not as many as the server said.
        """
        given = {"store": self.store, "q": q, "rows": _ALL, **({"sort": sort} if sort else {})}
        answer = self.call("session/query", given, _NDJSON)
        return answer.count, self._all_of(answer)

    def shape(self) -> StoreInfo:
        """Give its name, key, shards and replicas; raises NotFound."""
        said = self.call("session/list", {}).whole()
        try:
            stores = _stores(said)
        except (msgspec.DecodeError, RecursionError) as error:
            raise not_ours(self.environment.url, f"its list of stores: {error}") from None
        for store in stores:
            if store.name == self.store:
                return store
        raise self._with_a_way_on(NotFound(f"there is no store {self.store}"))

    def _with_a_way_on(self, error: M1Error) -> M1Error:
        add = f"m1 {self.name} session/add -store {self.store} -shards 1 -replicas 1"
        ways: dict[type[M1Error], str] = {
            Conflict: "to copy to another name: -as NAME; into one that is there: m1 import -from",
            Forbidden: f"log in as a user with that right: m1 auth {self.name} -username ...",
            NotFound: f"to see what there is: m1 {self.name} session/list; to add it: {add}",
        }
        return advised(error, self.name, ways)

    def _all_of(self, answer: Answer) -> Iterator[bytes]:
        number = 0
        for number, line in enumerate(lines_of(answer.body), 1):  # noqa: B007
            yield line
        if number != answer.count:
            raise NoConnection(
                f"{self} sent {counted(number, 'item')}, and had announced {answer.count:,}"
            )
