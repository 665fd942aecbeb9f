import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2

from gateway.transcoding.code import Code
from gateway.transcoding.failure import RpcFailure
from gateway.transcoding.local_backend import LocalBackend, LocalContext
from gateway.transcoding.message_types import class_of
from gateway.transcoding.request_stream import single
from gateway.transcoding.rpc import RpcMethod, rpc_method

SERVICE = descriptor_pool.Default().FindServiceByName("grpc.health.v1.Health")
CHECK: RpcMethod = rpc_method(SERVICE.methods_by_name["Check"])
WATCH: RpcMethod = rpc_method(SERVICE.methods_by_name["Watch"])
REQUEST = health_pb2.HealthCheckRequest(service="x")
ANSWER = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


class Odd(Exception):
    """An error of a domain."""


class Servicer:
    """Does what it is told."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def __getattr__(self, name: str) -> Any:
        if name == "Check":
            return self.check
        if name == "Watch":
            return self.watch
        raise AttributeError(name)

    async def check(self, request: Any, context: LocalContext) -> Any:
        return await self.act(request, context)

    async def watch(self, request: Any, context: LocalContext) -> AsyncIterator[Any]:
        yield ANSWER
        await self.act(request, context)


async def call(act: Any, **options: Any) -> Any:
    timeout_s = options.pop("timeout_s", None)
    backend = LocalBackend(Servicer(act), **options)
    return await backend.unary(CHECK, REQUEST, metadata=(("k", "v"),), timeout_s=timeout_s)


async def failure_of(act: Any, **options: Any) -> RpcFailure:
    with pytest.raises(RpcFailure) as caught:
        await call(act, **options)
    return caught.value


def test_the_classes_of_the_default_pool_are_the_generated_ones() -> None:
    assert class_of(CHECK.input) is health_pb2.HealthCheckRequest


async def test_a_method_gets_the_request_itself_and_its_metadata() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        assert request is REQUEST
        assert context.invocation_metadata() == (("k", "v"),)
        assert context.time_remaining() is None
        assert context.peer() == "inproc"
        await context.send_initial_metadata([("a", "1")])
        context.set_trailing_metadata([("b", "2")])
        return ANSWER

    answer = await call(act)

    assert answer.response is ANSWER
    assert (answer.initial_metadata, answer.trailing_metadata) == ((("a", "1"),), (("b", "2"),))


async def test_abort_is_the_failure_of_the_call() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        context.set_trailing_metadata([("b", "2")])
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone", [("c", "3")])

    failure = await failure_of(act)

    assert (failure.code, failure.message, failure.http_status) == (Code.NOT_FOUND, "gone", 404)
    assert failure.trailing_metadata == (("b", "2"), ("c", "3"))


async def test_a_code_that_was_set_is_the_failure_too() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        context.set_code(grpc.StatusCode.ABORTED)
        context.set_details("lost a race")
        assert (context.code(), context.details()) == (grpc.StatusCode.ABORTED, "lost a race")
        return ANSWER

    failure = await failure_of(act)

    assert (failure.code, failure.message) == (Code.ABORTED, "lost a race")


async def test_an_error_that_the_translation_knows_is_its_failure() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        raise Odd("odd")

    failure = await failure_of(
        act, translate=lambda error: RpcFailure(Code.DATA_LOSS, "odd") if isinstance(error, Odd) else None
    )

    assert failure.code is Code.DATA_LOSS
    assert isinstance(failure.__cause__, Odd)


async def test_an_error_that_nobody_knows_is_raised_as_it_is() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        raise Odd("odd")

    with pytest.raises(Odd):
        await call(act, translate=lambda _: None)


async def test_the_failure_of_a_call_inside_the_method_is_passed_on() -> None:
    metadata = grpc.aio.Metadata(("reason", "x"))

    async def act(request: Any, context: LocalContext) -> Any:
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), metadata, "down")

    failure = await failure_of(act)

    assert (failure.code, failure.message, failure.trailing_metadata) == (
        Code.UNAVAILABLE,
        "down",
        (("reason", "x"),),
    )


async def test_a_method_that_takes_too_long_is_cancelled_and_is_a_deadline() -> None:
    cancelled = asyncio.Event()

    async def act(request: Any, context: LocalContext) -> Any:
        remaining = context.time_remaining()
        assert remaining is not None
        assert 0 < remaining <= 0.01
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    failure = await failure_of(act, timeout_s=0.01)

    assert failure.code is Code.DEADLINE_EXCEEDED
    assert cancelled.is_set()


async def test_a_timeout_of_the_methods_own_is_not_the_calls_deadline() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        raise TimeoutError("of something else")

    with pytest.raises(TimeoutError):
        await call(act, timeout_s=60)


async def test_a_stream_that_takes_too_long_between_messages_is_a_deadline() -> None:
    async def act(request: Any, context: LocalContext) -> Any:
        await asyncio.Event().wait()

    answer = LocalBackend(Servicer(act)).stream(WATCH, single(REQUEST), metadata=(), timeout_s=0.01)
    responses = aiter(answer)

    assert await anext(responses) is ANSWER
    with pytest.raises(RpcFailure) as caught:
        await anext(responses)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


async def test_closing_a_stream_ends_its_method() -> None:
    ended = asyncio.Event()

    class Endless:
        async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802  # a method of gRPC
            try:
                while True:
                    yield ANSWER
            finally:
                ended.set()

    answer = LocalBackend(Endless()).stream(WATCH, single(REQUEST), metadata=(), timeout_s=None)
    async for _ in answer:
        break
    await answer.aclose()
    await answer.aclose()

    assert ended.is_set()
