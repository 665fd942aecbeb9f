"""uvicorn's httptools protocol with the gaps closed that an application cannot see from inside.

Give `strict_protocol(timers)` to `uvicorn.Config(http=...)`, and the same `idle_s` as its
`timeout_keep_alive`. One client that is slow, silent or too loud is cut; nobody else notices.
"""

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.transcoding.disconnect import ON_DISCONNECT
from gateway.transcoding.limits import LIFT_BODY_TIMER
from gateway.transcoding.lingering import LingeringTransport

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers together while they arrive; the application's own limits are tighter."""

_HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)
_TIMEOUT_BODY = b'{"code":4,"message":"the request did not arrive in time","details":[]}'
_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\n" + (
    b"content-length: %d\r\n\r\n%b" % (len(_TIMEOUT_BODY), _TIMEOUT_BODY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTimers:
    """How long a client may take, in seconds."""

    head_s: float = 20.0
    """From the connection, or the first byte of a further request, to the end of its head."""
    body_s: float = 45.0
    """From the end of the head to the end of the body; not for client streams."""
    idle_s: float = 60.0
    """Between two requests of a connection."""
    write_s: float = 60.0
    """To take some of what is buffered for it; a client that stops reading is cut."""
    linger_s: float = 2.0
    """What a refused client still gets to read its answer while the rest of what it sends is dropped."""


class _Part(enum.Enum):
    """What the next byte belongs to."""

    NOTHING = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class StrictHttpProtocol(HttpToolsProtocol):
    """One connection: bounded heads, timed heads and bodies, no trailers, and answers that arrive."""

    timers: ClassVar[HttpTimers] = HttpTimers()

    _part: _Part = _Part.NOTHING
    _head_bytes: int = 0
    _refused: bool = False
    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _lingering: LingeringTransport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Start the clock for the first head."""
        super().connection_made(transport)
        self._watchers: set[Callable[[], None]] = set()
        self._extensions: dict[str, dict[object, object]] = {
            LIFT_BODY_TIMER: {"lift": self._stop_timer},
            ON_DISCONNECT: {"watch": self._watch},
        }
        # uvicorn hands this one on to whoever writes and closes.
        self.transport = self._lingering = LingeringTransport(
            transport, self._before_close, linger_s=self.timers.linger_s, write_s=self.timers.write_s
        )
        self._start_timer(self.timers.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._stop_timer()
        self._stop_write_timer()
        self._lingering.ended()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        for tell in tuple(self._watchers):
            tell()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        if self._refused:
            return
        if self._part is not _Part.BODY:
            # A piece may end one head and hold a body: it counts as a whole, which no honest head comes near.
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._part is not _Part.BODY and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_HEAD_TOO_LARGE)
        elif self._part is _Part.NOTHING and self._timer is None and not self.is_answering():
            # Empty lines before a request stop uvicorn's idle timer without beginning anything.
            self._start_timer(self.timers.head_s)

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._part = _Part.HEAD
        self._start_timer(self.timers.head_s)

    def on_headers_complete(self) -> None:
        """Hand the request to the application."""
        self._part = _Part.BODY
        self._head_bytes = 0
        super().on_headers_complete()
        # What the parser still reports are trailers, and it appends them to the list it started with.
        self.scope["headers"] = list(self.headers)
        self.scope["extensions"] = self._extensions
        self._start_timer(self.timers.body_s)

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._part = _Part.NOTHING
        self._stop_timer()

    def pause_writing(self) -> None:
        """Start the clock for a client that does not read."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Stop it: the client has read."""
        self._stop_write_timer()
        super().resume_writing()

    def is_answering(self) -> bool:
        """Whether an earlier request of this connection is still being answered."""
        # uvicorn types the attribute as always set; it is None until the first request.
        cycle: object = self.cycle
        return cycle is not None and not self.cycle.response_complete

    def _watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        if self.cycle.disconnected:
            # It went while its request was being read; whoever watches is still on its way to waiting.
            self.loop.call_soon(tell)
        self._watchers.add(tell)
        return lambda: self._watchers.discard(tell)

    def _before_close(self) -> bool:
        """Take leave: whether the client may still be sending, and must be read to its end."""
        self._stop_timer()
        unread = self._part is not _Part.NOTHING
        self._refused = True
        if unread:
            self.flow.resume_reading()
        return unread

    def _refuse(self, answer: bytes) -> None:
        self._refused = True
        self._stop_timer()
        if self._part is _Part.BODY and self.is_answering() and not self.cycle.response_started:
            # The application waits for a body that will not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            for tell in tuple(self._watchers):
                tell()
        elif self.is_answering():
            # Nothing may be written into the answer of the request before; its end closes the connection.
            self.cycle.keep_alive = False
            return
        self.transport.write(answer)
        self.transport.close()

    def _on_timer(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        # Who has said nothing yet is not answered, and who was answered already is not answered twice.
        if self._part is _Part.NOTHING or (self._part is _Part.BODY and not self.is_answering()):
            self.transport.close()
        else:
            self._refuse(_TIMEOUT)

    def _watch_reader(self) -> None:
        self._stop_write_timer()
        buffered = self._lingering.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self.timers.write_s, self._abort_unless_reading, buffered)

    def _abort_unless_reading(self, buffered: int) -> None:
        if self._lingering.get_write_buffer_size() < buffered:
            self._watch_reader()
        else:
            self.transport.abort()

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def strict_protocol(timers: HttpTimers) -> type[StrictHttpProtocol]:
    """The protocol class with these timers."""
    return type("TimedHttpProtocol", (StrictHttpProtocol,), {"timers": timers})
