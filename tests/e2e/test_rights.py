"""Who may call what: every endpoint by every right alone, generated from the declarations."""

from __future__ import annotations

from typing import Any

import pytest

from m1.api.endpoint import Endpoint
from m1.api.rooms import endpoints
from m1.catalog import KNOWN_RIGHTS
from tests.e2e.curl import post, refused
from tests.serving import Reply, Server

REFUSALS = (401, 403)

OF_THE_CONTRACT = {
    ("session/update", "POST"): {"sessionUpdate"},
    ("session/query", "POST"): {"sessionQuery"},
    ("session/query", "GET"): {"sessionQuery"},
    ("session/facets", "POST"): {"sessionQuery"},  # ours
    ("session/facets", "GET"): {"sessionQuery"},
    ("session/list", "GET"): {"get", "admin"},
    ("session/key", "POST"): {"admin"},
    ("session/add", "POST"): {"admin"},
    ("session/rename", "POST"): {"admin"},
    ("session/drop", "POST"): {"admin"},
    ("auth", "POST"): None,
    ("user/add", "POST"): {"admin"},
    ("user/update", "POST"): {"admin"},
    ("user/password", "POST"): set(),
    ("user/remove", "POST"): {"admin"},
    ("user/list", "GET"): {"admin"},
    ("user/get", "GET"): {"admin"},
    ("ping", "GET"): None,
    ("init", "GET"): None,
    ("init", "POST"): None,
    ("health", "GET"): {"admin"},
    ("system", "GET"): {"admin"},
    ("system", "POST"): {"admin"},
    ("system/{name}", "GET"): {"admin"},
    ("system/{name}", "POST"): {"admin"},
    ("metrics", "GET"): {"admin"},
    ("openapi.json", "GET"): None,
}
"""The rights any one of which will do; none at all where any token will, None without one."""

CALLS = [(endpoint, verb) for endpoint in endpoints() for verb in endpoint.verbs]


@pytest.fixture(scope="module")
def tokens(server: Server) -> dict[str, str]:
    """A token of a user for each known right alone, and of one with a right nobody knows."""
    made = {}
    for right in (*KNOWN_RIGHTS, "strange"):
        server.call("user/add", username=f"only-{right}", password="password", rights=right)
        # by an admin's token no password needs hashing
        made[right] = server.call("auth", username=f"only-{right}").text
    server.call("user/add", username="only-none", password="password", rights="")
    made["none"] = server.call("auth", username="only-none").text
    return made


def answer_to(server: Server, endpoint: Endpoint, verb: str, token: str) -> Reply:
    """Call without any parameter, so that whoever is let past changes nothing."""
    path = endpoint.path.replace("{name}", "geo")
    return post(server, path, b"", None, verb, **{"m1-auth-token": token})


def test_the_declarations_are_those_of_the_contract() -> None:
    declared = {
        (endpoint.path, verb): None if endpoint.rights is None else set(endpoint.rights)
        for endpoint, verb in CALLS
    }
    assert declared == OF_THE_CONTRACT


@pytest.mark.parametrize(
    ("endpoint", "verb"), CALLS, ids=[f"{verb} {endpoint.path}" for endpoint, verb in CALLS]
)
def test_exactly_the_declared_rights_are_let_past(
    server: Server, tokens: dict[str, str], endpoint: Endpoint, verb: str
) -> None:
    wanted = {
        right
        for right in tokens
        if endpoint.rights is None or not endpoint.rights or right in endpoint.rights
    }
    replies = {right: answer_to(server, endpoint, verb, token) for right, token in tokens.items()}
    assert {right for right, reply in replies.items() if reply.status not in REFUSALS} == wanted
    for right in tokens.keys() - wanted:
        asked = ", ".join(endpoint.rights or ())
        said = f"User only-{right} does not have requested right in set {asked}"
        assert refused(replies[right], 403) == said
    for nobodys in ("", "no.token"):
        reply = answer_to(server, endpoint, verb, nobodys)
        assert (reply.status == 401) == (endpoint.rights is not None)
        assert reply.status not in REFUSALS or endpoint.rights is not None


def test_any_one_of_several_rights_is_enough(server: Server, tokens: dict[str, str]) -> None:
    for right in ("get", "admin"):
        assert server.call("session/list", token=tokens[right]).status == 200


def test_admin_alone_neither_queries_nor_updates(server: Server, tokens: dict[str, str]) -> None:
    admin = tokens["admin"]
    refused(server.call("session/query", token=admin, store="stash", q="*"), 403)
    refused(server.call("session/update", token=admin, store="stash", ops="[]"), 403)


def test_rights_are_case_sensitive(server: Server) -> None:
    form: dict[str, Any] = {
        "username": "shouting",
        "password": "password",
        "rights": "ADMIN,sessionquery",
    }
    assert server.call("user/add", **form).status == 204
    token = server.call("auth", username="shouting").text
    refused(server.call("session/query", token=token, store="stash", q="*"), 403)
    refused(server.call("user/list", token=token), 403)


def test_only_an_admin_sets_anothers_password_or_logs_in_on_behalf(
    server: Server, tokens: dict[str, str]
) -> None:
    get = tokens["get"]
    form: dict[str, Any] = {"username": "only-publish", "password": "password2"}
    refused(server.call("user/password", token=get, **form), 403)
    refused(server.call("auth", token=get, username="only-publish"), 403)
    mine: dict[str, Any] = {"username": "only-get", "password": "password"}
    refused(server.call("auth", token=get, ttl=1_000, **mine), 403)
    refused(server.call("auth", token=get, ip="...", **mine), 403)
    refused(server.call("auth", token="", ttl=1_000, **mine), 401)
    refused(server.call("auth", token="", username="only-get"), 401)
