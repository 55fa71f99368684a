"""From a request to its parameters, in every form that clients send them.

The query string, `application/x-www-form-urlencoded` as `curl -d` really sends it (raw
spaces, quotes, braces and line ends included), `multipart/form-data` and a JSON object all
give the same: a value a name. A name given twice is refused, wherever it stands.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import falcon.uri
import msgspec
from falcon.media import MultipartFormHandler
from falcon.media.multipart import BodyPart, MultipartParseError

from m1.api.endpoint import Json, Value
from m1.errors import BadRequest, NotJson
from m1.jsontext import read

MAX_FIELDS = 1_000

_URLENCODED = ("", "application/x-www-form-urlencoded")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOT_ENCODED = re.compile(rb'[ "{}\[\]\n\\]')
_json_slices = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_form(query: bytes, content_type: str, body: bytes) -> dict[str, Value]:
    """Read the parameters of a request; raises BadRequest that names the bad one."""
    fields = list(_urlencoded(query)) if query else []
    kind = _kind(content_type)
    if not body:
        pass
    elif kind in _URLENCODED:
        fields += _urlencoded(body)
    elif kind == "multipart/form-data":
        fields += _multipart(body, content_type)
    elif kind == "application/json":
        fields += _json(body)
    else:
        raise BadRequest(
            f"a body of the type {kind!r} cannot be read: send application/x-www-form-urlencoded, "
            "multipart/form-data or application/json"
        )
    values: dict[str, Value] = {}
    for name, value in fields:
        if name in values:
            raise BadRequest(f"{name}: this parameter is given twice")
        values[name] = value
    return values


def sent_unencoded(content_type: str, body: bytes) -> bool:
    """Tell whether a form came as `curl -d` sends it, its values as they were typed."""
    return _kind(content_type) in _URLENCODED and _NOT_ENCODED.search(body) is not None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _urlencoded(text: bytes) -> Iterator[tuple[str, Value]]:
    if text.count(b"&") >= MAX_FIELDS:
        raise BadRequest(f"a form may have at most {MAX_FIELDS} fields")
    for piece in text.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            named = _decoded(name, "a parameter's name")
            yield named, _decoded(value, named)


def _decoded(piece: bytes, name: str) -> str:
    """Undo the form encoding; raises BadRequest.

    falcon's decoder is fast, but leaves a bad escape as it is and puts U+FFFD for bad UTF-8.
    Both show in the length: every escape stands for one byte.
    """
    try:
        text = piece.decode()
        decoded: str = falcon.uri.decode(text)
        if len(decoded.encode()) != len(piece) - 2 * piece.count(b"%") or "\ufffd" in decoded:
            _check_escapes(piece, name)
            decoded = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{name}: not valid UTF-8") from None
    return decoded


def _check_escapes(piece: bytes, name: str) -> None:
    if _BAD_ESCAPE.search(piece):
        raise BadRequest(
            f"{name}: a % must be followed by two hexadecimal digits (write %25 for the character)"
        )


_multipart_handler = MultipartFormHandler()
_multipart_handler.parse_options.max_body_part_count = MAX_FIELDS
_multipart_handler.parse_options.max_body_part_buffer_size = 2**62


def _multipart(body: bytes, content_type: str) -> Iterator[tuple[str, Value]]:
    try:
        form = _multipart_handler.deserialize(io.BytesIO(body), content_type, len(body))
        for part in form:
            name = _part_name(part)
            try:
                yield name, part.get_data().decode()
            except UnicodeDecodeError:
                raise BadRequest(f"{name}: not valid UTF-8") from None
    except (MultipartParseError, falcon.HTTPInvalidHeader) as error:
        reason = error.description or error.title
        raise BadRequest(f"the multipart form cannot be read: {reason}") from None


def _part_name(part: BodyPart) -> str:
    try:
        name = part.name
    except UnicodeDecodeError:
        raise BadRequest("the name of a part of the multipart form is not valid UTF-8") from None
    if name is None:
        raise BadRequest("a part of the multipart form has no name")
    return name


def _json(body: bytes) -> Iterator[tuple[str, Value]]:
    try:
        members = read(body)
        if not isinstance(members, dict):
            raise NotJson("an object is needed")
    except NotJson as error:
        raise BadRequest(f"the JSON body cannot be read: {error.message}") from None
    if len(members) > MAX_FIELDS:
        raise BadRequest(f"a form may have at most {MAX_FIELDS} fields")
    slices = _json_slices(body)
    for name, value in members.items():
        if value is not None:
            yield name, value if isinstance(value, str) else Json(bytes(slices[name]), value)
