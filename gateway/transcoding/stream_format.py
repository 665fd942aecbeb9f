"""How a stream of messages is written: JSON lines, Server-Sent Events, or the bytes of HttpBody."""

import re
from typing import Protocol

from gateway.transcoding.http_message import Request
from gateway.transcoding.json_value import JsonValue, dumps

EVENT_STREAM = "text/event-stream"
_ACCEPTS_EVENTS = re.compile(r"text/event-stream\s*(?:;\s*q\s*=\s*(?P<q>[0-9.]+))?", re.IGNORECASE)


class StreamFormat(Protocol):
    """Bytes on the wire for what happens in a stream."""

    content_type: str
    heartbeat: bytes
    """What is written into an idle stream; empty for nothing."""

    def message(self, value: JsonValue) -> bytes:
        """One response."""
        ...

    def error(self, status: JsonValue) -> bytes:
        """The google.rpc.Status that ends the stream."""
        ...


class JsonLines:
    """`{"result":...}` a line, at last `{"error":...}`."""

    content_type = "application/json"
    heartbeat = b""

    def message(self, value: JsonValue) -> bytes:
        """One line."""
        return b'{"result":' + dumps(value) + b"}\n"

    def error(self, status: JsonValue) -> bytes:
        """The last line."""
        return b'{"error":' + dumps(status) + b"}\n"


class EventStream:
    """`data:` events, at last an `event: error`; comments keep an idle stream open."""

    content_type = EVENT_STREAM
    heartbeat = b":\n\n"

    def message(self, value: JsonValue) -> bytes:
        """One event."""
        return b"data: " + dumps(value) + b"\n\n"

    def error(self, status: JsonValue) -> bytes:
        """The last event."""
        return b"event: error\ndata: " + dumps(status) + b"\n\n"


def format_for(request: Request) -> StreamFormat:
    """Server-Sent Events where the Accept header names them, else JSON lines."""
    for accept in request.header_values("accept"):
        for part in accept.split(","):
            match = _ACCEPTS_EVENTS.fullmatch(part.strip())
            if match is not None and (match["q"] or "1").strip("0.") != "":
                return EventStream()
    return JsonLines()
