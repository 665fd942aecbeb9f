"""uvicorn inside a lifecycle that is not its own: started, drained and ended by the process around it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

import uvicorn
from loguru import logger

from gateway.transcoding.asgi import AsgiApp
from gateway.transcoding.http_protocol import HttpTimers, strict_protocol
from runtime.address import Address
from runtime.errors import StartupError

BACKLOG: Final = 2048
CANCEL_SECONDS: Final = 1.0
"""What a cancelled request gets for its own clean-up."""
MAX_CONNECTIONS: Final = 12_000
"""Beyond it uvicorn answers 503 at once (I14).

It counts idle connections too: 10,000 callers that keep theirs open leave room for as many
as may ask at a time, which `gateway.overload` bounds.
"""


class HttpServer:
    """One listening HTTP server; `start` once, `stop` as often as wanted."""

    def __init__(
        self, app: AsgiApp, *, listen: Address, listen_key: str, timers: HttpTimers | None = None
    ) -> None:
        """Builds the server without binding; `listen_key` is the configuration key to name when that fails."""
        timers = timers or HttpTimers()
        self._listen = listen
        self._listen_key = listen_key
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                loop="none",
                http=strict_protocol(timers),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                reset_contextvars=True,
                timeout_keep_alive=timers.idle_s,  # type: ignore[arg-type]  # handed to call_later, which takes fractions
                limit_concurrency=MAX_CONNECTIONS,
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._port: int | None = None

    @property
    def port(self) -> int:
        """The port in use; raises RuntimeError before `start`."""
        if self._port is None:
            raise RuntimeError("the server has not started")
        return self._port

    async def start(self) -> None:
        """Binds and answers; raises StartupError naming the key."""
        bound = self._bind()
        self._port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[bound]), name="http server")
        listening = asyncio.create_task(self._uvicorn.listening.wait(), name="http server listens")
        done, _ = await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving in done:
            await self._serving
        logger.info(f"Listening on {self._listen} (port {self._port})")

    async def stop(self, grace_seconds: float) -> None:
        """Drains: accepts nothing new, then waits for what is under way at most `grace_seconds`. Safe to repeat."""
        if self._serving is None:
            return
        # uvicorn only passes it on to wait_for, which takes fractions too.
        self._uvicorn.config.timeout_graceful_shutdown = grace_seconds  # type: ignore[assignment]
        self._uvicorn.should_exit = True
        await asyncio.shield(self._serving)
        await self._cut_the_rest()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop(0.0)

    async def _cut_the_rest(self) -> None:
        """Ends what outlasted the drain: uvicorn cancels the requests but leaves their connections open."""
        state = self._uvicorn.server_state
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=CANCEL_SECONDS)
        for connection in list(state.connections):
            connection.transport.abort()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        try:
            return socket.create_server(
                (self._listen.host, self._listen.port), family=family, backlog=BACKLOG
            )
        except OSError as error:
            raise StartupError(
                f"{self._listen_key}: cannot listen on {self._listen}: {error.strerror}"
            ) from error


class _Uvicorn(uvicorn.Server):
    """uvicorn's server without its signal handlers, and with an event for its start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process's own lifecycle."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when connections are accepted."""
        await super().startup(sockets=sockets)
        self.listening.set()
