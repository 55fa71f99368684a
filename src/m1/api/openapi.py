"""The endpoints as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from m1 import __version__
from m1.api.endpoint import Endpoint, Parameter, Text
from m1.engine import Page
from m1.errors import M1Error, TooManyLogins, Unavailable

Part = dict[str, Any]

_JSON = "application/json"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_LINES = "application/x-ndjson"
_REFERENCE = "#/components/schemas/{name}"
_ABOUT = """\
Live sessions, kept by key and found by Lucene query as soon as they are written.

Calls carry the token that `/auth` gives in the header `m1-auth-token`. Parameters may come in the
query string, as a form, as multipart or as a JSON map; those that an endpoint does not know are
ignored. Every refusal has the body `{"message", "status"}`, and every answer the header
`m1-request-id`, by which the server's log speaks of it. A call that is not well formed may be
answered with 405, 408, 414 or 431 as well."""
_PAGE = {
    "type": "object",
    "required": ["count", "items"],
    "properties": {
        "count": {"type": "integer", "minimum": 0, "description": "how many match"},
        "items": {"type": "array", "items": {"type": "object"}},
    },
}
_ERROR = {
    "type": "object",
    "required": ["message", "status"],
    "properties": {"message": {"type": "string"}, "status": {"type": "integer"}},
    "additionalProperties": False,
}
_NUMBER = {"schema": {"type": "integer", "minimum": 0}}
_COUNT = {"m1-count": {**_NUMBER, "description": f"how many match, where the answer is {_LINES}"}}
_RETRY = {"retry-after": {**_NUMBER, "description": "after so many seconds try again"}}


def document(endpoints: Iterable[Endpoint]) -> Part:
    """Describe endpoints."""
    endpoints = list(endpoints)
    paths: dict[str, Part] = {}
    for endpoint in endpoints:
        for verb in endpoint.verbs:
            paths.setdefault(f"/{endpoint.path}", {})[verb.lower()] = _operation(endpoint, verb)
    answers = [endpoint.answer for endpoint in endpoints if _is_plain_json(endpoint)]
    _, schemas = msgspec.json.schema_components(answers, ref_template=_REFERENCE)
    token = {"type": "apiKey", "in": "header", "name": "m1-auth-token"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "m1 session stores",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Page": _PAGE, "Error": _ERROR},
            "securitySchemes": {"token": token},
        },
    }


def _operation(endpoint: Endpoint, verb: str) -> Part:
    summary, _, description = endpoint.help.partition("\n")
    in_path = [each for each in endpoint.parameters if f"{{{each.name}}}" in endpoint.path]
    others = [each for each in endpoint.parameters if each not in in_path]
    parameters = [_parameter(endpoint, each, "path") for each in in_path]
    body: Part = {}
    if verb == "GET":
        parameters += [_parameter(endpoint, each, "query") for each in others]
    elif others or endpoint.rest:
        body = {"requestBody": _body(endpoint, others)}
    return {
        "operationId": re.sub(r"\W+", "_", f"{verb.lower()} {endpoint.path}").strip("_"),
        "tags": [endpoint.path.partition("/")[0]],
        "summary": summary,
        "description": description.strip(),
        "security": _security(endpoint),
        "x-rights": endpoint.rights,
        "parameters": parameters,
        **body,
        "responses": _responses(endpoint),
    }


def _security(endpoint: Endpoint) -> list[Part]:
    if endpoint.rights is None:
        return []
    return [{"token": []}, {}] if endpoint.local else [{"token": []}]


# --- what a call brings ---


def _parameter(endpoint: Endpoint, parameter: Parameter, place: str) -> Part:
    example = endpoint.example.get(parameter.name)
    return {
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "schema": _in_text(parameter),
        **({} if example is None else {"example": example}),
    }


def _body(endpoint: Endpoint, parameters: Iterable[Parameter]) -> Part:
    """Describe a body: the same parameters in each form that they may come in."""
    parameters = list(parameters)
    names = [each.name for each in parameters]
    required = [each.name for each in parameters if each.required]
    whole: Part = {"type": "object", "required": required}
    if endpoint.rest:
        whole["additionalProperties"] = {"type": "string"}

    def described(schemas: Iterable[Mapping[str, Any]], example: Mapping[str, Any]) -> Part:
        shown = {name: value for name, value in example.items() if name in names or endpoint.rest}
        properties = dict(zip(names, schemas, strict=True))
        return {"schema": {**whole, "properties": properties}, "example": shown}

    form = described(map(_in_text, parameters), endpoint.example_texts)
    as_json = described([each.kind.schema for each in parameters], endpoint.example)
    return {"required": bool(required), "content": {_JSON: as_json, **dict.fromkeys(_FORMS, form)}}


def _in_text(parameter: Parameter) -> Mapping[str, Any]:
    """Give the schema of a parameter where nothing but text can come."""
    schema = parameter.kind.schema
    if schema["type"] == "array":
        return {"type": "string", "contentMediaType": _JSON}
    return schema


# --- what it is answered with ---


def _responses(endpoint: Endpoint) -> Part:
    refusals = {str(error.status): _refusal(error) for error in endpoint.refusals}
    return {**_success(endpoint), **refusals}


def _success(endpoint: Endpoint) -> Part:
    if endpoint.answer is type(None):
        return {"204": {"description": "It is done."}}
    content: Part
    if endpoint.answer is Text:
        content = {endpoint.media.partition(";")[0]: {"schema": {"type": "string"}}}
    elif endpoint.answer is Page:
        lines = {"schema": {"type": "string"}}
        content = {_JSON: {"schema": _reference("Page")}, _LINES: lines}
        return {"200": {"description": "What was found.", "headers": _COUNT, "content": content}}
    else:
        (schema,), _ = msgspec.json.schema_components([endpoint.answer], ref_template=_REFERENCE)
        content = {_JSON: {"schema": schema}}
    return {"200": {"description": "The answer.", "content": content}}


def _is_plain_json(endpoint: Endpoint) -> bool:
    return endpoint.answer not in (type(None), Text, Page)


def _refusal(error: type[M1Error]) -> Part:
    return {
        "description": error.__doc__,
        "content": {_JSON: {"schema": _reference("Error")}},
        **({"headers": _RETRY} if error in (Unavailable, TooManyLogins) else {}),
    }


def _reference(name: str) -> Part:
    return {"$ref": _REFERENCE.format(name=name)}
