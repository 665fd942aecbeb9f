"""The messages of a client stream, cut from a request's body while it arrives."""

import asyncio
from collections.abc import AsyncIterator

from google.protobuf.message import Message

from gateway.transcoding.asgi import Event, Receive
from gateway.transcoding.body import check_json_type, chunks
from gateway.transcoding.failure import Malformed
from gateway.transcoding.http_message import Request
from gateway.transcoding.json_stream import JsonSplitter
from gateway.transcoding.json_value import JsonError
from gateway.transcoding.profile import Match
from gateway.transcoding.request_reader import RequestReader


class RequestStream:
    """An async iterable of request messages; iterate it once."""

    def __init__(
        self, reader: RequestReader, request: Request, match: Match, receive: Receive, *, limit: int
    ) -> None:
        self._reader = reader
        self._request = request
        self._match = match
        self._receive = receive
        self._limit = limit
        self._body_read = asyncio.Event()

    async def receive_after_body(self) -> Event:
        """What `receive` has to say once the body is read: that the client has gone."""
        await self._body_read.wait()
        return await self._receive()

    async def __aiter__(self) -> AsyncIterator[Message]:
        if not self._reader.wants_body:
            self._body_read.set()
            yield self._reader.read(self._request, self._match, b"")
            return
        first = True
        async for piece in self._pieces():
            yield self._reader.read(self._request, self._match, piece, first=first)
            first = False

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self._reader.is_raw:
            async for piece in chunks(self._receive):
                yield piece
            self._body_read.set()
            return
        check_json_type(self._request)
        splitter = JsonSplitter(self._limit)
        try:
            async for chunk in chunks(self._receive):
                for value in splitter.feed(chunk):
                    yield value
            self._body_read.set()
            for value in splitter.finish():
                yield value
        except JsonError as e:
            raise Malformed(str(e), field="body") from None


async def single(message: Message) -> AsyncIterator[Message]:
    """A stream of one message, for a method whose client does not stream."""
    yield message
