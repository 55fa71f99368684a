"""A call as a value: what is asked, how the answer is read, and when it may be sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, TypedDict, TypeVar

import msgspec

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Item = Mapping[str, Any]
"""An item to be stored: whatever JSON can say, dates and dataclasses included."""
Id = str | int
"""The value of an item at its store's key."""


class Op(TypedDict, total=False):
    """A part of an update: upserts, and after them deletes."""

    upsert: Sequence[Item]
    delete: Sequence[Id]


class Fate(IntEnum):
    """What became of a call that failed, from what surely was not done to what may be."""

    UNSENT = 0
    """No connection was made."""
    REFUSED = 1
    """It was answered 503."""
    LOST = 2
    """It was sent, and no whole answer came."""
    FINAL = 3
    """It would fail again."""


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """One call of an endpoint; parameters that are None are left out."""

    path: str
    parameters: Mapping[str, Any] = field(repr=False)
    read: Callable[[bytes], T_co]
    """Reads the body of a good answer; raises msgspec.DecodeError."""
    verb: str = "POST"
    repeats_after: Fate = Fate.UNSENT
    """The worst that may have become of it for it to be sent again."""
    needs_token: bool = True
    is_long: bool = False
    """Whether the answer may take minutes, so that no limit is set to the wait for it."""
    streams: bool = False
    """Whether the answer is one item a line, to be read as it arrives."""

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that are sent."""
        return {name: value for name, value in self.parameters.items() if value is not None}


def nothing(body: bytes) -> None:
    """Read the answer of an endpoint that has none."""


def text(body: bytes) -> str:
    """Read an answer in plain text."""
    return body.decode()


def json_of(kind: type[T]) -> Callable[[bytes], T]:
    """Give what reads an answer in JSON of a kind; raises msgspec.DecodeError for another."""
    return msgspec.json.Decoder(kind).decode


def text_of(value: object) -> bytes:
    """Write JSON; raises TypeError or ValueError for what JSON cannot say, as NaN."""
    written = json.dumps(
        value, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")
    )
    return written.encode()


def _plain(value: object) -> object:
    """Turn what is no JSON into what is: dates to texts, mappings and dataclasses to maps."""
    return dict(value) if isinstance(value, Mapping) else msgspec.to_builtins(value)


def ids(values: Iterable[Id]) -> list[Id]:
    """List the values of keys; raises TypeError for one alone, whose letters would be meant."""
    if isinstance(values, str):
        raise TypeError(f"delete: a list of values is needed, as in [{values!r}]")
    return list(values)


def update(store: str, ops: bytes) -> Ask[None]:
    """Ask for an update; `ops` are written already."""
    parameters = {"store": store, "ops": msgspec.Raw(ops)}
    return Ask("session/update", parameters, nothing, repeats_after=Fate.REFUSED)
