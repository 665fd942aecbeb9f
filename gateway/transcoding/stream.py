"""Writes the answer of a call with a stream: a message as soon as it is there, errors told apart by time.

An error before the first message is an HTTP status; a later one is the last thing in
the stream, so that the client can tell an end from a failure.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager, suppress

from google.protobuf.message import Message

from gateway.transcoding.exchange import Exchange
from gateway.transcoding.failure import Failure
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.response_writer import ResponseWriter
from gateway.transcoding.rpc import StreamAnswer
from gateway.transcoding.stream_format import StreamFormat

StreamHeaders = Callable[[], Iterable[tuple[str, str]]]
# Proxies must hand on every message at once and keep none.
_UNBUFFERED = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))


class StreamWriter:
    """One streamed answer.

    `headers` is asked when the first bytes leave: the method's metadata is known by then.
    """

    def __init__(
        self,
        exchange: Exchange,
        writer: ResponseWriter,
        stream_format: StreamFormat,
        *,
        headers: StreamHeaders,
        status_of: Callable[[Failure], JsonObject],
        heartbeat_s: float,
    ) -> None:
        self._exchange = exchange
        self._writer = writer
        self._format = stream_format
        self._headers = headers
        self._status_of = status_of
        self._heartbeat_s = heartbeat_s
        # The heartbeat and the messages come from two tasks.
        self._lock = asyncio.Lock()
        self._wrote_at = asyncio.get_running_loop().time()

    async def write_all(self, answer: StreamAnswer) -> None:
        """Write every response; a Failure leaves here only while nothing has been sent."""
        if self._exchange.is_head:
            await self._write_head(answer)
            return
        try:
            async with aclosing(answer), self._heartbeat():
                async for message in answer:
                    await self._write_message(message)
        except Failure as failure:
            if not self._exchange.started:
                raise
            await self.write_error(failure)
            return
        await self._ensure_started(self._format.content_type)
        await self._exchange.end()

    async def write_error(self, failure: Failure) -> None:
        """End a stream that has begun with what went wrong; raw bytes just end."""
        async with self._lock:
            if not self._writer.is_raw:
                await self._exchange.write(self._format.error(self._status_of(failure)))
            await self._exchange.end()

    async def _write_head(self, answer: StreamAnswer) -> None:
        """The head that GET would answer; a stream that is idle for a heartbeat's time is a good one."""
        async with aclosing(answer):
            first = None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    first = await anext(aiter(answer), None)
            content_type = self._format.content_type
            if self._writer.is_raw and first is not None:
                content_type, _ = self._writer.raw(first)
            await self._ensure_started(content_type)
            await self._exchange.end()

    async def _write_message(self, message: Message) -> None:
        if self._writer.is_raw:
            content_type, data = self._writer.raw(message)
        else:
            content_type, data = self._format.content_type, self._format.message(self._writer.json(message))
        await self._ensure_started(content_type)
        async with self._lock:
            if data:
                await self._exchange.write(data)
        self._wrote_at = asyncio.get_running_loop().time()

    async def _ensure_started(self, content_type: str) -> None:
        if self._exchange.started:  # or is being started, by who holds the lock that every write waits for
            return
        async with self._lock:
            if not self._exchange.started:
                headers = (("content-type", content_type), *_UNBUFFERED, *self._headers())
                await self._exchange.start_stream(headers)

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        # The type of raw bytes comes with the first of them, and nothing may come between them.
        if self._writer.is_raw:
            yield
            return
        beating = asyncio.create_task(self._beat(), name="stream heartbeat")
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            left = self._wrote_at + self._heartbeat_s - loop.time()
            if left > 0:
                await asyncio.sleep(left)
                continue
            await self._ensure_started(self._format.content_type)
            async with self._lock:
                if self._format.heartbeat:
                    await self._exchange.write(self._format.heartbeat)
            self._wrote_at = loop.time()
