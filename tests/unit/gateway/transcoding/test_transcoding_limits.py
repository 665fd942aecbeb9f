from typing import Any

import pytest

from gateway.transcoding.endpoint import Options
from gateway.transcoding.limits import Limits
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder


@pytest.fixture(scope="module")
def small() -> AsgiClient:
    return AsgiClient(transcoder(options=Options(limits=Limits(max_body_bytes=100, max_path_bytes=200))))


def body_of(size: int) -> bytes:
    return b'{"text":"' + b"x" * (size - 11) + b'"}'


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)], ids=["at-the-limit", "one-more"])
async def test_a_body_beyond_the_limit_is_413(small: AsgiClient, size: int, status: int) -> None:
    answer = await small.request("POST", "/v1/items", body_of(size))

    assert answer.status == status


async def test_a_declared_length_beyond_the_limit_is_413_before_anything_is_read() -> None:
    app = transcoder(options=Options(limits=Limits(max_body_bytes=100)))
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing may be read, or the server says 100 Continue")

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/items",
        "raw_path": b"/v1/items",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-length", b"10737418240"), (b"expect", b"100-continue")],
        "client": None,
    }
    await app(scope, receive, send)

    assert sent[0]["status"] == 413
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([("content-length", "5"), ("content-length", "6")], 400, id="two-lengths"),
        pytest.param([("content-length", "-1")], 400, id="negative-length"),
        pytest.param([("content-length", "1e3")], 400, id="length-no-number"),
        pytest.param([("content-length", "9" * 30)], 413, id="endless-length"),
        pytest.param([("host", "a"), ("host", "b")], 400, id="two-hosts"),
        pytest.param([("host", "")], 400, id="empty-host"),
        pytest.param([("host", "a b")], 400, id="space-in-host"),
        pytest.param([("host", "a/b")], 400, id="slash-in-host"),
        pytest.param([("host", "a@b")], 400, id="user-in-host"),
        pytest.param([("host", "a:port")], 400, id="port-no-number"),
        pytest.param([("host", "example.com:8090")], 200, id="host-with-port"),
        pytest.param([("host", "[::1]:8090")], 200, id="ipv6-host"),
        pytest.param([("expect", "100-continue")], 200, id="expect-continue"),
        pytest.param([("expect", "something")], 417, id="expect-something"),
        pytest.param([(f"x-{number}", "y") for number in range(101)], 431, id="too-many-headers"),
        pytest.param([("x-long", "y" * 33_000)], 431, id="too-large-headers"),
        pytest.param([("x-long", "y" * 31_000)], 200, id="large-headers"),
    ],
)
async def test_the_head_of_a_request_is_checked(
    client: AsgiClient, headers: list[tuple[str, str]], status: int
) -> None:
    answer = await client.request("GET", "/v1/items", headers=headers)

    assert answer.status == status
    assert answer.header("content-type") == "application/json"


async def test_a_request_without_a_host_is_400(client: AsgiClient) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/v1/items",
        "raw_path": b"/v1/items",
        "query_string": b"",
        "headers": [],
        "client": None,
    }
    statuses = []

    async def send(event: Any) -> None:
        statuses.append(event.get("status"))

    for version in ("1.1", "1.0"):
        await transcoder()({**scope, "http_version": version}, _receive, send)

    assert [status for status in statuses if status is not None] == [400, 200]


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("1.1", 200), ("2.0", 400), ("0.9", 400)])
async def test_only_known_versions_of_http_are_served(client: AsgiClient, version: str, status: int) -> None:
    assert (await client.request("GET", "/v1/items", http_version=version)).status == status


async def test_a_path_beyond_the_limit_is_414(small: AsgiClient) -> None:
    assert (await small.get("/v1/items/" + "x" * 200)).status == 414
    assert (await small.get("/v1/items?text=" + "x" * 200)).status == 414
