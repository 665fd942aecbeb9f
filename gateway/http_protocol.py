"""uvicorn's HTTP/1.1 protocol with what it leaves open closed: heads have an end, bodies come in time, trailers are dropped."""

import asyncio
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEAD_SECONDS: Final = 20.0
"""From the connection, or the first byte of a further request, to the end of its head."""
BODY_SECONDS: Final = 45.0
"""From the end of the head to the end of the body."""
MAX_HEAD_BYTES: Final = 64 * 1024

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection; a client that sends too much or too slowly is cut, and nobody else notices."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = True
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Starts the clock for the first head."""
        super().connection_made(transport)
        self._cut_after(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came, unless the head has grown too large."""
        if self._in_head:
            # A piece may end one head and hold a body: it counts as a whole, which no honest head comes near.
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._cut_after(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Its head is complete: the application may have it."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()
        # uvicorn would append the trailers of a chunked body to the headers that the application
        # already holds: an Authorization or X-Forwarded-For from there would count.
        self.headers = []
        self._cut_after(BODY_SECONDS)

    def on_message_complete(self) -> None:
        """Its body is complete."""
        self._stop_clock()
        self._in_head = True
        super().on_message_complete()

    def _cut_after(self, seconds: float) -> None:
        self._stop_clock()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
