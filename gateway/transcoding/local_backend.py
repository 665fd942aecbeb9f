"""Calls the async methods of a servicer object in this process, without a network hop."""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import NoReturn, TypeVar, cast

import grpc
from google.protobuf.message import Message

from gateway.transcoding.channel_backend import failure_of, metadata_of
from gateway.transcoding.code import Code
from gateway.transcoding.failure import ConfigurationError, Metadata, RpcFailure
from gateway.transcoding.rpc import RpcMethod, StreamAnswer, UnaryAnswer
from gateway.transcoding.status import details_of

T = TypeVar("T")

Translate = Callable[[Exception], RpcFailure | None]
"""What an exception of a servicer means as a status; None for a bug."""


class LocalContext:
    """What a servicer method may ask of its call; the part of grpc.aio.ServicerContext that needs no wire."""

    def __init__(self, metadata: Metadata, timeout_s: float | None) -> None:
        self._metadata = metadata
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._code = Code.OK
        self._details = ""
        self.initial: Metadata = ()
        self.trailing: Metadata = ()

    def invocation_metadata(self) -> Metadata:
        """The call's metadata as (key, value) pairs."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never below zero; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def peer(self) -> str:
        """The other end, which is this process."""
        return "inproc"

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """Set what the answer carries before the first response."""
        self.initial = tuple(initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """Set what the answer carries after the last response."""
        self.trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> Metadata:
        """What was set so far."""
        return self.trailing

    def set_code(self, code: grpc.StatusCode) -> None:
        """Set the status that the method ends with when it returns."""
        self._code = Code.from_grpc(code)

    def set_details(self, details: str) -> None:
        """Set the message of that status."""
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The status set so far."""
        return next(code for code in grpc.StatusCode if code.value[0] == self._code)

    def details(self) -> str:
        """The message set so far."""
        return self._details

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        """End the call with an error at once."""
        self.trailing = (*self.trailing, *trailing_metadata)
        raise self._failure(Code.from_grpc(code), details)

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call with a rich status at once."""
        await self.abort(status.code, status.details or "", metadata_of(status.trailing_metadata))

    def check_ended_well(self) -> None:
        """Raise the failure that `set_code` asked for, if it did."""
        if self._code is not Code.OK:
            raise self._failure(self._code, self._details)

    def _failure(self, code: Code, message: str) -> RpcFailure:
        return RpcFailure(
            code,
            message,
            details=details_of(self.trailing),
            initial_metadata=self.initial,
            trailing_metadata=self.trailing,
        )


class LocalBackend:
    """A servicer object whose methods are coroutines (or async generators) taking (request, context)."""

    def __init__(self, servicer: object, *, translate: Translate | None = None) -> None:
        self._servicer = servicer
        self._translate = translate

    def prepare(self, method: RpcMethod) -> None:
        """Check that the servicer has the method; ConfigurationError if not."""
        self._function(method)

    async def unary(
        self, method: RpcMethod, request: Message, *, metadata: Metadata, timeout_s: float | None
    ) -> UnaryAnswer:
        """Await the method; RpcFailure when it aborts, runs out of time, or raises what `translate` knows."""
        context = LocalContext(metadata, timeout_s)
        function = cast("Callable[[Message, LocalContext], Awaitable[Message]]", self._function(method))
        response = await self._within(function(request, context), context, timeout_s)
        context.check_ended_well()
        return UnaryAnswer(
            response=response, initial_metadata=context.initial, trailing_metadata=context.trailing
        )

    def stream(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        *,
        metadata: Metadata,
        timeout_s: float | None,
    ) -> StreamAnswer:
        """Start a method with a stream on either side."""
        context = LocalContext(metadata, timeout_s)
        return _LocalStream(self._responses(method, requests, context, timeout_s), context)

    async def _responses(
        self,
        method: RpcMethod,
        requests: AsyncIterable[Message],
        context: LocalContext,
        timeout_s: float | None,
    ) -> AsyncIterator[Message]:
        argument = requests if method.client_streaming else await anext(aiter(requests))
        result = self._function(method)(argument, context)
        if inspect.isawaitable(result):
            yield cast("Message", await self._within(result, context, timeout_s))
        else:
            async with aclosing(cast("AsyncGenerator[Message, None]", result)) as responses:
                while (response := await self._within(_next(responses), context, timeout_s)) is not None:
                    yield response
        context.check_ended_well()

    async def _within(self, step: Awaitable[T], context: LocalContext, timeout_s: float | None) -> T:
        """One step of a method in what is left of its time; not around a `yield`, whose task may be another."""
        try:
            async with asyncio.timeout(context.time_remaining()):
                return await step
        except Exception as e:  # as the top of an RPC: told apart below, raised again if unknown
            failure = self._failure_of(e, timeout_s, context)
            if failure is None:
                raise
            raise failure from e

    def _function(self, method: RpcMethod) -> Callable[[object, LocalContext], object]:
        function = getattr(self._servicer, method.name, None)
        if function is None:
            raise ConfigurationError(f"{type(self._servicer).__name__} has no method {method.name}")
        return cast("Callable[[object, LocalContext], object]", function)

    def _failure_of(
        self, error: Exception, timeout_s: float | None, context: LocalContext
    ) -> RpcFailure | None:
        remaining = context.time_remaining()
        if isinstance(error, TimeoutError) and remaining is not None and remaining <= 0:
            return RpcFailure(Code.DEADLINE_EXCEEDED, f"no answer within {timeout_s:g} s")
        if isinstance(error, grpc.aio.AioRpcError):
            return failure_of(error)
        return self._translate(error) if self._translate is not None else None


async def _next(responses: AsyncIterator[Message]) -> Message | None:
    return await anext(responses, None)


class _LocalStream:
    """The responses of one call."""

    def __init__(self, responses: AsyncIterator[Message], context: LocalContext) -> None:
        self._responses = responses
        self._context = context

    @property
    def initial_metadata(self) -> Metadata:
        return self._context.initial

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._responses

    async def aclose(self) -> None:
        close = getattr(self._responses, "aclose", None)
        if close is not None:
            await close()
