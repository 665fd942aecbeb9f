"""What goes along with every outgoing call: the request id and the time its caller has left."""

# grpc's classes are generic in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

import grpc
from grpc.aio import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall

from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.context import REQUEST_ID_KEY, current_request_id, deadline, remaining_seconds

Request = TypeVar("Request")
Response = TypeVar("Response")
Details = grpc.aio.ClientCallDetails
Requests = AsyncIterable[Request] | Iterable[Request]

DEFAULT_TIMEOUT_SECONDS = 10.0
"""For a call with one answer whose code names no timeout: none may wait for ever (I14)."""


def client_interceptors(clock: Clock = SYSTEM_CLOCK) -> tuple[grpc.aio.ClientInterceptor, ...]:
    """The interceptors of every channel, one for each kind of call (grpc.aio asks for one kind a class)."""
    return (
        _UnaryUnary(clock),
        _UnaryStream(clock),
        _StreamUnary(clock),
        _StreamStream(clock),
    )


def outgoing(details: Details, *, streaming: bool, clock: Clock = SYSTEM_CLOCK) -> Details:
    """The call's details with our request id and the smaller of its timeout and the caller's time left.

    Raises AioRpcError with DEADLINE_EXCEEDED where no time is left: nothing is sent then.
    """
    timeout = _timeout(details.timeout, streaming=streaming, clock=clock)
    if timeout is not None and timeout <= 0:
        # grpc.aio takes a timeout of 0 for none at all.
        none = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.DEADLINE_EXCEEDED, none, none, "no time is left, so the call was not sent"
        )
    return Details(
        details.method,
        timeout,
        _with_request_id(details.metadata),
        details.credentials,
        details.wait_for_ready,
    )


def _timeout(own: float | None, *, streaming: bool, clock: Clock) -> float | None:
    if own is None and streaming:
        return None if deadline.get() is None else remaining_seconds(float("inf"), clock)
    return remaining_seconds(DEFAULT_TIMEOUT_SECONDS if own is None else own, clock)


def _with_request_id(metadata: grpc.aio.Metadata | None) -> grpc.aio.Metadata | None:
    request_id = current_request_id()
    if request_id is None or (metadata is not None and metadata.get(REQUEST_ID_KEY) is not None):
        return metadata
    return grpc.aio.Metadata(*(metadata or ()), (REQUEST_ID_KEY, request_id))


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def intercept_unary_unary(
        self,
        continuation: Callable[[Details, Request], Awaitable[UnaryUnaryCall[Request, Response]]],
        client_call_details: Details,
        request: Request,
    ) -> Response | UnaryUnaryCall[Request, Response]:
        return await continuation(outgoing(client_call_details, streaming=False, clock=self._clock), request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def intercept_unary_stream(
        self,
        continuation: Callable[[Details, Request], Awaitable[UnaryStreamCall[Request, Response]]],
        client_call_details: Details,
        request: Request,
    ) -> AsyncIterator[Response] | UnaryStreamCall[Request, Response]:
        return await continuation(outgoing(client_call_details, streaming=True, clock=self._clock), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def intercept_stream_unary(
        self,
        continuation: Callable[[Details, Requests[Request]], Awaitable[StreamUnaryCall[Request, Response]]],
        client_call_details: Details,
        request_iterator: Requests[Request],
    ) -> Response | StreamUnaryCall[Request, Response]:
        return await continuation(
            outgoing(client_call_details, streaming=False, clock=self._clock), request_iterator
        )


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def intercept_stream_stream(
        self,
        continuation: Callable[[Details, Requests[Request]], Awaitable[StreamStreamCall[Request, Response]]],
        client_call_details: Details,
        request_iterator: Requests[Request],
    ) -> AsyncIterator[Response] | StreamStreamCall[Request, Response]:
        return await continuation(
            outgoing(client_call_details, streaming=True, clock=self._clock), request_iterator
        )
