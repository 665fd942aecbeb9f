"""What people and browsers are shown: /docs, /redoc and files under /static."""

import re
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
import pytest_asyncio

from fakes.gateway_services import Gateway, running_gateway
from gateway.pages import InternalNetworks, Pages, page_for_all
from gateway.transcoding.asgi import Event, Receive, Scope, Send
from gateway.transcoding.docs import StaticFile
from gateway.visit import Visit, use_visit

pytestmark = [pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as running:
        yield running


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
@pytest.mark.parametrize(("outside", "kind"), [(False, "Internal"), (True, "External")])
async def test_the_documents_are_open_to_all_and_name_the_caller_s_class(
    gateway: Gateway, path: str, outside: bool, kind: str
) -> None:
    answer = await gateway.call("GET", path, outside=outside)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<title>Opitios Alpaca Trading Service - {kind}</title>" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "X-Process-Time" in answer.headers


async def test_the_route_list_has_every_route_and_leads_to_the_documents(gateway: Gateway) -> None:
    page = (await gateway.call("GET", "/redoc", outside=True)).text

    assert "<code>/api/v1/stocks/{symbol}/quote</code>" in page
    assert "<code>/v1/accounts</code>" in page
    for path in re.findall(r'href="([^"]+)"', page):
        assert (await gateway.call("GET", path, outside=True)).json["openapi"] == "3.1.0"


async def test_swagger_ui_has_its_files_and_both_documents(gateway: Gateway) -> None:
    page = (await gateway.call("GET", "/docs", outside=True)).text
    names = re.findall(r'(?:src|href)="([^"]+)"', page)
    answers = [await gateway.call("HEAD", name, outside=True) for name in names]
    script = (await gateway.call("GET", "/docs/start.js", outside=True)).text

    assert len(names) == 4
    assert [answer.status for answer in answers] == [200] * 4
    assert "/openapi.json" in script
    assert "/openapi-legacy.json" in script


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/openapi-legacy.json"])
async def test_a_document_is_read_and_nothing_else(gateway: Gateway, path: str) -> None:
    posted = await gateway.call("POST", path, outside=True)
    asked = await gateway.call("HEAD", path, outside=True)

    assert (posted.status, posted.json) == (405, {"detail": "Method Not Allowed"})
    assert (posted.headers["Allow"], asked.status) == ("GET", 405)


@pytest.mark.parametrize("path", ["/static/nope.html", "/static/../secrets.yml"])
async def test_a_file_that_is_not_there_is_a_404_for_everyone(gateway: Gateway, path: str) -> None:
    answer = await gateway.raw(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\nConnection: close\r\n\r\n".encode()
    )

    assert answer.startswith(b"HTTP/1.1 404")
    assert answer.endswith(b'{"detail":"Not Found"}')


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("a page is not passed on")


async def receive() -> Event:
    return {"type": "http.request"}


@pytest.mark.parametrize(("method", "body"), [("GET", b"h1{}"), ("HEAD", b"")])
async def test_a_static_file_is_served_and_answers_head(method: str, body: bytes) -> None:
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    file = page_for_all(StaticFile(b"h1{}", "text/css"), is_file=True)
    networks = InternalNetworks(internal=(ip_network("127.0.0.0/8"),), proxies=())
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": "/static/x.css",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    with use_visit(Visit(started=0.0)):
        await Pages(nothing, pages={"/static/x.css": file}, networks=networks)(scope, receive, send)

    assert sent[0]["status"] == 200
    assert (b"content-length", b"4") in sent[0]["headers"]
    assert sent[1]["body"] == body
