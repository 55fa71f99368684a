"""JSON text, read without losing anything and extended without being rewritten.

`read` refuses what other readers silently change: a key given twice, numbers beyond a
double, unpaired surrogates, anything nested too deep to be written back. `extend` adds
values to an object's own text, so that what a client sent is what it gets back.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from m1.errors import NotJson

MAX_LEVELS = 200

encode = msgspec.json.encode
decode = msgspec.json.Decoder().decode
"""Reads what `read` took before, without looking for repeated keys again."""
_SPACE_BEFORE_COLON = re.compile(rb'"[ \t\n\r]+:')
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read(text: bytes) -> Any:
    """Read JSON text into plain Python values; whole numbers are exact at any size.

    Raises NotJson, saying at which byte, for anything that is not strict JSON, and for
    a key that stands twice in one object.
    """
    try:
        value = decode(text)
        _refuse_repeated_keys(text, value)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotJson(_plain_reason(error)) from None
    return value


def _plain_reason(error: Exception) -> str:
    """Say what is wrong with a JSON text in the words of this product."""
    if isinstance(error, UnicodeDecodeError):
        return "not valid UTF-8"
    if isinstance(error, RecursionError):
        return _too_deep().message
    reason = str(error).removeprefix("JSON is malformed: ")
    return reason.replace("Input data was truncated", "the JSON text ends too early")


def _too_deep() -> NotJson:
    return NotJson(f"nested deeper than {MAX_LEVELS} levels")


def _refuse_repeated_keys(text: bytes, value: Any) -> None:
    """Raise NotJson where an object has a key twice.

    None was lost where what was read, written again, is the text, as it mostly is. Where a text
    has no escapes and no space before a colon, `":` stands in it once for each member and
    nowhere else, so it is enough that there are as many. Other texts take the long way.
    """
    again = encode(value)
    if again == text:
        return
    plain = b"\\" not in text and not _SPACE_BEFORE_COLON.search(text)
    if not plain or text.count(b'":') != again.count(b'":'):
        json.loads(text, object_pairs_hook=_unique_keys)


def _unique_keys(members: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in members:
        if key in seen:
            raise NotJson(f"the key {json.dumps(key)} stands twice in one object")
        seen.add(key)


def extend(text: bytes, value: dict[str, Any], additions: dict[str, Any]) -> bytes:
    """Add members to an object's JSON text, and to `value`, which is what the text reads as.

    A map added onto a map is merged into it, anything else takes the place of what was
    there. What is not touched keeps its own spelling, byte for byte.
    """
    if not additions:
        return text
    if value.keys().isdisjoint(additions):
        head = text.rstrip()[:-1] + (b"," if value else b"")
        value.update(additions)
        return head + encode(additions)[1:]
    members = _decode_members(text)
    for key, added in additions.items():
        present = value.get(key)
        if isinstance(present, dict) and isinstance(added, dict):
            members[key] = msgspec.Raw(extend(bytes(members[key]), present, added))
        else:
            members[key] = msgspec.Raw(encode(added))
            value[key] = added
    return encode(members)
