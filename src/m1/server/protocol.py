"""HTTP on one connection: uvicorn's, with our answer to what is not HTTP, and to an end."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from m1.server.app import App


class Protocol(HttpToolsProtocol):
    """Refuses a request that cannot be parsed with the one error body."""

    _receiving = False

    @property
    def is_busy(self) -> bool:
        """Whether a request that was not too late has begun to come, or is not answered yet."""
        cycles = [cycle for cycle, _ in self.pipeline] + ([self.cycle] if self.cycle else [])
        return (
            self._receiving
            or any(
                not cast(Any, each.scope)["late"] and not each.response_complete for each in cycles
            )
            or self.transport.get_write_buffer_size() > 0
        )

    def on_message_begin(self) -> None:
        """Take note of a request that comes too late."""
        super().on_message_begin()
        late = cast(App, self.app).ending
        self._receiving = not late
        cast(Any, self.scope)["late"] = late

    def on_headers_complete(self) -> None:
        """From here on the request is in a cycle of uvicorn's."""
        super().on_headers_complete()
        self._receiving = False

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, and end the connection: where the next request begins is unknown."""
        body = msgspec.json.encode({"message": msg, "status": 400})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
