"""uvicorn's httptools protocol with the gaps closed that an application cannot see from inside.

Give the class to `uvicorn.Config(http=StrictHttpProtocol)`.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers together while they arrive; the application's own limits are tighter."""

_LINGER_S = 2.0
_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


class StrictHttpProtocol(HttpToolsProtocol):
    """Drops the trailers of chunked bodies, and ends heads that never end."""

    _head_bytes: int = 0
    _in_head: bool = True
    _refused: bool = False

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        super().on_headers_complete()
        self._in_head = False
        # What the parser still reports are trailers, and it appends them to the list it started with.
        self.scope["headers"] = list(self.headers)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def is_answering(self) -> bool:
        """Whether an earlier request of this connection is still being answered."""
        # uvicorn types the attribute as always set; it is None until the first request.
        cycle: object = self.cycle
        return cycle is not None and not self.cycle.response_complete

    def _refuse_head(self) -> None:
        self._refused = True
        if self.is_answering():
            # Nothing may be written into the answer of the request before; its end closes the connection.
            self.cycle.keep_alive = False
            return
        self.transport.write(_HEAD_TOO_LARGE)
        # Closing at once, with bytes still unread, would reset the connection and take the answer along.
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)
