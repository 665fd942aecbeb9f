"""A real aio server and a real channel: what a caller of any service sees."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import ClassVar

import grpc
import pytest
from google.rpc.error_details_pb2 import RequestInfo
from google.rpc.status_pb2 import Status
from grpc_channelz.v1.channelz_pb2 import GetServersRequest, GetServersResponse
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from loguru import logger

from runtime.channel import MAX_MESSAGE_BYTES, open_channel, retry_policy
from runtime.context import (
    Deadline,
    current_request_id,
    deadline,
    remaining_seconds,
    use_deadline,
    use_request_id,
)
from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    MalformedRequest,
    NotFound,
    Resource,
    ResourceExhausted,
    ServiceError,
    StartupError,
    Unavailable,
    base_of,
)
from runtime.network import LOOPBACK, Network
from runtime.server import GrpcServer, Registration
from runtime.status import STATUS_DETAILS_KEY, from_rpc_error

SERVICE = "test.v1.Echo"
WAIT_SECONDS = 10.0

Answer = Callable[[bytes], Awaitable[bytes]]
Stream = Callable[[bytes], AsyncIterator[bytes]]


async def echo(request: bytes) -> bytes:
    return request


async def echo_twice(request: bytes) -> AsyncIterator[bytes]:
    yield request
    yield request


def registration(answer: Answer = echo, stream: Stream = echo_twice) -> Registration:
    async def unary(request: bytes, _context: object) -> bytes:
        return await answer(request)

    async def streaming(request: bytes, _context: object) -> AsyncIterator[bytes]:
        async for one in stream(request):
            yield one

    handler = grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Get": grpc.unary_unary_rpc_method_handler(unary),
            "Put": grpc.unary_unary_rpc_method_handler(unary),
            "Watch": grpc.unary_stream_rpc_method_handler(streaming),
        },
    )
    return Registration(service=SERVICE, add=lambda server: server.add_generic_rpc_handlers((handler,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A running server and a channel to it."""

    server: GrpcServer
    channel: grpc.aio.Channel

    def call(
        self,
        request: bytes = b"x",
        *,
        method: str = "Get",
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(
            f"/{SERVICE}/{method}"
        )
        metadata = None if request_id is None else (("x-request-id", request_id),)
        return stub(request, timeout=timeout, metadata=metadata)

    def watch(self, request: bytes = b"x") -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        stub: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(f"/{SERVICE}/Watch")
        return stub(request)

    async def receive(self, method: str) -> None:
        """Takes everything the method answers, so that its error is raised here."""
        if method == "Watch":
            async for _ in self.watch():
                pass
        else:
            await self.call(method=method)

    async def health(self, name: str) -> int:
        stub: grpc.aio.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = (
            self.channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                HealthCheckRequest.SerializeToString,
                HealthCheckResponse.FromString,
            )
        )
        return (await stub(HealthCheckRequest(service=name))).status

    def watch_health(self, name: str) -> grpc.aio.UnaryStreamCall[HealthCheckRequest, HealthCheckResponse]:
        stub: grpc.aio.UnaryStreamMultiCallable[HealthCheckRequest, HealthCheckResponse] = (
            self.channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                HealthCheckRequest.SerializeToString,
                HealthCheckResponse.FromString,
            )
        )
        return stub(HealthCheckRequest(service=name))


async def next_status(watch: grpc.aio.UnaryStreamCall[HealthCheckRequest, HealthCheckResponse]) -> int:
    answer = await asyncio.wait_for(watch.read(), WAIT_SECONDS)
    assert isinstance(answer, HealthCheckResponse)
    return answer.status


@asynccontextmanager
async def peer(
    answer: Answer = echo,
    stream: Stream = echo_twice,
    *,
    internal_networks: tuple[Network, ...] = LOOPBACK,
    listen: str = "127.0.0.1:0",
) -> AsyncIterator[Peer]:
    server = GrpcServer(
        listen=listen,
        listen_key="services.test.listen",
        services=[registration(answer, stream)],
        internal_networks=internal_networks,
    )
    async with server:
        target = listen if listen.startswith("unix:") else f"127.0.0.1:{server.port}"
        async with open_channel(target) as channel:
            yield Peer(server=server, channel=channel)


