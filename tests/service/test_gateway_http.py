"""The HTTP server before the gateway: browsers, hostile bytes, slow clients, and the end of its life."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from loguru import logger

from fakes.gateway_orders import account, listed
from fakes.gateway_services import Gateway, configuration, running_gateway, token_of
from gateway.app import open_app
from gateway.http_server import HttpServer
from gateway.transcoding.asgi import Receive, Scope, Send
from gateway.transcoding.http_protocol import HttpTimers
from opitios.order.v1 import order_service_pb2 as service
from runtime.address import Address
from runtime.errors import StartupError

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

ORDERS = "/api/v1/orders?account_id=paper"
PAGE = {"Origin": "https://page.example"}
ASK = {**PAGE, "Access-Control-Request-Method": "POST"}
WAIT_SECONDS = 20
HASTY = HttpTimers(head_s=0.05, body_s=0.05)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    running.on("ListOrders", service.ListOrdersResponse())
    running.on("ListAccounts", listed(account("paper")))
    return running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def choosy() -> AsyncIterator[Gateway]:
    async with running_gateway(app={"allowed_origins": ["https://page.example"]}) as gateway:
        gateway.on("ListOrders", service.ListOrdersResponse())
        gateway.on("ListAccounts", listed(account("paper")))
        yield gateway


async def test_a_preflight_is_answered_before_anyone_asks_for_a_token(gateway: Gateway) -> None:
    headers = {**ASK, "Access-Control-Request-Headers": "authorization,x-odd"}

    answer = await gateway.call("OPTIONS", ORDERS, headers=headers, outside=True)

    assert (answer.status, answer.text) == (200, "OK")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Allow-Methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-odd"
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "X-Process-Time" not in answer.headers


async def test_every_page_may_read_unless_it_sends_a_cookie_and_then_it_is_named(gateway: Gateway) -> None:
    plain = await gateway.call("GET", ORDERS, headers=PAGE)
    with_cookie = await gateway.call("GET", ORDERS, headers={**PAGE, "Cookie": "a=b"})
    refused = await gateway.call("GET", ORDERS, headers=PAGE, outside=True)
    no_page = await gateway.call("GET", ORDERS)

    assert plain.headers["Access-Control-Allow-Origin"] == "*"
    assert plain.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Vary" not in plain.headers
    assert with_cookie.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert with_cookie.headers["Vary"] == "Origin"
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")
    assert "Access-Control-Allow-Origin" not in no_page.headers
    assert "Access-Control-Expose-Headers" not in plain.headers


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({**ASK, "Origin": "https://other.example"}, "Disallowed CORS origin"),
        ({**ASK, "Access-Control-Request-Method": "BREW"}, "Disallowed CORS method"),
    ],
    ids=["origin", "method"],
)
async def test_a_preflight_of_a_stranger_is_a_400(
    choosy: Gateway, headers: dict[str, str], text: str
) -> None:
    answer = await choosy.call("OPTIONS", ORDERS, headers=headers)

    assert (answer.status, answer.text) == (400, text)


async def test_only_named_origins_may_read_where_origins_are_named(choosy: Gateway) -> None:
    known = await choosy.call("GET", ORDERS, headers=PAGE)
    stranger = await choosy.call("GET", ORDERS, headers={"Origin": "https://other.example"})

    assert known.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert "Access-Control-Allow-Origin" not in stranger.headers


async def test_v1_opens_to_named_origins_only(gateway: Gateway, choosy: Gateway) -> None:
    anyone = await gateway.call("OPTIONS", "/v1/accounts", headers=ASK)
    named = await choosy.call("OPTIONS", "/v1/accounts", headers=ASK)
    read = await choosy.call(
        "GET", "/v1/accounts", headers=PAGE, token=token_of(user_id="u", account_id="paper")
    )

    assert (anyone.status, "Access-Control-Allow-Origin" in anyone.headers) == (204, False)
    assert named.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert (read.status, read.headers["Access-Control-Allow-Origin"]) == (200, "https://page.example")


async def test_a_request_leaves_one_line_and_its_query_stays_out_of_it(gateway: Gateway) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message} {extra}", level="INFO")
    try:
        await gateway.call("GET", f"{ORDERS}&token=very-secret", headers={"X-Request-Id": "r-1"})
    finally:
        logger.remove(sink)

    (line,) = [one for one in lines if "/api/v1/orders" in one]
    assert line.startswith("GET /api/v1/orders {")
    assert "'status': 200" in line
    assert "very-secret" not in "".join(lines)


async def test_trailers_of_a_chunked_body_are_never_headers(gateway: Gateway) -> None:
    token = token_of(user_id="u").encode()
    forged = b"Authorization: Bearer " + token + b"\r\nX-Forwarded-For: 127.0.0.1\r\n"

    answer = await gateway.raw(
        b"POST /api/v1/sell/control HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n" + forged + b"\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_request_after_trailers_has_its_own_headers_only(gateway: Gateway) -> None:
    answer = await gateway.raw(
        b"POST /api/v1/sell/control HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n"
        b"GET /api/v1/orders?account_id=paper HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\n"
        b"Connection: close\r\n\r\n"
    )

    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 401 " in answer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 70_000, b"431"),
        (b"GET /" + b"a" * 70_000, b"431"),
        (b"GET / HTTP/1.1\nHost: x\n\n", b"400"),
        (
            (
                b"POST /api/v1/sell/control HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
            ),
            b"400",
        ),
        (b"POST /api/v1/sell/control HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n", b"413"),
    ],
    ids=[
        "no host",
        "two hosts",
        "a header without end",
        "a path without end",
        "bare line feeds",
        "two lengths",
        "ten gigabytes",
    ],
)
async def test_a_request_that_no_honest_client_sends_is_refused_and_cut(
    gateway: Gateway, head: bytes, status: bytes
) -> None:
    answer = await gateway.raw(head)

    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"HTTP/1.1 408 "),
        (
            b"POST /api/v1/sell/control HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{",
            b"HTTP/1.1 408 ",
        ),
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_client_that_never_finishes_is_cut(gateway: Gateway, sent: bytes, answer: bytes) -> None:
    async with open_app(configuration(gateway.ports), gateway.clock, timers=HASTY) as hasty:
        received = await everything_for(hasty.port, sent)

    assert received.startswith(answer)
    assert received.count(b"HTTP/1.1 ") == (1 if answer else 0)


async def test_a_client_that_goes_quiet_between_two_requests_is_cut(gateway: Gateway) -> None:
    timers = HttpTimers(idle_s=0.05)
    async with open_app(configuration(gateway.ports), gateway.clock, timers=timers) as hasty:
        received = await everything_for(hasty.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 200 ")


async def test_a_slow_answer_is_not_cut_with_the_slow_clients(gateway: Gateway) -> None:
    async with open_app(configuration(gateway.ports), gateway.clock, timers=HASTY) as hasty:

        async def slowly(_request: Message) -> Message:
            # A connection that says nothing is cut after the same time: by then the timers would have fired.
            assert await everything_for(hasty.port, b"") == b""
            return service.ListOrdersResponse()

        gateway.on("ListOrders", slowly)
        request = f"GET {ORDERS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        received = await everything_for(hasty.port, request.encode())

    assert received.startswith(b"HTTP/1.1 200 ")


async def everything_for(port: int, request: bytes) -> bytes:
    """What comes back for these bytes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    received = await asyncio.wait_for(reader.read(), WAIT_SECONDS)
    await closed(writer)
    return received


