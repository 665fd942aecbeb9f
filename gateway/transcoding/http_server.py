"""Serves an ASGI application by uvicorn on uvloop and httptools, with this package's protocol."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import uvicorn
import uvloop

from gateway.transcoding.asgi import AsgiApp
from gateway.transcoding.http_protocol import HttpTimers, strict_protocol

BACKLOG = 2048

OpenApp = Callable[[], AbstractAsyncContextManager[AsgiApp]]


def server_config(app: AsgiApp, timers: HttpTimers, *, drain_s: float) -> uvicorn.Config:
    """A uvicorn configuration for this package: one HTTP/1.1 server without logs, proxies or web sockets."""
    return uvicorn.Config(
        app,
        loop="none",
        http=strict_protocol(timers),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=timers.idle_s,  # type: ignore[arg-type]  # handed to call_later, which takes fractions
        timeout_graceful_shutdown=drain_s,  # type: ignore[arg-type]  # handed to wait_for, which does too
    )


def listen(host: str, port: int, *, count: int = 1) -> list[socket.socket]:
    """Listening sockets on one port, over which the kernel spreads connections; OSError as the system says."""
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            sockets.append(_listen(host, port, shared=count > 1))
            port = sockets[0].getsockname()[1]
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)


def run_server(
    open_app: OpenApp, listening: socket.socket, timers: HttpTimers, *, drain_s: float = 10.0
) -> None:
    """Serve until SIGTERM or SIGINT, then drain at most `drain_s` seconds."""

    async def serve() -> None:
        async with open_app() as app:
            server = _Server(server_config(app, timers, drain_s=drain_s))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.handle_exit, number, None)
            await server.serve(sockets=[listening])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


class _Server(uvicorn.Server):
    """uvicorn's server, which raises the signal that ended it again unless it is kept from that."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
