"""A bound on how many requests are under way at once: further ones are told to come back, not queued (I14)."""

from collections.abc import Collection
from typing import Final

from gateway.surface import is_v1
from gateway.transcoding.asgi import AsgiApp, Receive, Scope, Send
from gateway.transcoding.code import Code
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_value import JsonObject, dumps
from gateway.visit import current_visit

MAX_REQUESTS: Final = 2000
BUSY: Final = "too many requests are under way; try again"


class AtMost:
    """An ASGI application around another, which sees at most `limit` HTTP requests at a time.

    Paths in `always` are passed on all the same: a busy process is still alive.
    """

    def __init__(self, app: AsgiApp, *, limit: int, always: Collection[str] = ()) -> None:
        self._app = app
        self._limit = limit
        self._always = frozenset(always)
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or answers 503."""
        if scope["type"] != "http" or scope["path"] in self._always:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._limit:
            current_visit().is_timed = True
            await Exchange(send, is_head=scope["method"] == "HEAD").respond(_busy(scope))
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


def _busy(scope: Scope) -> HttpResponse:
    legacy: JsonObject = {"detail": BUSY}
    status: JsonObject = {"code": int(Code.UNAVAILABLE), "message": BUSY, "details": []}
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return HttpResponse(
        status=503,
        headers=(("content-type", "application/json"), ("retry-after", "1")),
        body=dumps(status if is_v1(raw_path.decode("latin-1")) else legacy),
    )