@pytest.fixture
def lines() -> list[str]:
    """What is logged while the test runs."""
    return []


@pytest.fixture(autouse=True)
def _log(lines: list[str]) -> object:
    sink = logger.add(
        lambda message: lines.append(str(message)), level="DEBUG", format="{level}|{message}|{exception}"
    )
    yield
    logger.remove(sink)


class BalanceTooLow(FailedPrecondition):
    reason: ClassVar[str] = "TOO_LOW"


ERRORS = [
    pytest.param(BalanceTooLow("is 1, wants 2", metadata={"is": "1", "wants": "2"}), id="leaf with figures"),
    pytest.param(
        MalformedRequest([FieldViolation(field="request.qty", description="must be > 0, got 0")]),
        id="violations",
    ),
    pytest.param(ResourceExhausted("wait", retry_after=timedelta(milliseconds=1500)), id="retry after"),
    pytest.param(NotFound("none", resource=Resource(type="thing", name="t1")), id="resource"),
    pytest.param(AlreadyExists("ünïcode text\nwith a second line"), id="text that is not ASCII"),
    pytest.param(Unavailable("x" * 1000), id="long text"),
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["Get", "Watch"])
async def test_an_error_raised_in_a_servicer_arrives_whole(error: ServiceError, method: str) -> None:
    async def fail(_request: bytes) -> bytes:
        raise error

    async def fail_later(request: bytes) -> AsyncIterator[bytes]:
        yield request
        raise error

    async with peer(fail, fail_later) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.receive(method)

    received = from_rpc_error(caught.value)
    assert type(received) is base_of(error.code)
    assert (received.reason, received.message) == (error.reason, error.message)
    assert dict(received.metadata) == dict(error.metadata)
    assert received.violations == error.violations
    assert received.retry_after == error.retry_after
    assert received.resource == error.resource


@pytest.mark.parametrize("method", ["Get", "Watch"])
async def test_a_bug_shows_the_caller_its_request_id_and_nothing_else(method: str, lines: list[str]) -> None:
    async def fail(_request: bytes) -> bytes:
        raise ZeroDivisionError("a private detail")

    async def fail_in_stream(request: bytes) -> AsyncIterator[bytes]:
        yield request
        raise ZeroDivisionError("a private detail")

    async with peer(fail, fail_in_stream) as running:
        with use_request_id("req-7"), pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.receive(method)

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "private" not in str(caught.value)
    assert request_id_of(caught.value) == "req-7"
    logged = [line for line in lines if "private" in line]
    assert len(logged) == 1
    assert "ZeroDivisionError" in logged[0]


def request_id_of(error: grpc.aio.AioRpcError) -> str:
    packed = next(value for key, value in error.trailing_metadata() if key == STATUS_DETAILS_KEY)
    assert isinstance(packed, bytes)
    info = RequestInfo()
    assert any(detail.Unpack(info) for detail in Status.FromString(packed).details)
    return str(info.request_id)


async def test_a_request_id_is_made_where_the_caller_has_none_and_returned() -> None:
    seen: list[str | None] = []

    async def answer(request: bytes) -> bytes:
        seen.append(current_request_id())
        return request

    async with peer(answer) as running:
        call = running.call()
        await call
        trailers = dict(await call.trailing_metadata())

    assert seen[0]
    assert trailers["x-request-id"] == seen[0]
    assert current_request_id() is None


async def test_a_request_id_passes_through_two_servers() -> None:
    seen: list[str | None] = []

    async def last(request: bytes) -> bytes:
        seen.append(current_request_id())
        return request

    async with peer(last) as behind:

        async def first(request: bytes) -> bytes:
            return await behind.call(request)

        async with peer(first) as front:
            with use_request_id("from-the-caller"):
                await front.call()

    assert seen == ["from-the-caller"]


@pytest.mark.parametrize("received", ["with spaces", "x" * 129, "new|line", ""])
async def test_a_request_id_unfit_for_the_log_is_replaced(received: str) -> None:
    seen: list[str | None] = []

    async def answer(request: bytes) -> bytes:
        seen.append(current_request_id())
        return request

    async with peer(answer) as running:
        await running.call(request_id=received)

    assert seen[0] not in {received, None}


