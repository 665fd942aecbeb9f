"""Whether the monitor can do its work: the services it needs answer, and its loop is where it was asked to be."""

import asyncio
from collections.abc import Mapping
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from runtime.health import TRADE, HealthBoard
from sell_svc.control import Control

CHECK_SECONDS: Final = 1.0
"""reliability.md, section 6."""


class Readiness:
    """Keeps `trade` on the health board true; run `update` again and again."""

    def __init__(
        self, *, board: HealthBoard, control: Control, peers: Mapping[str, grpc.aio.Channel]
    ) -> None:
        """`peers` are the channels by the name to ask each for: `read` or `trade`."""
        self._board = board
        self._control = control
        self._peers = peers

    async def update(self) -> None:
        """Asks the peers and sets `trade`; a peer that does not answer is not ready."""
        ready = await asyncio.gather(*(_is_ready(channel, name) for name, channel in self._peers.items()))
        await self._board.set(TRADE, serving=self._control.is_as_desired and all(ready))


async def _is_ready(channel: grpc.aio.Channel, name: str) -> bool:
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        answer: HealthCheckResponse = await check(HealthCheckRequest(service=name), timeout=CHECK_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return answer.status == HealthCheckResponse.SERVING
