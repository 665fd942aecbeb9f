"""The outermost layer: answers browsers' preflights, times requests, and completes every answer's headers."""

from typing import Final

from loguru import logger

from gateway.cors import Cors, Preflight
from gateway.surface import is_v1
from gateway.transcoding.asgi import AsgiApp, Event, Receive, Scope, Send
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse, encode_headers
from gateway.visit import Visit, use_visit
from runtime.clock import Clock

PROCESS_TIME: Final = "x-process-time"
CLIENT_GONE: Final = 499
"""The status in the log of a request whose client left before its answer."""
PROBES: Final = frozenset({"/livez", "/healthz"})


class Edge:
    """An ASGI application around another, in which `current_visit()` is the request being served."""

    def __init__(self, app: AsgiApp, *, cors: Cors, clock: Clock) -> None:
        self._app = app
        self._legacy_cors = cors
        # A page that could reach this machine's loopback would trade without a token: on /v1
        # only origins that somebody has named.
        self._v1_cors = cors.named_only()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request; other scopes pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        at_once = self._answer_at_once(scope)
        if at_once is not None:
            await Exchange(send, is_head=False).respond(at_once)
            return
        visit = Visit(started=self._clock.monotonic())
        visit.headers.extend(self._cors_headers(scope))
        with use_visit(visit):
            try:
                await self._app(scope, receive, self._completing(send, visit))
            finally:
                self._log(scope, visit)

    def _answer_at_once(self, scope: Scope) -> HttpResponse | None:
        if scope["method"] != "OPTIONS":
            return None
        origin = _header(scope, b"origin")
        method = _header(scope, b"access-control-request-method")
        v1 = is_v1(_raw_path(scope))
        cors = self._v1_cors if v1 else self._legacy_cors
        if origin is not None and method is not None and cors.origins:
            headers = _header(scope, b"access-control-request-headers")
            return cors.answer(Preflight(origin=origin, method=method, headers=headers))
        return None if v1 else HttpResponse(status=200)

    def _cors_headers(self, scope: Scope) -> tuple[tuple[str, str], ...]:
        cors = self._v1_cors if is_v1(_raw_path(scope)) else self._legacy_cors
        if not cors.origins:
            return ()
        has_cookie = _header(scope, b"cookie") is not None
        return tuple(cors.headers_for(_header(scope, b"origin"), has_cookie=has_cookie))

    def _completing(self, send: Send, visit: Visit) -> Send:
        async def complete(event: Event) -> None:
            if event["type"] == "http.response.start":
                more = list(visit.headers)
                if visit.is_timed:
                    more.append((PROCESS_TIME, f"{self._clock.monotonic() - visit.started:.4f}"))
                visit.status = event["status"]
                event = {**event, "headers": [*event["headers"], *encode_headers(more)]}
            await send(event)

        return complete

    def _log(self, scope: Scope, visit: Visit) -> None:
        """One line a request; never its query, which may hold a token."""
        path = _raw_path(scope)
        milliseconds = round((self._clock.monotonic() - visit.started) * 1000)
        logger.bind(
            status=visit.status or CLIENT_GONE,
            duration=f"{milliseconds}ms",
            caller=visit.caller.as_metadata if visit.caller is not None else "-",
        ).log("DEBUG" if path in PROBES else "INFO", f"{scope['method']} {path}")


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")
