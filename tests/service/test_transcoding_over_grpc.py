"""The transcoder between a real HTTP client and a real grpc.aio server."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import grpc
import pytest

from gateway.transcoding.channel_backend import ChannelBackend
from gateway.transcoding.code import Code, http_status_of
from gateway.transcoding.endpoint import Options
from gateway.transcoding.health import ChannelHealth
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.limits import Limits
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import SERVICE
from unit.gateway.transcoding.servers import grpc_server, http_server, raw_exchange
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder

JSON = {"content-type": "application/json"}
COMPACT = Profile(json=JsonOptions(unset=Unset.OMIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    servicer: EverythingServicer
    http: aiohttp.ClientSession
    port: int


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    servicer = EverythingServicer()
    async with grpc_server(servicer) as target, grpc.aio.insecure_channel(target) as channel:
        app = transcoder(
            ChannelBackend(channel),
            COMPACT,
            options=Options(limits=Limits(max_body_bytes=3_000_000)),
            check_health=ChannelHealth({SERVICE: channel}),
        )
        async with (
            http_server(app) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(20)) as http,
        ):
            yield Stack(servicer=servicer, http=http, port=port)


async def test_a_request_goes_through_path_query_and_body_and_back(stack: Stack) -> None:
    body = {"child": {"int64Value": "9007199254740993"}, "at": "2020-01-01T00:00:00.5Z"}
    async with stack.http.put("/v1/nested/a%2Fb", json=body) as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "child": {"text": "a/b", "int64Value": "9007199254740993"},
            "at": "2020-01-01T00:00:00.500Z",
        }


async def test_a_chunked_body_is_read(stack: Stack) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"te'
        yield b'xt":"x"}'

    async with stack.http.post(
        "/v1/items", data=pieces(), headers={"content-type": "application/json"}
    ) as answer:
        assert await answer.json() == {"text": "x"}


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK], ids=lambda code: code.name)
async def test_every_code_of_a_real_server_has_its_status_and_details(stack: Stack, code: Code) -> None:
    async with stack.http.get(f"/v1/fail/{code.value}", params={"message": "✒ 100%"}) as answer:
        status = await answer.json()

    assert answer.status == http_status_of(code)
    assert (status["code"], status["message"]) == (code.value, "✒ 100%")
    assert status["details"][0]["reason"] == "OUT_OF_INK"
    assert status["details"][1] == {"@type": "type.googleapis.com/no.such.Type", "value": "AQI="}


async def test_a_bug_of_the_service_is_its_unknown_error(stack: Stack) -> None:
    async with stack.http.get("/v1/fail/0") as answer:
        assert (answer.status, (await answer.json())["code"]) == (500, 2)


async def test_metadata_and_deadline_cross_the_wire(stack: Stack) -> None:
    headers = {
        "grpc-timeout": "5S",
        "x-request-id": "req-1",
        "grpc-metadata-key-bin": "AAE=",
        "te": "trailers",
    }
    async with stack.http.get("/v1/report", headers=headers) as answer:
        report = await answer.json()

    assert report["metadata"]["x-request-id"] == "req-1"
    assert report["metadata"]["key-bin"] == "bytes:0001"
    # gRPC rounds what is left up; without the header it would be 30.
    assert 0 < report["timeRemaining"] < 10
    assert answer.headers["grpc-metadata-served-by"] == "echo"
    assert answer.headers["grpc-metadata-raw-bin"] == "AAE="
    assert answer.headers["grpc-trailer-cost"] == "7"
    assert answer.headers["x-request-id"] == "req-1"


async def test_an_expired_deadline_is_504_and_cancels_the_method(stack: Stack) -> None:
    async with stack.http.get("/v1/hang", headers={"grpc-timeout": "200m"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (504, 4)

    async with asyncio.timeout(10):
        await stack.servicer.cancelled.wait()


@pytest.mark.parametrize("path", ["/v1/hang", "/v1/hangStream"], ids=["unary", "stream"])
async def test_a_client_that_goes_away_cancels_the_method(stack: Stack, path: str) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    async with asyncio.timeout(10):
        await stack.servicer.hanging.wait()
        writer.transport.abort()
        await stack.servicer.cancelled.wait()


async def test_a_client_that_goes_away_in_the_middle_of_a_body_ends_the_request(stack: Stack) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    writer.write(b'POST /v1/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"text":"a"}')
    await writer.drain()
    writer.transport.abort()

    # The server answers others as before.
    async with stack.http.get("/v1/items/x") as answer:
        assert answer.status == 200


async def test_messages_of_a_stream_arrive_one_by_one(stack: Stack) -> None:
    async with asyncio.timeout(10), stack.http.get("/v1/hangStream") as answer:
        assert json.loads(await answer.content.readline()) == {"result": {"text": "first"}}
        assert not stack.servicer.cancelled.is_set()


async def test_events_arrive_one_by_one(stack: Stack) -> None:
    headers = {"accept": "text/event-stream"}
    async with asyncio.timeout(10), stack.http.get("/v1/hangStream", headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readline() == b'data: {"text":"first"}\n'


async def test_a_stream_that_fails_ends_with_its_error(stack: Stack) -> None:
    async with stack.http.get("/v1/failStream/14", params={"message": "lost", "after": "1"}) as answer:
        lines = (await answer.read()).splitlines()

    assert answer.status == 200
    assert json.loads(lines[-1])["error"]["message"] == "lost"
    async with stack.http.get("/v1/failStream/14", params={"message": "lost"}) as early:
        assert early.status == 503


async def test_a_slow_client_stream_is_collected(stack: Stack) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(20):
            yield json.dumps({"text": f"t{number}"}).encode()

    async with stack.http.post("/v1/collect", data=pieces(), headers=JSON) as answer:
        assert (await answer.json())["penNames"] == [f"t{number}" for number in range(20)]


async def test_both_sides_stream_at_once(stack: Stack) -> None:
    answered = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"text":"a"}\n'
        # The second question is asked only after the first answer has arrived.
        await answered.wait()
        yield b'{"text":"b"}\n'

    async with asyncio.timeout(10), stack.http.post("/v1/chat", data=pieces(), headers=JSON) as answer:
        assert json.loads(await answer.content.readline()) == {"result": {"text": "you said a"}}
        answered.set()
        assert json.loads(await answer.content.readline()) == {"result": {"text": "you said b"}}
        assert await answer.content.readline() == b""


@pytest.mark.parametrize("path", ["/v1/collect", "/v1/chat"])
async def test_a_broken_client_stream_is_400(stack: Stack, path: str) -> None:
    async with stack.http.post(path, data=b'[{"text":1}]', headers=JSON) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, 3)


async def test_raw_bytes_go_both_ways(stack: Stack) -> None:
    async with stack.http.post(
        "/v1/upload/n", data=b"\xff\x00", headers={"content-type": "image/png"}
    ) as answer:
        assert await answer.json() == {"name": "n", "contentType": "image/png", "data": "/wA="}
    async with stack.http.get("/v1/tail/x") as tail:
        assert (tail.content_type, await tail.read()) == ("text/plain", b"one\ntwo\n")
    async with stack.http.post("/v1/uploadStream", data=b"x" * 200_000) as streamed:
        assert (await streamed.json())["pieces"] > 1


async def test_a_large_message_passes_and_a_larger_one_is_413(stack: Stack) -> None:
    large = io.BytesIO(b'{"text":"' + b"x" * 2_900_000 + b'"}')
    async with stack.http.post("/v1/items", data=large, headers=JSON) as answer:
        assert answer.status == 200
        assert len((await answer.json())["text"]) == 2_900_000

    # Not declared, but sent: refused as soon as the last byte within the limit is passed.
    head = b"POST /v1/items HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"186a0\r\n" + b" " * 100_000 + b"\r\n"
    refused = await raw_exchange(stack.port, head + chunk * 30 + b"1\r\n \r\n")
    assert refused.startswith(b"HTTP/1.1 413 ")


async def test_an_unreachable_service_is_503() -> None:
    async with grpc_server(EverythingServicer()) as target:
        gone = target
    async with (
        grpc.aio.insecure_channel(gone) as channel,
        http_server(
            transcoder(ChannelBackend(channel), COMPACT, check_health=ChannelHealth({"": channel}))
        ) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        async with http.get("/v1/items") as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, 14)
        async with http.get("/v1/watch") as stream:
            assert stream.status == 503
        async with http.get("/healthz") as health:
            assert (health.status, await health.json()) == (503, {"status": "NOT_SERVING"})
        async with http.get("/livez") as live:
            assert live.status == 200


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        pytest.param("", 200, "SERVING", id="the-whole-server"),
        pytest.param(f"?service={SERVICE}", 503, "NOT_SERVING", id="one-service"),
        pytest.param("?service=no.such.Service", 404, "SERVICE_UNKNOWN", id="unknown-service"),
    ],
)
async def test_healthz_asks_the_server(stack: Stack, query: str, status: int, body: str) -> None:
    async with stack.http.get(f"/healthz{query}") as answer:
        assert (answer.status, await answer.json()) == (status, {"status": body})


async def test_a_server_without_health_is_501() -> None:
    async with (
        grpc_server(EverythingServicer(), with_health=False) as target,
        grpc.aio.insecure_channel(target) as channel,
        http_server(
            transcoder(ChannelBackend(channel), check_health=ChannelHealth({SERVICE: channel}))
        ) as port,
    ):
        answer = await raw_exchange(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 501 ")


async def test_a_connection_serves_one_request_after_another(stack: Stack) -> None:
    one = b"GET /v1/items/a HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /v1/items/b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    answers = await raw_exchange(stack.port, one + last)

    assert answers.count(b"HTTP/1.1 200 ") == 2
    assert answers.endswith(b'{"text":"b"}')
