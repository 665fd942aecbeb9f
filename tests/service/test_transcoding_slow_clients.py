"""Clients that are slow, silent or too loud, on raw sockets: each is cut in time, and nobody else notices."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from gateway.transcoding.http_protocol import HttpTimers
from gateway.transcoding.local_backend import LocalBackend
from unit.gateway.transcoding.everything_api import new
from unit.gateway.transcoding.servers import http_server, raw_exchange
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder

# Long enough that none but the one under test can fire.
PATIENT = HttpTimers(head_s=60, body_s=60, idle_s=60, write_s=60, linger_s=5)
GET = b"GET /v1/items/x HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes, however it does."""
    pieces: list[bytes] = []
    with suppress(ConnectionResetError):
        while piece := await reader.read(65536):
            pieces.append(piece)
    return b"".join(pieces)


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(
        next(line for line in head.split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
    )
    return head + await reader.readexactly(length)


@pytest.mark.parametrize(
    ("timers", "sent", "answer"),
    [
        pytest.param(replace(PATIENT, head_s=0.2), b"", b"", id="silent-from-the-start"),
        pytest.param(replace(PATIENT, head_s=0.2), b"\r\n", b"", id="an-empty-line-and-nothing"),
        pytest.param(replace(PATIENT, head_s=0.2), GET[:30], b"HTTP/1.1 408 ", id="half-a-head"),
        pytest.param(replace(PATIENT, body_s=0.2), POST, b"HTTP/1.1 408 ", id="a-body-that-does-not-come"),
        pytest.param(replace(PATIENT, body_s=0.2), POST + b"{", b"HTTP/1.1 408 ", id="half-a-body"),
        pytest.param(replace(PATIENT, idle_s=0.2), GET, b"HTTP/1.1 200 ", id="idle-after-an-answer"),
        pytest.param(replace(PATIENT, idle_s=0.2), GET + b"\r\n", b"HTTP/1.1 200 ", id="an-empty-line-after-an-answer"),
        pytest.param(replace(PATIENT, body_s=0.2), b"POST /no/such HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n", b"HTTP/1.1 404 ", id="a-body-that-nobody-waits-for"),
    ],
)  # fmt: skip
async def test_a_client_that_does_not_go_on_is_cut(timers: HttpTimers, sent: bytes, answer: bytes) -> None:
    async with http_server(transcoder(), timers) as port, connection(port) as (reader, writer):
        writer.write(sent)
        received = await to_the_end(reader)

    assert received.startswith(answer)
    assert received.count(b"HTTP/1.1 ") == (1 if answer else 0)


@pytest.mark.parametrize(
    ("timers", "start"),
    [
        pytest.param(replace(PATIENT, head_s=0.5), GET[:30], id="head"),
        pytest.param(replace(PATIENT, body_s=0.5), POST, id="body"),
    ],
)
async def test_dripping_does_not_start_the_clock_again(timers: HttpTimers, start: bytes) -> None:
    async with http_server(transcoder(), timers) as port, connection(port) as (reader, writer):
        writer.write(start)
        receiving = asyncio.create_task(to_the_end(reader))
        drips = 0
        while not receiving.done():
            writer.write(b"1")
            drips += 1
            await asyncio.wait({receiving}, timeout=0.05)

    assert (await receiving).startswith(b"HTTP/1.1 408 ")
    assert drips > 3


async def test_a_late_body_is_told_so_as_any_other_failure() -> None:
    async with (
        http_server(transcoder(), replace(PATIENT, body_s=0.1)) as port,
        connection(port) as (reader, writer),
    ):
        writer.write(POST)
        received = await to_the_end(reader)

    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    assert body.startswith(b'{"code":4,')


async def test_a_second_request_that_stalls_leaves_the_answer_before_it_whole() -> None:
    servicer = EverythingServicer()
    app = transcoder(LocalBackend(servicer))
    async with http_server(app, replace(PATIENT, head_s=0.1)) as port, connection(port) as (reader, writer):
        writer.write(b"GET /v1/silent HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/items HT")
        await servicer.hanging.wait()
        other = await raw_exchange(port, GET.replace(b"host: x", b"host: x\r\nconnection: close"))
        await asyncio.wait_for(_closed_soon(port), 10)
        servicer.release.set()
        received = await to_the_end(reader)

    assert other.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"at last" in received


async def _closed_soon(port: int) -> None:
    """Another stalled client, whose end shows that the timer of the first has fired too."""
    async with connection(port) as (reader, writer):
        writer.write(b"GET /")
        await to_the_end(reader)


async def test_a_client_stream_may_take_its_time() -> None:
    timers = replace(PATIENT, body_s=0.1, head_s=0.4)
    async with http_server(transcoder(), timers) as port, connection(port) as (reader, writer):
        writer.write(b"POST /v1/collect HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b'e\r\n{"text":"one"}\r\n')
        # Four times the body's time: another connection's head timer is the clock.
        await _closed_soon(port)
        writer.write(b'e\r\n{"text":"two"}\r\n0\r\n\r\n')
        received = await one_answer(reader)

    assert received.startswith(b"HTTP/1.1 200 ")
    assert b'["one","two"]' in received


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_client_in_the_middle_of_a_large_body_reads_its_413(declared: bool) -> None:
    size = 8 * 1024 * 1024
    framing = f"content-length: {size}" if declared else "transfer-encoding: chunked"
    body = b"x" * size if declared else b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
    async with http_server(transcoder(), PATIENT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(20):
            writer.write(f"POST /v1/items HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n".encode() + body)
            # A reset, or a server that stops reading, would end this with an error or not at all.
            await writer.drain()
            received = await reader.read()
        writer.close()

    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.endswith(b"}")


async def test_a_client_that_keeps_sending_after_its_refusal_is_cut() -> None:
    async with (
        http_server(transcoder(), replace(PATIENT, linger_s=0.2)) as port,
        connection(port) as (reader, writer),
    ):
        writer.write(b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n")
        received = await reader.read()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await _send_without_end(writer)

    assert received.startswith(b"HTTP/1.1 413 ")


async def _send_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 1024 * 1024)
        await writer.drain()


async def test_a_client_that_does_not_read_is_cut_and_its_call_ended() -> None:
    ended = asyncio.Event()

    class Endless(EverythingServicer):
        async def _endless(self, request: object, context: object) -> AsyncIterator[object]:
            try:
                while True:
                    yield new(text="x" * 10_000)
            finally:
                ended.set()

        Watch = _endless

    app = transcoder(LocalBackend(Endless()))
    async with http_server(app, replace(PATIENT, write_s=0.2)) as port:
        deaf = socket.socket()
        deaf.setblocking(False)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", port))
        try:
            await loop.sock_sendall(deaf, b"GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n")
            async with asyncio.timeout(10):
                await ended.wait()
        finally:
            deaf.close()


async def test_slow_clients_hold_up_nobody() -> None:
    timers = replace(PATIENT, head_s=5)
    request = GET.replace(b"host: x", b"host: x\r\nconnection: close")
    async with http_server(transcoder(), timers) as port:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        for index, (_, writer) in enumerate(slow):
            writer.write((GET[:20], POST + b"{", b"")[index % 3])
        answers = [await raw_exchange(port, request) for _ in range(20)]
        for _, writer in slow:
            writer.close()

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
