"""Reads request bodies within a limit."""

from collections.abc import AsyncIterator

from gateway.transcoding.asgi import Event, Receive
from gateway.transcoding.failure import ClientGoneError, Malformed, Refused
from gateway.transcoding.http_message import Request

_JSON_LIKE = frozenset({"application/json", "text/json", "text/plain"})


def too_large(limit: int) -> Refused:
    """The answer to a body beyond the limit; closes the connection, since the rest is never read."""
    return Refused(413, f"the body is larger than {limit} bytes", headers=(("connection", "close"),))


def check_declared_length(request: Request, limit: int) -> None:
    """Refuse before reading (and before `100 Continue`) what says that it is too large."""
    lengths = request.header_values("content-length")
    if not lengths:
        return
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
        raise Refused(400, "expected one Content-Length", headers=(("connection", "close"),))
    if len(lengths[0]) > 18 or int(lengths[0]) > limit:  # longer than any real length
        raise too_large(limit)


def check_json_type(request: Request) -> None:
    """Refuse a Content-Type that is not JSON, text, or absent."""
    content_type = request.header("content-type")
    if content_type is None:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type and media_type not in _JSON_LIKE and not media_type.endswith("+json"):
        raise Refused(415, f"expected application/json, got {media_type[:100]!a}")


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body's pieces as they arrive; ClientGoneError where it ends early."""
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        more = event.get("more_body", False)
        piece: bytes = event.get("body", b"")
        if piece:
            yield piece


async def read(receive: Receive, limit: int) -> bytes:
    """The whole body; a 413 as soon as it is known to be too large."""
    event = await receive()
    if event["type"] == "http.request" and not event.get("more_body", False):
        # Nearly every body comes in one piece.
        whole: bytes = event.get("body", b"")
        if len(whole) > limit:
            raise too_large(limit)
        return whole
    pieces: list[bytes] = []
    size = 0

    async def from_first() -> Event:
        nonlocal event
        first, event = event, {}
        return first or await receive()

    async for piece in chunks(from_first):
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        pieces.append(piece)
    return b"".join(pieces)


def malformed_body(why: str, field: str) -> Malformed:
    """A body that does not fit; without a field path it is the body as a whole."""
    return Malformed(why, field=field or "body")
