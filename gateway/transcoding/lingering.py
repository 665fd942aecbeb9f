"""A transport whose end lets the client read its last answer.

Closing a socket with bytes unread resets the connection, and the reset takes the answer
along: a client that is refused in the middle of a large body would see no 413.
"""

import asyncio
from collections.abc import Callable


class LingeringTransport(asyncio.Transport):
    """Another transport, closed in two steps.

    `before_close` is asked once whether the client may still be sending. If so, only our
    side ends at once; the rest of what comes is the protocol's to drop, until the client
    ends its side or `linger_s` have passed. A client that takes nothing of what is still
    buffered for `write_s` is given up.
    """

    def __init__(
        self, inner: asyncio.Transport, before_close: Callable[[], bool], *, linger_s: float, write_s: float
    ) -> None:
        super().__init__()
        self._inner = inner
        self._before_close = before_close
        self._linger_s = linger_s
        self._write_s = write_s
        self._ending: asyncio.TimerHandle | None = None
        self._closing = False
        # Called for every answer: bound once instead of passing each call on.
        self.write = inner.write  # type: ignore[method-assign]  # same signature
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]  # same signature

    def is_closing(self) -> bool:
        """Whether the end has begun."""
        return self._closing or self._inner.is_closing()

    def close(self) -> None:
        """End the connection once what was written has left; safe to repeat."""
        if self._closing:
            return
        self._closing = True
        lingers = self._before_close() and not self._inner.is_closing()
        if lingers and self._inner.can_write_eof():
            self._inner.write_eof()
        else:
            self._inner.close()
        # Also behind close(), which waits for a client that may never read again.
        self._abort_later(self._inner.get_write_buffer_size())

    def ended(self) -> None:
        """Forget the connection: it is lost."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def abort(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._inner.abort()

    def get_write_buffer_size(self) -> int:
        """How many bytes wait for the client."""
        return self._inner.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Pass it on."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Pass it on."""
        self._inner.resume_reading()

    def _abort_later(self, buffered: int) -> None:
        loop = asyncio.get_running_loop()
        if buffered:
            self._ending = loop.call_later(self._write_s, self._abort_unless_less_than, buffered)
        else:
            self._ending = loop.call_later(self._linger_s, self._inner.abort)

    def _abort_unless_less_than(self, buffered: int) -> None:
        left = self._inner.get_write_buffer_size()
        if left < buffered:
            self._abort_later(left)
        else:
            self._inner.abort()