async def test_each_hop_leaves_its_caller_50_ms() -> None:
    own_caps: list[float] = []

    async def last(request: bytes) -> bytes:
        own_caps.append(remaining_seconds(100.0))
        return request

    async with peer(last) as behind:

        async def first(request: bytes) -> bytes:
            own_caps.append(remaining_seconds(100.0))
            return await behind.call(request)

        async with peer(first) as front:
            await front.call(timeout=5.0)

    # gRPC writes a deadline as a rounded length of time, so each hop can gain some milliseconds.
    assert 0 < own_caps[0] < 4.96
    assert 0 < own_caps[1] < 4.92


@pytest.mark.parametrize("method", ["Get", "Watch"])
async def test_a_call_whose_callers_time_is_over_is_not_sent(method: str) -> None:
    sent: list[bytes] = []

    async def answer(request: bytes) -> bytes:
        sent.append(request)
        return request

    async def stream(request: bytes) -> AsyncIterator[bytes]:
        sent.append(request)
        yield request

    async with peer(answer, stream) as running:
        with use_deadline(Deadline.after(0.0)), pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.receive(method)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert sent == []


async def test_a_call_without_a_timeout_gets_one() -> None:
    seen: list[float] = []

    async def answer(request: bytes) -> bytes:
        current = deadline.get()
        assert current is not None
        seen.append(current.remaining())
        return request

    async with peer(answer) as running:
        await running.call()

    # gRPC rounds a length of time up when it writes it.
    assert 0 < seen[0] < 10.1


async def test_grpcs_own_abort_passes_as_it_is_and_is_no_error(lines: list[str]) -> None:
    async with peer() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.health("nobody")

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert not [line for line in lines if line.startswith("ERROR")]


async def test_a_cancelled_call_cancels_its_handler_and_is_no_error(lines: list[str]) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def hang(request: bytes) -> bytes:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return request

    async with peer(hang) as running:
        call = asyncio.ensure_future(running.call())
        await asyncio.wait_for(started.wait(), WAIT_SECONDS)
        call.cancel()
        await asyncio.wait_for(ended.wait(), WAIT_SECONDS)

    assert not [line for line in lines if line.startswith("ERROR")]


async def test_a_stream_left_by_its_reader_closes_its_generator() -> None:
    closed = asyncio.Event()
    seen: list[str | None] = []

    async def endless(request: bytes) -> AsyncIterator[bytes]:
        try:
            yield request
            await asyncio.Event().wait()
        finally:
            seen.append(current_request_id())
            closed.set()

    async with peer(stream=endless) as running:
        with use_request_id("left"):
            call = running.watch()
            assert await call.read() == b"x"
            call.cancel()
        await asyncio.wait_for(closed.wait(), WAIT_SECONDS)

    assert seen == ["left"]


async def test_a_stream_nobody_reads_closes_its_generator_in_its_own_context() -> None:
    closed = asyncio.Event()
    seen: list[str | None] = []

    async def flood(_request: bytes) -> AsyncIterator[bytes]:
        try:
            while True:
                # More than the flow-control window takes, so that the call waits in the write.
                yield b"x" * 1_000_000
        finally:
            seen.append(current_request_id())
            closed.set()

    async with peer(stream=flood) as running:
        with use_request_id("flooded"):
            call = running.watch()
            await call.read()
            call.cancel()
        await asyncio.wait_for(closed.wait(), WAIT_SECONDS)

    assert seen == ["flooded"]


async def test_a_caller_from_a_foreign_network_is_refused_on_every_service() -> None:
    async with peer(internal_networks=(ip_network("10.0.0.0/8"),)) as running:
        with pytest.raises(grpc.aio.AioRpcError) as plain:
            await running.call()
        with pytest.raises(grpc.aio.AioRpcError) as health:
            await running.health("")

    for caught in (plain, health):
        assert from_rpc_error(caught.value).reason == "NETWORK_UNTRUSTED"
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_unix_socket_is_internal(tmp_path: object) -> None:
    async with peer(listen=f"unix:{tmp_path}/s", internal_networks=()) as running:
        assert await running.call(b"y") == b"y"


