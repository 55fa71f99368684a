"""The audit log: who administered what, from where; nothing secret, nothing forged."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from m1.api.rooms import endpoints
from m1.server.log import formatter
from tests.e2e.curl import post
from tests.e2e.test_serve import COMMAND
from tests.serving import Server, serving
from tests.waiting import until

AUDITED = re.compile(r"[0-9T:.-]+Z AUDIT \[[0-9a-f]{16}\] (\{.*\})")
NOT_AUDITED = {"session/update"}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server whose log is ours alone."""
    with serving(tmp_path) as started:
        yield started


def audits(server: Server) -> list[dict[str, Any]]:
    """Give the lines of the audit log so far."""
    found = map(AUDITED.fullmatch, server.logged().splitlines())
    return [json.loads(line[1]) for line in found if line]


def test_all_that_changes_anything_but_items_is_audited() -> None:
    unwritten = {each.path for each in endpoints() if "GET" not in each.verbs and not each.audited}
    assert unwritten == NOT_AUDITED


def test_it_tells_who_did_what_from_where_and_how_it_ended(own: Server) -> None:
    own.log_in()
    own.call("session/add", store="stash", shards=1, replicas=1)
    own.call("session/add", store="stash", shards=1, replicas=1)
    own.call("session/add", store="other", shards="x", replicas=1)
    several: dict[str, Any] = {"geo": "false", "password-min-length": "9"}
    own.call("system", **several)
    own.call("system/geo", value="true")
    own.call("system/geo", value="marked")
    own.call("system/passwrod", value="marked")
    own.call("system", **{**several, "passwrod": "marked"})
    own.call("user/add", username="ada", password="password 1", rights="get")
    own.call("auth", username="ada")
    ada = own.call("auth", token="", username="ada", password="password 1").text
    own.call("session/drop", token=ada, store="stash")
    own.call("auth", token="", username="ada", password="password 2")
    written = [
        (each["user"], each["call"], each["parameters"], each["status"]) for each in audits(own)
    ]
    stash = {"store": "stash", "shards": 1, "replicas": 1, "key": None}
    first: dict[str, Any] = {"username": "admin", "bucket": None}
    nobody = {"ip": None, "ttl": None}
    assert written == [
        (None, "init", first, 204),
        (None, "auth", {"username": "admin", **nobody}, 200),
        ("admin", "session/add", stash, 204),
        ("admin", "session/add", stash, 409),
        ("admin", "session/add", {}, 400),
        ("admin", "system", {"settings": several}, 204),
        ("admin", "system/{name}", {"name": "geo", "value": "true"}, 204),
        ("admin", "system/{name}", {"name": "geo"}, 400),
        ("admin", "system/{name}", {"name": "passwrod"}, 404),
        ("admin", "system", {"settings": ["geo", "password-min-length", "passwrod"]}, 404),
        ("admin", "user/add", {"username": "ada", "rights": ["get"]}, 204),
        ("admin", "auth", {"username": "ada", **nobody}, 200),
        (None, "auth", {"username": "ada", **nobody}, 200),
        ("ada", "session/drop", {}, 403),
        (None, "auth", {"username": "ada", **nobody}, 401),
    ]
    assert {each["address"] for each in audits(own)} == {"127.0.0.1"}


def test_reads_updates_and_strangers_are_not_in_it(own: Server) -> None:
    own.log_in()
    own.call("session/add", store="stash", shards=1, replicas=1)
    before = audits(own)
    own.call("session/update", store="stash", ops='[{"upsert": [{"session": {"id": "a"}}]}]')
    own.call("session/query", store="stash", q="*")
    own.call("user/list")
    own.call("session/drop", token="no.token", store="stash")
    assert audits(own) == before


def test_strangers_cannot_fill_the_log(own: Server) -> None:
    own.log_in()
    before = own.logged()
    for _ in range(300):
        own.call("auth", token="", username="x", ttl=1)
        own.call("init", token="", username="x", password="y" * 900)

    def told_of_the_rest() -> bool:
        own.call("auth", token="", username="x", ttl=1)
        return "more refusals of strangers were not written" in own.logged()

    until(told_of_the_rest, "the rest is passed over in silence")
    assert 10 < own.logged().removeprefix(before).count("AUDIT") < 150


