"""`/healthz` asks grpc.health.v1 of the services behind; `/livez` asks nobody."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

import grpc
from grpc_health.v1 import health_pb2

from gateway.transcoding.code import Code
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.json_value import dumps
from gateway.transcoding.status import JSON_TYPE

LIVEZ = "/livez"
HEALTHZ = "/healthz"
_CHECK = "/grpc.health.v1.Health/Check"


class Health(enum.Enum):
    """What is known about a service; the value is what the answer says."""

    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    UNKNOWN = "UNKNOWN"
    SERVICE_UNKNOWN = "SERVICE_UNKNOWN"
    UNIMPLEMENTED = "UNIMPLEMENTED"


_HTTP_STATUS = {
    Health.SERVING: 200,
    Health.NOT_SERVING: 503,
    Health.UNKNOWN: 503,
    Health.SERVICE_UNKNOWN: 404,
    Health.UNIMPLEMENTED: 501,
}

CheckHealth = Callable[[str], Awaitable[Health]]
"""The health of a service by its full name; the empty name asks for everything together."""


class ChannelHealth:
    """Asks the servers behind the channels that carry each service."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], *, timeout_s: float = 2.0) -> None:
        self._channels = dict(channels)
        self._timeout_s = timeout_s

    async def __call__(self, service: str) -> Health:
        """The health of one service, or the worst of all servers for the empty name."""
        if service:
            channel = self._channels.get(service)
            return Health.SERVICE_UNKNOWN if channel is None else await self._check(channel, service)
        servers = list(dict.fromkeys(self._channels.values()))
        answers = await asyncio.gather(*(self._check(channel, "") for channel in servers))
        return next((answer for answer in answers if answer is not Health.SERVING), Health.SERVING)

    async def _check(self, channel: grpc.aio.Channel, service: str) -> Health:
        check = channel.unary_unary(
            _CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(service=service), timeout=self._timeout_s)
        except grpc.aio.AioRpcError as e:
            return _of_failure(Code.from_grpc(e.code()))
        return Health[health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)]


async def answer(request: Request, check: CheckHealth | None) -> HttpResponse | None:
    """The answer to a health request; None for any other path, and for /healthz with nobody to ask."""
    if request.method not in ("GET", "HEAD"):
        return None
    if request.raw_path == LIVEZ:
        return _respond(Health.SERVING)
    if request.raw_path == HEALTHZ and check is not None:
        services = parse_qs(request.query_string).get("service", [""])
        return _respond(await check(services[0]))
    return None


def _of_failure(code: Code) -> Health:
    if code is Code.NOT_FOUND:
        return Health.SERVICE_UNKNOWN
    return Health.UNIMPLEMENTED if code is Code.UNIMPLEMENTED else Health.NOT_SERVING


def _respond(health: Health) -> HttpResponse:
    headers = (("content-type", JSON_TYPE), ("cache-control", "no-store"))
    return HttpResponse(status=_HTTP_STATUS[health], headers=headers, body=dumps({"status": health.value}))
