"""Bytes on a raw socket that no well-behaved client sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transcoding.failure import HttpProblem
from gateway.transcoding.http_message import Request
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.profile import Match
from unit.gateway.transcoding.servers import http_server, raw_exchange
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder

REFUSED = b"HTTP/1.1 400 "


async def authorize(request: Request, match: Match | None) -> dict[str, str]:
    """Let nobody in who does not show the password in a header."""
    if request.header("authorization") != "Bearer password":
        raise HttpProblem(401, {"detail": "who are you"})
    return {"x-for": request.header("x-forwarded-for") or ""}


@pytest.fixture
async def guarded() -> AsyncIterator[int]:
    async with http_server(transcoder(authorize=authorize)) as port:
        yield port


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with http_server(transcoder()) as number:
        yield number


def chunked(trailer: str, *, split: bool = False, headers: str = "") -> list[bytes]:
    head = f"POST /v1/items HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}transfer-encoding: chunked\r\n\r\n"
    body = "2\r\n{}\r\n"
    end = f"0\r\n{trailer}\r\n\r\n"
    return [head.encode(), (body + end).encode()] if split else [(head + body + end).encode()]


async def test_a_password_in_a_trailer_opens_nothing(guarded: int) -> None:
    (request,) = chunked("Authorization: Bearer password")

    assert (await raw_exchange(guarded, request)).startswith(b"HTTP/1.1 401 ")


async def test_a_password_in_a_header_opens_and_the_trailer_changes_nothing(guarded: int) -> None:
    (request,) = chunked("Authorization: Bearer other", headers="authorization: Bearer password\r\n")

    assert (await raw_exchange(guarded, request)).startswith(b"HTTP/1.1 200 ")


async def test_a_trailer_never_becomes_metadata(port: int) -> None:
    request = (
        b"GET /v1/report HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        b"0\r\nx-forwarded-for: 9.9.9.9\r\ngrpc-metadata-tenant: evil\r\nx-request-id: evil\r\n\r\n"
    )

    answer = await raw_exchange(port, request)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"9.9.9.9" not in answer
    assert b"evil" not in answer


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /v1/items HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param("GET /v1/items HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", id="two-hosts"),
        pytest.param("GET /v1/items HTTP/1.1\r\nhost: a b\r\n\r\n", id="bad-host"),
        pytest.param("GET /v1/items HTTP/2.0\r\nhost: a\r\n\r\n", id="http-2-in-the-line"),
        pytest.param("GET /v1/items HTTP/1.1\nhost: a\n\n", id="bare-line-feeds"),
        pytest.param("GET /v1/items HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n", id="header-folding"),
        pytest.param("GET /v1/items HTTP/1.1\r\nhost : a\r\n\r\n", id="space-before-colon"),
        pytest.param("POST /v1/items HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", id="length-and-chunked"),
        pytest.param("POST /v1/items HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", id="two-lengths"),
        pytest.param("POST /v1/items HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\n{}", id="signed-length"),
        pytest.param("POST /v1/items HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", id="obfuscated-chunked"),
        pytest.param("POST /v1/items HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n", id="bad-chunk-size"),
        pytest.param("GET /v1/\xff HTTP/1.1\r\nhost: a\r\n\r\n", id="non-ascii-path"),
        pytest.param("NONSENSE\r\n\r\n", id="no-request-at-all"),
    ],
)  # fmt: skip
async def test_a_request_that_breaks_http_is_refused_and_the_connection_closed(port: int, head: str) -> None:
    answer = await raw_exchange(port, head.encode("latin-1"))

    assert answer.startswith(REFUSED)
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_declared_giant_is_413_without_a_continue(port: int) -> None:
    request = (
        b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 10737418240\r\nexpect: 100-continue\r\n\r\n"
    )

    answer = await raw_exchange(port, request)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


async def test_a_body_that_is_expected_is_asked_for(port: int) -> None:
    request = (
        b"POST /v1/items HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n"
        b"connection: close\r\n\r\n{}"
    )

    answer = await raw_exchange(port, request)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("".join(f"x-{number}: y\r\n" for number in range(5000)), id="thousands-of-headers"),
        pytest.param("x: " + "y" * 60_000 + "\r\n", id="one-large-header"),
    ],
)
async def test_too_many_or_too_large_headers_are_431(port: int, head: str) -> None:
    answer = await raw_exchange(port, f"GET /v1/items HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_header_without_end_is_431(port: int) -> None:
    answer = await raw_exchange(port, b"GET /v1/items HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 1_000_000)

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_header_without_end_behind_another_request_leaves_that_ones_answer_whole(port: int) -> None:
    first = b"GET /v1/items/first HTTP/1.1\r\nhost: x\r\n\r\n"

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b'"text":"first"')
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000)
        rest = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert rest.count(b"HTTP/1.1 431 ") == 1


async def test_a_header_without_end_behind_a_pending_answer_closes_after_it() -> None:
    servicer = EverythingServicer()
    async with http_server(transcoder(LocalBackend(servicer))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/silent HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(10):
            await servicer.hanging.wait()
            writer.write(b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000)
            await writer.drain()
            servicer.release.set()
            # The close may reset the connection, since the client keeps sending; it must come either way.
            with suppress(ConnectionResetError):
                assert (await reader.read()).count(b"HTTP/1.1 ") <= 1
        writer.close()

        other = await raw_exchange(port, b"GET /v1/items HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert other.startswith(b"HTTP/1.1 200 ")


PIECES = (
    b"GET /v1/items HTTP/1.1\r\n", b"POST /v1/items HTTP/1.1\r\n", b"host: x\r\n", b"content-length: 2\r\n", b"content-length: 99\r\n",
    b"transfer-encoding: chunked\r\n", b"connection: close\r\n", b"connection: upgrade\r\nupgrade: websocket\r\n",
    b"expect: 100-continue\r\n", b"\r\n", b"{}", b"2\r\n{}\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"\n", b"\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(PIECES) | st.binary(max_size=30), max_size=8), min_size=1, max_size=5)
)
async def test_whatever_bytes_come_the_server_answers_the_next_client(talks: list[list[bytes]]) -> None:
    async with http_server(transcoder()) as port:
        for pieces in talks:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(10):
                with suppress(ConnectionError):
                    writer.write(b"".join(pieces))
                    writer.write_eof()
                    answer = await reader.read()
                    assert b"HTTP/1.1 5" not in answer
            writer.close()
        other = await raw_exchange(port, b"GET /v1/items HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert other.startswith(b"HTTP/1.1 200 ")
