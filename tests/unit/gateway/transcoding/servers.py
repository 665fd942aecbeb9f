"""Real servers on loopback: everything.proto behind grpc.aio, and an application behind uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import uvicorn
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.transcoding.http_protocol import HttpTimers, strict_protocol
from gateway.transcoding.rpc import RpcMethod, rpc_method
from unit.gateway.transcoding.everything_api import SERVICE, pool


@asynccontextmanager
async def grpc_server(servicer: object, *, with_health: bool = True) -> AsyncIterator[str]:
    """The address of a server with the servicer's methods."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, _handlers(servicer)),))
    if with_health:
        health_servicer = health.aio.HealthServicer()
        await health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        await health_servicer.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def http_server(app: Any, timers: HttpTimers | None = None) -> AsyncIterator[int]:
    """The port of uvicorn with the protocol that the gateway uses."""
    timers = timers or HttpTimers()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=strict_protocol(timers),
        timeout_keep_alive=timers.idle_s,  # type: ignore[arg-type]  # handed to call_later, which takes fractions
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(10):
            await server.ready.wait()
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listening.close()


class _Server(uvicorn.Server):
    """Tells when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


async def raw_exchange(port: int, request: bytes) -> bytes:
    """All that comes back for some bytes until the server closes; the client sends nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def _handlers(servicer: object) -> dict[str, Any]:
    methods = [rpc_method(method) for method in pool().FindServiceByName(SERVICE).methods]
    return {method.name: _handler(method, getattr(servicer, method.name)) for method in methods}


def _handler(method: RpcMethod, function: Callable[..., Any]) -> Any:
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]
    return make(
        function,
        request_deserializer=method.request_class.FromString,
        response_serializer=method.response_class.SerializeToString,
    )
