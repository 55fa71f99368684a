"""What a hostile server can do to who calls it by the command `m1`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_cli import M1, Recorder, recorder, refused, saying
from tests.e2e.test_transfer import one_line

__all__ = ["recorder"]

OBEYED = "\x1b]0;owned\x07\x1b[2J\x9b1m\u202e"
STASH = b'[{"name":"stash","key":"session.id","shards":1,"replicas":1}]'
ENDLESS = 96
"""MiB, more than an answer that is read whole may have."""


@pytest.fixture
def m1(tmp_path: Path) -> M1:
    """The command, with no environment yet."""
    return M1(tmp_path / "home")


def is_shown(text: str) -> bool:
    """Tell whether a terminal shows all of a text, and obeys none of it."""
    return all(character.isprintable() or character in "\n\t" for character in text)


def test_a_terminal_obeys_no_status_line(m1: M1) -> None:
    with saying(f"{OBEYED}\r\n\r\n".encode("latin-1", "ignore")) as url:
        said = refused(m1(url, "ping"), 3)
    assert "owned" in said
    assert is_shown(said)


@pytest.mark.parametrize("status", [400, 404, 503])
def test_a_terminal_obeys_no_refusal(m1: M1, recorder: Recorder, status: int) -> None:
    message = f'{{"message": "{OBEYED}"}}'.replace("\x1b", "\\u001b").replace("\x07", "\\u0007")

    def answer(handler: Any) -> None:
        if handler.path == "/session/query":
            handler.begin(Transfer_Encoding="chunked", m1_count="1")
            handler.chunk(b'{"session":{"id":"a"},"_m1":{}}\n')
            handler.chunk(b"")
        elif handler.path == "/session/list":
            handler.say(200, STASH)
        elif handler.path == "/session/update":
            handler.say(400, message.encode())
        else:
            handler.say(200 if handler.path == "/session/add" else status, message.encode())

    recorder.answer = answer
    there, here = recorder.url, recorder.url
    for arguments in (
        (here, "ping"),
        ("copy", there, "-store", "stash", "-to", here),
        ("auth", here, "-username", "u", "-password", "p"),
    ):
        done = m1(*arguments)
        said = done.stderr.decode()
        assert done.returncode in (1, 2), said
        assert "owned" in said
        assert is_shown(said), said


@pytest.mark.parametrize("token", [b"", b"\xff", b"a\nb", b"<html></html>\n", b"t" * 10_000])
def test_what_is_no_token_is_not_kept(m1: M1, recorder: Recorder, token: bytes) -> None:
    recorder.answer = lambda handler: handler.say(200, token)
    said = refused(m1("auth", recorder.url, "-username", "u", "-password", "p"), 3)
    assert "no server of ours" in said
    assert not (m1.home / "environments.json").exists()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_follows_no_redirect(m1: M1, recorder: Recorder, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/session/list"
        recorder.answer = lambda handler: handler.say(status, b"", Location=place)
        m1("environments", "add", "there", recorder.url)
        said = refused(m1("there", "session/list", M1_TOKEN="marked"), 1)
        assert said.startswith(f"{status} ")
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert [each.headers["m1-auth-token"] for each in recorder.seen] == ["marked"]


@pytest.mark.parametrize("stores", [b"rubbish", b"{}", b"[1]", b'[{"name":"stash"}]', b"[" * 5_000])
def test_stores_that_cannot_be_read_are_said_in_one_line(
    m1: M1, recorder: Recorder, tmp_path: Path, stores: bytes
) -> None:
    recorder.answer = lambda handler: handler.say(200, stores)
    (tmp_path / "a.ndjson").write_text("{}\n")
    done = m1("import", recorder.url, "-store", "stash", "-file", str(tmp_path / "a.ndjson"))
    assert "no server of ours" in one_line(done, 3)


@pytest.mark.parametrize("item", [b"rubbish", b"[]", b'{"a":' * 9_000, b'{"a":{"b":1}', b"\xff"])
def test_items_that_are_none_leave_no_table_and_no_copy(
    m1: M1, recorder: Recorder, tmp_path: Path, item: bytes
) -> None:
    def answer(handler: Any) -> None:
        if handler.path == "/session/query":
            handler.begin(Transfer_Encoding="chunked", m1_count="1")
            handler.chunk(item + b"\n")
            handler.chunk(b"")
        else:
            handler.say(200, STASH)

    recorder.answer = answer
    file = tmp_path / "a.csv"
    one_line(m1("export", recorder.url, "-store", "stash", "-file", str(file)), 2)
    assert not list(tmp_path.glob("a.*"))
    one_line(m1("copy", recorder.url, "-store", "stash", "-to", recorder.url), 2)


def test_what_is_read_whole_has_an_end(m1: M1, recorder: Recorder, tmp_path: Path) -> None:
    def answer(handler: Any) -> None:
        handler.begin(Transfer_Encoding="chunked")
        for _ in range(ENDLESS):
            handler.chunk(b" " * 2**20)

    recorder.answer = answer
    (tmp_path / "a.ndjson").write_text("{}\n")
    done = m1("import", recorder.url, "-store", "stash", "-file", str(tmp_path / "a.ndjson"))
    assert "longer than 64 MiB" in one_line(done, 3)
