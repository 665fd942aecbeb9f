"""One way around an RPC of any kind, so that an interceptor is written once and covers streams too."""

# grpc's classes are generic in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Request, Response]
AnyContext = grpc.aio.ServicerContext[object, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One RPC being served."""

    method: str
    """Full name, as in `/package.Service/Method`."""
    context: AnyContext

    def metadata(self, key: str) -> str | None:
        """The first text value of this metadata key, `None` where the caller sent none."""
        value = dict(self.context.invocation_metadata() or ()).get(key)
        return value if isinstance(value, str) else None


Around = Callable[[Call], AbstractAsyncContextManager[None]]


class AroundInterceptor(grpc.aio.ServerInterceptor):
    """Runs every RPC inside `around(call)`, which may set context, refuse by raising, and see errors pass."""

    def __init__(self, around: Around) -> None:
        self._around = around

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Request, Response] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler found further in, wrapped."""
        handler = await continuation(handler_call_details)
        return None if handler is None else _wrap(handler, handler_call_details.method, self._around)


def _wrap(
    handler: grpc.RpcMethodHandler[Request, Response], method: str, around: Around
) -> grpc.RpcMethodHandler[Request, Response]:
    behaviour, make = _behaviour_of(handler)
    served = (_streaming if handler.response_streaming else _single)(behaviour, method, around)
    return make(served, handler.request_deserializer, handler.response_serializer)


# The stubs describe the synchronous server; the aio server awaits what a behaviour returns or iterates it.
_Behaviour = Callable[[Request, Context[Request, Response]], object]
_Served = Callable[[Request, Context[Request, Response]], Awaitable[Response | None]]
_Maker = Callable[..., "grpc.RpcMethodHandler[Request, Response]"]


def _behaviour_of(
    handler: grpc.RpcMethodHandler[Request, Response],
) -> tuple[_Behaviour[Request, Response], _Maker[Request, Response]]:
    # Which of the four is set follows from the two flags; they differ in types only.
    kinds: dict[tuple[bool, bool], tuple[object, _Maker[Request, Response]]] = {
        (False, False): (handler.unary_unary, grpc.unary_unary_rpc_method_handler),
        (False, True): (handler.unary_stream, grpc.unary_stream_rpc_method_handler),
        (True, False): (handler.stream_unary, grpc.stream_unary_rpc_method_handler),
        (True, True): (handler.stream_stream, grpc.stream_stream_rpc_method_handler),
    }
    found, make = kinds[handler.request_streaming, handler.response_streaming]
    return cast("_Behaviour[Request, Response]", found), make


def _single(
    behaviour: _Behaviour[Request, Response], method: str, around: Around
) -> _Served[Request, Response]:
    async def served(request: Request, context: Context[Request, Response]) -> Response | None:
        async with around(_call(method, context)):
            return await cast("Awaitable[Response]", behaviour(request, context))

    return served


def _streaming(
    behaviour: _Behaviour[Request, Response], method: str, around: Around
) -> _Served[Request, Response]:
    # A coroutine that writes, not a generator: a generator dropped by a cancelled call would be closed
    # in another task, where the context variables set around it cannot be reset.
    async def served(request: Request, context: Context[Request, Response]) -> Response | None:
        async with around(_call(method, context)):
            answers = behaviour(request, context)
            if isinstance(answers, AsyncIterator):
                await _write_all(answers, context)
            else:
                await cast("Awaitable[None]", answers)
        return None

    return served


async def _write_all(answers: AsyncIterator[Response], context: Context[Request, Response]) -> None:
    async with AsyncExitStack() as stack:
        if isinstance(answers, AsyncGenerator):
            await stack.enter_async_context(aclosing(answers))
        async for answer in answers:
            await context.write(answer)


def _call(method: str, context: Context[Request, Response]) -> Call:
    # What an interceptor does with a context does not depend on the message types.
    return Call(method=method, context=cast("AnyContext", context))