def test_no_input_forges_a_line_or_fills_the_log(own: Server) -> None:
    own.log_in()
    said = '{"call": "user/add", "user": "eve", "status": 204}'
    line = f"2026-01-01T00:00:00.000Z AUDIT [0123456789abcdef] {said}"
    assert AUDITED.fullmatch(line)
    before = len(audits(own))
    for name in (
        f"x\n{line}",
        f"x\r{line}",
        f"x\u2028{line}",
        f'"}}\n{line}',
        "\x1b[2J",
        "y" * 60_000,
    ):
        own.call("session/rename", store=name, name=name)
        own.call("auth", username=name, password="wrong")
        own.call(f"session/{name[:100].encode().hex()}", "POST", a=name)
    written = audits(own)[before:]
    assert len(written) == 12
    assert "eve" not in {each["user"] for each in written}
    lines = own.logged().splitlines()
    assert len(lines) == before + 12
    assert max(map(len, lines)) < 3_000
    assert all(character.isprintable() for text in lines for character in text)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_exceptions_text_forges_no_line(log_format: str) -> None:
    line = "2026-01-01T00:00:00.000Z AUDIT [0123456789abcdef] {}"
    assert AUDITED.match(line)
    try:
        raise ValueError(f"x\n{line}\r{line}")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("m1", logging.ERROR, "", 0, f"y\n{line}", (), info)
    lines = re.split(r"[\r\n]", formatter(log_format).format(record))
    assert len(lines) > 1 or log_format == "json"
    assert not any(AUDITED.match(each) for each in lines)


def forms_of(mark: str) -> list[bytes]:
    """Give what a text looks like where it is kept or written down, hashed by itself included."""
    raw = mark.encode()
    forms = [raw, raw[::-1], raw.hex().encode(), mark.encode("utf-16-le"), quote(mark).encode()]
    for shift in range(3):  # wherever it begins in what is written in base64
        begun = base64.b64encode(b"x" * shift + raw)
        forms.append(begun[4 if shift else 0 : -4])
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, raw)
        forms += [digest.digest(), digest.hexdigest().encode()]
        forms.append(base64.b64encode(digest.digest()).rstrip(b"="))
    return forms


def reveals(kept: bytes, mark: str) -> bool:
    """Tell whether a text stands in what is kept, in any form."""
    return any(form in kept for form in forms_of(mark))


def test_control_a_secret_in_any_form_would_be_found() -> None:
    for form in forms_of("marked-password-5cc1"):
        assert reveals(b"..." + form + b"...", "marked-password-5cc1")
    assert not reveals(b"marked-passw0rd-5cc1", "marked-password-5cc1")
    assert reveals(base64.b64encode(b"ab marked-password-5cc1 ab"), "marked-password-5cc1")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_secret_is_in_any_file_and_nothing_that_is_sent_in_the_log(
    tmp_path: Path, log_format: str
) -> None:
    marks = [
        f"marked-{what}-5cc1" for what in ("password", "second", "guess", "init", "item", "query")
    ]
    first, second, guess, init, item, query = marks
    (tmp_path / "secret").write_text(init)
    flags = ("--init-secret-file", str(tmp_path / "secret"), "--log-format", log_format)
    with serving(tmp_path, *flags) as server:
        ran = partial(
            subprocess.run, env=server.environment, check=True, capture_output=True, timeout=30
        )
        server.call("init", username="admin", password=first, secret=guess)
        server.call("init", username="admin", password=first, secret=init)
        server.token = server.call("auth", username="admin", password=first).text
        server.call("auth", username="admin", password=guess)
        server.call("user/add", username="ada", password=second, rights="get")
        server.call("user/add", username="eve", password=second, rights="get")
        server.call("user/password", username="ada", password=guess)
        server.call("user/password", "POST", token=f"{server.token}x", password=guess)
        server.call("user/add", username="bob", passwrod=guess, rights="get")
        server.call(f"auth?password={guess}&{server.token}", "POST", username="admin")
        server.call("session/add", store="stash", shards=1, replicas=1)
        for ops in (f'[{{"upsert": [{{"session": {{"id": "{item}"}}}}]}}]', f"[{item}", item):
            server.call("session/update", store="stash", ops=ops)
        for q in (query, f"({query}", f"{query}:[1 TO"):
            server.call("session/query", store="stash", q=q)
        post(server, "auth", f'{{"username": "admin", "password": "{guess}"'.encode())
        post(server, f"nowhere/{query}", query.encode(), query, **{"m1-other": query})
        post(server, "auth", b"%ff" + guess.encode(), None)
        ran([COMMAND, "auth", server.url, "-username", "admin", "-password", first])
        ran([COMMAND, "backup", "--data", tmp_path / "data", "--to", tmp_path / "backup"])
        said, token = server.logged(), server.token
        hashes = set(HASH.findall((tmp_path / "backup").read_bytes()))
        running = kept_in(tmp_path)
    assert "ada" in said, "what should be there is not looked at"
    for mark in marks:
        assert not reveals(said.encode(), mark), mark
    assert token not in said
    for kept in (running, kept_in(tmp_path)):
        assert b"ada" in kept
        for mark in (first, second, guess, token):
            assert not reveals(kept, mark), mark
    assert len(hashes) == 3, "of one password for two users"


HASH = re.compile(rb"\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]+\$[\w+/]+")


def kept_in(directory: Path) -> bytes:
    """Give all that is in files, but for the token that the client keeps for its user."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    mine = directory / "home" / "environments.json"
    kept = [each.read_bytes() for each in files if each not in (mine, directory / "secret")]
    tokens = [each["token"].encode() for each in json.loads(mine.read_text()).values()]
    return b"\n".join([*kept, *(mine.read_bytes().replace(token, b"") for token in tokens)])
