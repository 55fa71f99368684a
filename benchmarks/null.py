"""An endpoint that does nothing: what client, sockets and HTTP parser cost alone.

`python -m benchmarks.null` serves on a free port, prints it, and runs until ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
import uvloop


async def answer_nothing(scope: Any, receive: Any, send: Any) -> None:
    """Take the whole body and answer 204."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def null_endpoint() -> Iterator[int]:
    """Run it as a process of its own; gives the port."""
    command = [sys.executable, "-m", "benchmarks.null"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _serve() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        answer_nothing, http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    _serve()
