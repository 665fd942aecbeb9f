"""GET /: what answers here."""

from typing import Final

from gateway.legacy.health import SERVICE_NAME
from gateway.legacy.problem import METHOD_NOT_ALLOWED
from gateway.transcoding.asgi import Receive, Scope, Send
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_value import JsonObject, dumps
from gateway.visit import current_visit

VERSION: Final = "1.0.0"
"""Of the legacy surface, which does not change."""
_JSON: Final = ("content-type", "application/json")
_BODY: Final[JsonObject] = {
    "service": SERVICE_NAME,
    "status": "running",
    "version": VERSION,
    "docs": "/docs",
    "health": "/api/v1/health",
}


async def root_app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Serves the path `/` to everyone."""
    current_visit().is_timed = True
    await Exchange(send, is_head=False).respond(_answer(scope["method"]))


def _answer(method: str) -> HttpResponse:
    if method != "GET":
        return HttpResponse(
            status=405, headers=(_JSON, ("allow", "GET")), body=dumps({"detail": METHOD_NOT_ALLOWED})
        )
    return HttpResponse(status=200, headers=(_JSON,), body=dumps(_BODY))
