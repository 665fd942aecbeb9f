"""What surrounds every RPC on the server: request id, error mapping, deadline, network guard, in-flight count."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final

import grpc
from grpc_status import rpc_status
from loguru import logger

from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.context import (
    REQUEST_ID_KEY,
    Deadline,
    accept_request_id,
    current_request_id,
    use_deadline,
    use_request_id,
)
from runtime.errors import Internal, ServiceError, Unauthenticated, Unavailable
from runtime.handlers import AnyContext, AroundInterceptor, Call
from runtime.network import LOOPBACK, Network, is_internal_peer
from runtime.status import to_status

INTERNAL_MESSAGE: Final = "internal error; the request id finds it in the log"


def server_interceptors(
    *,
    internal_networks: Sequence[Network] = LOOPBACK,
    clock: Clock = SYSTEM_CLOCK,
    in_flight: "InFlightInterceptor | None" = None,
) -> tuple[grpc.aio.ServerInterceptor, ...]:
    """The interceptors every server has, outermost first."""
    return (
        RequestIdInterceptor(),
        ErrorInterceptor(),
        in_flight or InFlightInterceptor(),
        DeadlineInterceptor(clock),
        NetworkGuardInterceptor(internal_networks),
    )


class NetworkUntrusted(Unauthenticated):
    """The caller's address is in none of `auth.internal_networks`."""

    reason: ClassVar[str] = "NETWORK_UNTRUSTED"


class Draining(Unavailable):
    """The server is stopping and ended the call; the outcome of a write must be read before it is repeated."""

    reason: ClassVar[str] = "DRAINING"


class RequestIdInterceptor(AroundInterceptor):
    """Gives the call the caller's `x-request-id`, or a fresh one, and returns it in the trailers."""

    def __init__(self) -> None:
        super().__init__(self._identify)

    @asynccontextmanager
    async def _identify(self, call: Call) -> AsyncIterator[None]:
        with use_request_id(accept_request_id(call.metadata(REQUEST_ID_KEY))) as value:
            yield
            own = tuple(call.context.trailing_metadata() or ())
            call.context.set_trailing_metadata((*own, (REQUEST_ID_KEY, value)))


class ErrorInterceptor(AroundInterceptor):
    """Ends a failed call with its rich status; a bug becomes INTERNAL and is logged once, here."""

    def __init__(self) -> None:
        super().__init__(self._map)

    @asynccontextmanager
    async def _map(self, call: Call) -> AsyncIterator[None]:
        try:
            yield
        except ServiceError as error:
            await _abort(call.context, error)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception:  # noqa: BLE001 - the top of an RPC: whatever got here is a bug, the caller gets its id
            logger.exception(f"Unexpected error in {call.method}")
            await _abort(call.context, Internal(INTERNAL_MESSAGE))


class DeadlineInterceptor(AroundInterceptor):
    """Puts the caller's deadline into context, where outgoing calls find it."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(self._bound)
        self._clock = clock

    @asynccontextmanager
    async def _bound(self, call: Call) -> AsyncIterator[None]:
        left: float | None = call.context.time_remaining()
        with use_deadline(None if left is None else Deadline.after(left, self._clock)):
            yield


class NetworkGuardInterceptor(AroundInterceptor):
    """Refuses callers from outside the internal networks that show no certificate of our authority (I16)."""

    def __init__(self, internal_networks: Sequence[Network] = LOOPBACK) -> None:
        super().__init__(self._guard)
        self._networks = tuple(internal_networks)

    @asynccontextmanager
    async def _guard(self, call: Call) -> AsyncIterator[None]:
        peer = call.context.peer()
        has_certificate = bool(call.context.peer_identities())
        if not has_certificate and not is_internal_peer(peer, self._networks):
            raise NetworkUntrusted(
                f"callers from {peer} need a client certificate; without one this port serves auth.internal_networks only"
            )
        yield


class InFlightInterceptor(AroundInterceptor):
    """Knows the calls under way, so that a drain can wait for them and end what stays.

    Calls of gRPC's own services (a health watch may stay for days) are ended, not waited for.
    """

    def __init__(self) -> None:
        super().__init__(self._track)
        self._idle = asyncio.Event()
        self._idle.set()
        self._calls: set[asyncio.Timeout] = set()
        self._own_calls: set[asyncio.Timeout] = set()

    @property
    def calls(self) -> int:
        """How many are under way."""
        return len(self._calls)

    async def wait_idle(self) -> None:
        """Returns once none is under way."""
        await self._idle.wait()

    def end_all(self) -> None:
        """Ends every call that is left; its caller gets UNAVAILABLE and may ask elsewhere."""
        now = asyncio.get_running_loop().time()
        for call in (*self._calls, *self._own_calls):
            call.reschedule(now)

    @asynccontextmanager
    async def _track(self, call: Call) -> AsyncIterator[None]:
        bound = asyncio.timeout(None)
        group = self._own_calls if call.method.startswith("/grpc.") else self._calls
        try:
            async with bound:
                group.add(bound)
                self._update()
                yield
        except TimeoutError:
            if not bound.expired():
                raise
            raise Draining("the server is stopping; ask again") from None
        finally:
            group.discard(bound)
            self._update()

    def _update(self) -> None:
        if self._calls:
            self._idle.clear()
        else:
            self._idle.set()


async def _abort(context: AnyContext, error: ServiceError) -> None:
    request_id = current_request_id()
    status = rpc_status.to_status(to_status(error, request_id))
    trailers = tuple(status.trailing_metadata or ())
    if request_id is not None:
        trailers = (*trailers, (REQUEST_ID_KEY, request_id))
    await context.abort(status.code, status.details, trailers)
