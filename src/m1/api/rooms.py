"""All endpoints there are, and what to say about them."""

from __future__ import annotations

import re
import shlex
from functools import cached_property
from typing import Any

from m1.api.auth import AuthApi
from m1.api.endpoint import Call, Endpoint, Parameter, Text, declared_in, endpoint
from m1.api.facets import FacetApi
from m1.api.openapi import document
from m1.api.services import Services
from m1.api.session import SessionApi
from m1.api.system import SystemApi
from m1.api.user import UserApi
from m1.engine import Page


class DescriptionApi:
    """What machines want to know of the endpoints."""

    def __init__(self, services: Services) -> None:
        pass

    @cached_property
    def _document(self) -> dict[str, Any]:
        """The same for everybody, who may ask without a token: made once."""
        return document(endpoints())

    @endpoint("openapi.json", verbs=("GET",), rights=None)
    async def openapi(self, call: Call) -> dict[str, Any]:
        """Describe all endpoints in OpenAPI 3.1."""
        return self._document


ROOMS = (SessionApi, FacetApi, AuthApi, UserApi, SystemApi, DescriptionApi)
"""The classes that declare endpoints."""


def endpoints() -> list[Endpoint]:
    """Give every endpoint, in the order of the paths."""
    found = [each for each, _ in declared_in(*ROOMS)]
    return sorted(found, key=lambda each: (each.path, each.verbs))


def overview() -> str:
    """List the endpoints, a line each."""
    width = max(len(endpoint.path) for endpoint in endpoints())
    return "\n".join(
        f"  {endpoint.path:{width}}  {endpoint.verbs[0]:4}  {endpoint.help.splitlines()[0]}"
        for endpoint in endpoints()
    )


def describe(path: str) -> str | None:
    """Describe the endpoints of a path, None where there is none."""
    found = [endpoint for endpoint in endpoints() if endpoint.path == path]
    return "\n\n".join(map(_description, found)) or None


def _description(endpoint: Endpoint) -> str:
    lines = [
        f"{' or '.join(endpoint.verbs)} /{endpoint.path}",
        "",
        endpoint.help,
        "",
        f"rights: {rights_text(endpoint)}",
        f"answer: {answer_text(endpoint)}",
        f"refusals: {refusals_text(endpoint)}",
    ]
    if endpoint.parameters:
        width = max(len(parameter.name) for parameter in endpoint.parameters)
        lines += ["parameters:"]
        lines += [
            f"  {parameter.name:{width}}  {parameter.kind.name:8}  {need_text(parameter)}"
            for parameter in endpoint.parameters
        ]
    elif endpoint.rest:
        lines += ["parameters: any of the names that it takes"]
    lines += ["", f"example: {example_text(endpoint)}"]
    return "\n".join(lines)


def rights_text(endpoint: Endpoint) -> str:
    """Say who may call an endpoint."""
    if endpoint.rights is None:
        return "none, and no token"
    rights = " or ".join(endpoint.rights) or "none, but a token"
    return (
        f"{rights}; none on the server's machine with --local-metrics" if endpoint.local else rights
    )


def answer_text(endpoint: Endpoint) -> str:
    """Say what an endpoint answers."""
    if endpoint.answer is type(None):
        return "204, nothing"
    if endpoint.answer is Text:
        return "200, plain text"
    return "200, JSON, streamed" if endpoint.answer is Page else "200, JSON"


def refusals_text(endpoint: Endpoint) -> str:
    """Say with which statuses a call may be refused."""
    return ", ".join(str(error.status) for error in endpoint.refusals)


def example_text(endpoint: Endpoint) -> str:
    """Show a call by the client; a `{name}` in the path stands where it belongs."""
    texts = endpoint.example_texts
    path = re.sub(r"{(\w+)}", lambda name: texts.pop(name[1]), endpoint.path)
    given = [f"-{name} {shlex.quote(text)}" for name, text in texts.items()]
    return " ".join([f"m1 local {path}", *given])


def need_text(parameter: Parameter) -> str:
    """Say whether a parameter is needed, and what it is when it is not there."""
    if parameter.required:
        return "required"
    return "optional" if parameter.default is None else f"optional, {parameter.default}"
