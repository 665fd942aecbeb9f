"""GET /api/v1/health/ with its slash: what the service consists of; it always was another route."""

from datetime import datetime
from typing import Final

from gateway.legacy.health import SERVICE_NAME
from gateway.legacy.problem import METHOD_NOT_ALLOWED
from gateway.legacy.root import VERSION
from gateway.legacy.time_formats import server_wall_clock
from gateway.transcoding.asgi import AsgiApp, Receive, Scope, Send
from gateway.transcoding.exchange import Exchange
from gateway.transcoding.http_message import HttpResponse
from gateway.transcoding.json_value import JsonObject, dumps
from gateway.visit import current_visit
from runtime.clock import Clock

PATH: Final = "/api/v1/health/"
_JSON: Final = ("content-type", "application/json")


def running_parts_app(clock: Clock) -> AsgiApp:
    """Serves the path to everyone."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        current_visit().is_timed = True
        await Exchange(send, is_head=False).respond(_answer(scope["method"], clock.now()))

    return app


def _answer(method: str, now: datetime) -> HttpResponse:
    if method != "GET":
        return HttpResponse(
            status=405, headers=(_JSON, ("allow", "GET")), body=dumps({"detail": METHOD_NOT_ALLOWED})
        )
    return HttpResponse(status=200, headers=(_JSON,), body=dumps(_parts(now)))


def _parts(now: datetime) -> JsonObject:
    return {
        "service": SERVICE_NAME,
        "status": "running",
        "timestamp": server_wall_clock(now),
        "version": VERSION,
        "components": dict.fromkeys(("websocket", "trading_api", "market_data"), "operational"),
        "endpoints": {
            "comprehensive_check": "/api/v1/health/comprehensive",
            "account_check": "/api/v1/health/account/{account_id}",
            "trading_permissions": "/api/v1/health/trading-permissions",
        },
    }
