"""Ways to speak to a server that `Server.call` does not have: the real curl, and raw bodies."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
from typing import Any

from tests.serving import Reply, Server


def curl(server: Server, path: str, *arguments: str | bytes, token: str | None = None) -> Reply:
    """Run curl as a user would, with the token in the header (none where it is "")."""
    token = server.token if token is None else token
    header = ["-H", f"m1-auth-token: {token}"] if token else []
    command = ["curl", "-q", "-sS", "-i", "--noproxy", "*", "--max-time", "30", *header]
    ran = subprocess.run(
        [*command, f"{server.url}/{path}", *arguments], capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    head, _, body = ran.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Reply(int(first.split()[1]), body.decode(), headers)


def post(
    server: Server,
    path: str,
    body: bytes,
    kind: str | None = "application/json",
    verb: str = "POST",
    **headers: str,
) -> Reply:
    """Send a body byte for byte, with a content type or none."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=60)
    sent = {"m1-auth-token": server.token, **headers}
    if kind is not None:
        sent["Content-Type"] = kind
    try:
        connection.request(verb, "/" + path, body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read().decode(), dict(answer.getheaders()))
    finally:
        connection.close()


def header(reply: Reply, name: str) -> str | None:
    """Give a header of an answer, however its name is written."""
    return next((v for k, v in reply.headers.items() if k.lower() == name.lower()), None)


def refused(reply: Reply, status: int) -> str:
    """Check that an answer is the one error body, and give its message."""
    assert reply.status == status, (reply.status, reply.text)
    assert header(reply, "content-type") == "application/json", reply.headers
    assert reply.json.keys() == {"message", "status"}, reply.text
    assert reply.json["status"] == status
    message: str = reply.json["message"]
    assert message
    return message


_numbers = itertools.count()


def fresh(server: Server) -> str:
    """Make a store whose name does not matter."""
    return add_store(server, f"fresh-{next(_numbers)}")


def add_store(server: Server, name: str, **parameters: Any) -> str:
    """Make a store of a test's own, and give its name."""
    reply = server.call("session/add", store=name, shards=1, replicas=1, **parameters)
    assert reply.status == 204, reply.text
    return name


def update(server: Server, store: str, *ops: Any) -> Reply:
    """Send ops that are plain values."""
    return server.call("session/update", store=store, ops=json.dumps(ops))


def upsert(server: Server, store: str, *items: Any) -> None:
    """Put items by a JSON body, the fastest way, and insist."""
    body = json.dumps({"store": store, "ops": [{"upsert": list(items)}]})
    reply = post(server, "session/update", body.encode())
    assert reply.status == 204, reply.text
    assert reply.text == ""


def session(id: Any, **values: Any) -> dict[str, Any]:
    """Make an item with the default key."""
    return {"session": {"id": id}, **values}


def found(server: Server, store: str, q: str = "*", **parameters: Any) -> list[Any]:
    """Query, and give the items without what the server added."""
    reply = server.call("session/query", store=store, q=q, **{"rows": 1_000, **parameters})
    assert reply.status == 200, reply.text
    return [{k: v for k, v in item.items() if k != "_m1"} for item in reply.json["items"]]


def ids(server: Server, store: str, q: str = "*", **parameters: Any) -> list[Any]:
    """Query, and give the values at session.id."""
    return [item["session"]["id"] for item in found(server, store, q, **parameters)]
