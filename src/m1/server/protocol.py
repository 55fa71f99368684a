"""HTTP on one connection: uvicorn's, with our answer to what is not HTTP at all."""

from __future__ import annotations

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """Refuses a request that cannot be parsed with the one error body."""

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, and end the connection: where the next request begins is unknown."""
        body = msgspec.json.encode({"message": msg, "status": 400})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