async def test_health_is_not_serving_until_set_and_is_watched() -> None:
    async with peer() as running:
        for name in ("", "read", "trade", SERVICE):
            assert await running.health(name) == HealthCheckResponse.NOT_SERVING

        watch = running.watch_health("trade")
        assert await next_status(watch) == HealthCheckResponse.NOT_SERVING
        await running.server.health.set("trade", serving=True)
        assert await next_status(watch) == HealthCheckResponse.SERVING
        await running.server.health.drain()
        assert await next_status(watch) == HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_reflection_lists_every_service_and_channelz_answers() -> None:
    async with peer() as running:
        ask: grpc.aio.StreamStreamMultiCallable[bytes, ServerReflectionResponse] = (
            running.channel.stream_stream(
                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                response_deserializer=ServerReflectionResponse.FromString,
            )
        )
        conversation = ask(iter([ServerReflectionRequest(list_services="").SerializeToString()]))
        answer = await conversation.read()
        assert isinstance(answer, ServerReflectionResponse)
        servers: grpc.aio.UnaryUnaryMultiCallable[bytes, GetServersResponse] = running.channel.unary_unary(
            "/grpc.channelz.v1.Channelz/GetServers", response_deserializer=GetServersResponse.FromString
        )
        listening = await servers(GetServersRequest(start_server_id=0).SerializeToString())

    listed = {one.name for one in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= listed
    assert listening.server


async def test_a_second_server_on_the_same_port_names_the_key() -> None:
    async with peer() as running:
        second = GrpcServer(
            listen=f"127.0.0.1:{running.server.port}",
            listen_key="services.test.listen",
            services=[registration()],
        )
        with pytest.raises(StartupError, match=r"services\.test\.listen: cannot listen on 127.0.0.1"):
            await second.start()
        await second.stop(0)


async def test_a_message_over_the_limit_is_refused() -> None:
    async with peer() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.call(b"x" * (MAX_MESSAGE_BYTES + 1))

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_drain_lets_a_call_finish_and_does_not_wait_for_health_watchers() -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: bytes) -> bytes:
        started.set()
        await go_on.wait()
        return request

    async with peer(slow) as running:
        watch = running.watch_health("")
        await next_status(watch)
        call = asyncio.ensure_future(running.call(b"kept"))
        await asyncio.wait_for(started.wait(), WAIT_SECONDS)
        stopping = asyncio.create_task(running.server.stop(WAIT_SECONDS * 10))
        await asyncio.wait_for(running.server.draining.wait(), WAIT_SECONDS)
        assert not running.server.health.is_serving("")
        go_on.set()

        assert await asyncio.wait_for(call, WAIT_SECONDS) == b"kept"
        await asyncio.wait_for(stopping, WAIT_SECONDS)
        watch.cancel()


async def test_a_drain_says_how_many_calls_it_cancels(lines: list[str]) -> None:
    started = asyncio.Event()

    async def hang(request: bytes) -> bytes:
        started.set()
        await asyncio.Event().wait()
        return request

    async with peer(hang) as running:
        call = asyncio.ensure_future(running.call())
        await asyncio.wait_for(started.wait(), WAIT_SECONDS)
        await running.server.stop(0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call

    assert from_rpc_error(caught.value).reason == "DRAINING"
    assert any("Cancelling 1 calls" in line for line in lines)


@pytest.mark.parametrize(("method", "attempts"), [("Get", 3), ("Put", 1)])
async def test_only_listed_methods_are_sent_again(method: str, attempts: int) -> None:
    received: list[bytes] = []

    async def fail(request: bytes) -> bytes:
        received.append(request)
        raise Unavailable("try again")

    async with peer(fail) as running:
        policy = retry_policy(SERVICE, ["Get"], initial_backoff_ms=10, max_backoff_ms=20)
        async with open_channel(f"127.0.0.1:{running.server.port}", retries=[policy]) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await Peer(server=running.server, channel=channel).call(method=method)

    assert from_rpc_error(caught.value).reason == "UNAVAILABLE"
    assert len(received) == attempts
