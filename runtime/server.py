"""The gRPC server every service runs: health, reflection, channelz, limits, and a drain that ends."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import grpc
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from loguru import logger

from runtime.channel import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.errors import StartupError
from runtime.health import HealthBoard
from runtime.interceptors import InFlightInterceptor, server_interceptors
from runtime.lifecycle import DEFAULT_GRACE_SECONDS, Running, run, serve
from runtime.network import LOOPBACK, Network
from runtime.tls import TlsFiles

__all__ = ["GrpcServer", "HealthBoard", "Registration", "Running", "run", "serve"]

_OWN_SERVICES: Final = ("grpc.health.v1.Health", "grpc.channelz.v1.Channelz", reflection.SERVICE_NAME)
_OPTIONS: Final = (
    # Without this a second server on the same port starts silently and takes half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", 1_000),
    # Our own channels ping each 30 s; gRPC's default would answer that with GOAWAY.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)
_CLOSE_SECONDS: Final = 2.0
"""For a call ended by the drain to tell its caller so."""
_MAX_CONCURRENT_RPCS: Final = 2_000
"""Beyond it callers get RESOURCE_EXHAUSTED at once instead of a growing queue (I14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One service of a server."""

    service: str
    """Full name, `package.Service`."""
    add: Callable[[grpc.aio.Server], None]
    """Adds the servicer, usually `partial(add_XServicer_to_server, servicer)`."""


class GrpcServer:
    """One listening server; `start` once, `stop` as often as wanted.

    Every name on `health` stays NOT_SERVING until the owner sets it: `""` and the services
    once requests are answered, `read` and `trade` as far as their dependencies allow.
    """

    def __init__(
        self,
        *,
        listen: str,
        listen_key: str,
        services: Sequence[Registration],
        internal_networks: Sequence[Network] = LOOPBACK,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        tls: TlsFiles | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Builds the server without binding.

        `listen` is `host:port` (port 0: any) or `unix:PATH`; `listen_key` is the configuration
        key to name when that fails; `interceptors` run inside the standard ones.
        """
        self.health = HealthBoard(one.service for one in services)
        self.draining = asyncio.Event()
        self._listen = listen
        self._listen_key = listen_key
        self._services = tuple(services)
        self._tls = tls
        self._in_flight = InFlightInterceptor()
        standard = server_interceptors(
            internal_networks=internal_networks, clock=clock, in_flight=self._in_flight
        )
        self._server = grpc.aio.server(
            interceptors=(*standard, *interceptors),
            options=_OPTIONS,
            maximum_concurrent_rpcs=_MAX_CONCURRENT_RPCS,
        )
        self._port: int | None = None
        self._drain: asyncio.Task[None] | None = None
        self._register()

    @property
    def port(self) -> int:
        """The port in use; raises RuntimeError before `start`."""
        if self._port is None:
            raise RuntimeError("the server has not started")
        return self._port

    async def start(self) -> None:
        """Binds and answers; health still says NOT_SERVING. Raises StartupError naming the key."""
        await self.health.set_all(serving=False)
        self._port = self._bind()
        await self._server.start()
        logger.info(f"Listening on {self._listen} (port {self._port})")

    async def set_serving(self) -> None:
        """Health SERVING for every name; an owner with separate read and trade states sets those itself."""
        await self.health.set_all(serving=True)

    async def stop(self, grace_seconds: float = DEFAULT_GRACE_SECONDS) -> None:
        """Drains: NOT_SERVING, no new calls, then waits for those under way at most `grace_seconds`.

        `draining` is set first, so that endless streams can end themselves; calls that outlast the
        grace end with UNAVAILABLE. Safe to repeat and to race: the first call's grace counts.
        """
        if self._drain is None:
            self._drain = asyncio.create_task(self._stop(grace_seconds), name="drain")
        await asyncio.shield(self._drain)

    async def _stop(self, grace_seconds: float) -> None:
        self.draining.set()
        await self.health.drain()
        # Called once only: a second call of grpc.aio's stop can crash the interpreter (measured with 1.85.3).
        closing = asyncio.create_task(self._server.stop(grace_seconds + _CLOSE_SECONDS))
        idle = asyncio.create_task(self._in_flight.wait_idle())
        await asyncio.wait({closing, idle}, return_when=asyncio.FIRST_COMPLETED, timeout=grace_seconds)
        idle.cancel()
        if self._in_flight.calls:
            logger.warning(f"Cancelling {self._in_flight.calls} calls that outlasted the drain")
        self._in_flight.end_all()
        await closing

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(0.0)

    def _register(self) -> None:
        for one in self._services:
            one.add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self._server)
        channelz.add_channelz_servicer(self._server)
        names = (*(one.service for one in self._services), *_OWN_SERVICES)
        reflection.enable_server_reflection(names, self._server)

    def _bind(self) -> int:
        try:
            if self._tls is None:
                return self._server.add_insecure_port(self._listen)
            return self._server.add_secure_port(self._listen, self._tls.server_credentials())
        except RuntimeError as error:
            raise StartupError(
                f"{self._listen_key}: cannot listen on {self._listen}; is another process using it?"
            ) from error
