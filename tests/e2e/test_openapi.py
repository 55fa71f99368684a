"""The server's own description of itself: valid, and true of every answer it gives."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup, ServerError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from m1.api.endpoint import Endpoint
from m1.api.openapi import document
from m1.api.rooms import endpoints
from tests.crash.tier import rounds
from tests.e2e.curl import post
from tests.e2e.plug import Plug
from tests.serving import Reply, Server, serving
from tests.waiting import until

STORES = {"stash": True, "visits": False, "sessions": False}
"""The stores that the examples speak of, and whether they must be there before."""
USER: dict[str, Any] = {"username": "ada", "password": "correct horse"}
CALLS = [(endpoint, verb) for endpoint in endpoints() for verb in endpoint.verbs]
NAMES = [f"{verb} {endpoint.path}" for endpoint, verb in CALLS]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

described = schemathesis.openapi.from_dict(document(endpoints()))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of our own, with a second admin whose password nothing changes."""
    with serving(tmp_path_factory.mktemp("shown")) as started:
        started.log_in()
        keeper: dict[str, Any] = {"username": "keeper", "password": "password"}
        assert started.call("user/add", **keeper, rights="admin").status == 204
        started.token = started.call("auth", token="", **keeper).text
        yield started


def prepare(server: Server) -> None:
    """Make what the examples speak of."""
    for store, there in STORES.items():
        if there:
            server.call("session/add", store=store, shards=1, replicas=1)
        else:
            server.call("session/drop", store=store)
    for user in ("ada", "grace"):
        server.call("user/remove", username=user)
    assert server.call("user/add", **USER, rights="get").status == 204


def admin(server: Server) -> str:
    """Give a token of the user with every right, whatever became of its password."""
    return server.call("auth", username="admin").text


def test_it_is_served_to_everybody_and_valid(shown: Server) -> None:
    reply = shown.call("openapi.json", token="")
    assert reply.status == 200
    assert reply.json == msgspec.json.decode(msgspec.json.encode(document(endpoints())))
    OpenAPIV31SpecValidator(reply.json).validate()
    assert {
        f"{verb.upper()} {path[1:]}"
        for path, verbs in reply.json["paths"].items()
        for verb in verbs
    } == set(NAMES)


@pytest.mark.parametrize("way", ["form", "json"])
@pytest.mark.parametrize(("endpoint", "verb"), CALLS, ids=NAMES)
def test_every_example_works(
    shown: Server, tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint, verb: str, way: str
) -> None:
    with ExitStack() as stack:
        server, token = shown, ""
        if (endpoint.path, verb) == ("init", "POST"):  # once, on a new one
            server = stack.enter_context(serving(tmp_path_factory.mktemp("first")))
        else:
            prepare(server)
            token = admin(server)
        assert call(server, endpoint, verb, token, way).status in (200, 204)


def call(server: Server, endpoint: Endpoint, verb: str, token: str, way: str) -> Reply:
    """Make the call that an endpoint has as its example."""
    path, given = endpoint.path, dict(endpoint.example)
    if "{name}" in path:
        path = path.replace("{name}", given.pop("name"))
    if way == "json":
        return post(server, path, msgspec.json.encode(given), verb=verb, **{"m1-auth-token": token})
    texts = {name: text for name, text in endpoint.example_texts.items() if name in given}
    kind = "application/x-www-form-urlencoded"
    body = urlencode(texts).encode()
    return post(server, path, body, kind, verb, **{"m1-auth-token": token})


@described.parametrize()
@settings(
    max_examples=rounds(commit=50, torture=1_000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_is_other_than_described(shown: Server, case: schemathesis.Case[Any]) -> None:
    shown.call("session/add", store="stash", shards=1, replicas=1)
    case.call_and_validate(shown.url, headers={"m1-auth-token": admin(shown)}, checks=CHECKS)


@pytest.mark.parametrize("fault", ["status", "body"])
def test_an_answer_that_is_other_than_described_is_found(shown: Server, fault: str) -> None:
    wrong = document(endpoints())
    success = wrong["paths"]["/session/list"]["get"]["responses"]
    if fault == "status":
        success["201"] = success.pop("200")
    else:
        wrong["components"]["schemas"]["StoreInfo"]["properties"]["shards"] = {"type": "string"}
    shown.call("session/add", store="stash", shards=1, replicas=1)
    case = schemathesis.openapi.from_dict(wrong)["/session/list"]["GET"].Case()
    with pytest.raises(FailureGroup):
        case.call_and_validate(shown.url, headers={"m1-auth-token": admin(shown)}, checks=CHECKS)


def test_an_answer_5xx_is_found_though_it_is_described(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Plug(server) as begun:
        server.add_stash()
        begun.send(b"G")  # what has begun keeps it from ending
        server.call("ping")  # what was sent before it has arrived
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.call("ping").status == 503, "it answers as ever")
        case = described["/session/list"]["GET"].Case()
        with pytest.raises(FailureGroup) as found:
            case.call_and_validate(
                server.url, headers={"m1-auth-token": server.token}, checks=CHECKS
            )
        assert [type(each) for each in found.value.exceptions] == [ServerError]
