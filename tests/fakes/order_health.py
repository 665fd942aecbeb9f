"""Reads what order_svc says of its health."""

from __future__ import annotations

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse


async def is_serving(port: int, name: str) -> bool:
    """Whether this name is SERVING."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        # The installed stubs of the health service know its synchronous form only.
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        answer = await check(HealthCheckRequest(service=name), timeout=5)
    return answer.status == HealthCheckResponse.SERVING
