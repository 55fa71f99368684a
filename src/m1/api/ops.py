"""From the `ops` of an update to the changes that it makes.

All of a call is read and checked before anything is applied. What remains is one change
an id: ops count in order, within an op upserts before deletes, and the last one stands.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from m1.api.endpoint import Json, JsonKind
from m1.api.metadata import Stamp
from m1.engine import Change, Put, Remove
from m1.errors import BadRequest
from m1.paths import id_of, identity
from m1.terms import flatten

_MEMBERS = {"upsert", "delete"}
_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "upsert": {"type": "array", "items": {"type": "object"}},
            "delete": {"type": "array", "items": {"type": ["string", "integer"]}},
        },
        "additionalProperties": False,
    },
}

Ops = Annotated[Json, JsonKind(_SCHEMA)]
"""`ops` as a parameter."""


class _Op(msgspec.Struct):
    upsert: list[msgspec.Raw] = []


_slices = msgspec.json.Decoder(list[_Op]).decode


def changes_of(ops: Json, key: str, stamp: Stamp) -> list[Change]:
    """Read `ops`; raises BadRequest that names the op and the item (both counted from 0)."""
    _check_shape(ops.value)
    changes: dict[str, Change] = {}
    for number, (op, slices) in enumerate(zip(ops.value, _slices(ops.text), strict=True)):
        for place, (item, raw) in enumerate(zip(op.get("upsert", ()), slices.upsert, strict=True)):
            try:
                put = _put(item, bytes(raw), key, stamp)
            except BadRequest as error:
                raise BadRequest(f"op {number}, item {place}: {error.message}") from None
            changes[put.id] = put
        for place, value in enumerate(op.get("delete", ())):
            try:
                removed = Remove(id_of(value))
            except BadRequest as error:
                raise BadRequest(
                    f"op {number}, delete {place}: the value {error.message}"
                ) from None
            changes[removed.id] = removed
    return list(changes.values())


def _put(item: Any, raw: bytes, key: str, stamp: Stamp) -> Put:
    if not isinstance(item, dict):
        raise BadRequest("an item must be a map")
    id = identity(item, key)
    body = stamp.on(raw, item)
    return Put(id, body, flatten(item))


def _check_shape(ops: Any) -> None:
    if not isinstance(ops, list):
        raise BadRequest("ops: a list of maps is needed")
    for number, op in enumerate(ops):
        if not isinstance(op, dict):
            raise BadRequest(f"op {number}: a map with upsert and/or delete is needed")
        for member, value in op.items():
            if member not in _MEMBERS:
                raise BadRequest(f"op {number}: {member!r} is neither upsert nor delete")
            if not isinstance(value, list):
                raise BadRequest(f"op {number}: {member} must be a list")
