"""The answering side of one HTTP request: a complete response, or a stream of bytes."""

from collections.abc import Iterable

from gateway.transcoding.asgi import Send
from gateway.transcoding.http_message import HttpResponse, encode_headers


class Exchange:
    """Sends one answer; knows whether its status has left."""

    def __init__(self, send: Send, *, is_head: bool) -> None:
        self._send = send
        self.is_head = is_head
        self.started = False

    async def respond(self, response: HttpResponse) -> None:
        """Send a complete answer; to HEAD its headers only."""
        headers = encode_headers(response.headers)
        if response.status not in (
            204,
            304,
        ):  # RFC 9110: no Content-Length with 204; with 304 it would speak of another answer
            headers.append((b"content-length", str(len(response.body)).encode("ascii")))
        await self._start(response.status, headers)
        await self._send({"type": "http.response.body", "body": b"" if self.is_head else response.body})

    async def start_stream(self, headers: Iterable[tuple[str, str]]) -> None:
        """Send the head of a stream that answers 200."""
        await self._start(200, encode_headers(headers))

    async def write(self, data: bytes) -> None:
        """Send a piece of a stream; waits while the client is slow."""
        if not self.is_head:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