async def test_a_drain_ends_what_is_under_way_and_takes_nothing_new() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        asked.set()
        await may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    server = HttpServer(app, listen=Address.parse("127.0.0.1:0"), listen_key="services.gateway.listen")
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asked.wait()

    stopping = asyncio.create_task(server.stop(10))
    await refused_connection(server.port)
    may_answer.set()
    answer = await asyncio.wait_for(reader.read(), WAIT_SECONDS)
    await asyncio.wait_for(stopping, WAIT_SECONDS)
    await closed(writer)

    assert b"\r\ndone\r\n" in answer


async def refused_connection(port: int) -> None:
    """Returns once nobody accepts connections any more."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                # It was waiting to be accepted when the listening socket closed.
                continue
            await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # The other side may have cut the connection first.
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_drain_has_an_end() -> None:
    asked = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.set()
        await asyncio.Event().wait()

    server = HttpServer(app, listen=Address.parse("127.0.0.1:0"), listen_key="services.gateway.listen")
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()

        await asyncio.wait_for(server.stop(0.05), WAIT_SECONDS)
        answer = await asyncio.wait_for(reader.read(), WAIT_SECONDS)
        await closed(writer)

    assert answer.startswith(b"HTTP/1.1 500 ")


async def test_a_port_in_use_names_its_key(gateway: Gateway) -> None:
    async with running_gateway() as other:
        settings = configuration(other.ports, listen=f"127.0.0.1:{gateway.port}")

        with pytest.raises(StartupError, match=r"^services\.gateway\.listen: cannot listen on 127\.0\.0\.1:"):
            async with open_app(settings):
                pass


CONFIG = """\
services:
  gateway: {{listen: "127.0.0.1:0"}}
logging: {{directory: {logs}, console: true}}
jwt: {{secret_key: "{secret}"}}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_the_process_serves_until_a_signal_and_exits_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    config = tmp_path / "secrets.yml"
    config.write_text(CONFIG.format(logs=tmp_path / "logs", secret="s" * 64))
    config.chmod(0o600)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "--config",
        str(config),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        port = await listening_port(process)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), WAIT_SECONDS)
        await closed(writer)
        process.send_signal(number)
        await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert process.returncode == 0
    assert "gateway stopped" in (tmp_path / "logs" / "app" / "gateway.log").read_text()


async def listening_port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_SECONDS):
        async for line in process.stderr:
            if b"Listening on" in line:
                return int(line.rsplit(b"(port ", 1)[1].split(b")")[0])
    raise AssertionError("the process ended before it listened")
