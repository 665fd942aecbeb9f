import asyncio

import pytest

from gateway.transcoding.endpoint import Options
from gateway.transcoding.local_backend import LocalBackend
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder


async def test_an_unknown_path_is_404_with_a_status_body(client: AsgiClient) -> None:
    answer = await client.get("/nope")

    assert answer.status == 404
    assert answer.header("content-type") == "application/json"
    assert answer.json()["code"] == 5


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        pytest.param("DELETE", "/v1/items/x", "GET, HEAD, OPTIONS, PATCH, PUT", id="delete"),
        pytest.param("GET", "/v1/items/x:cancel", "OPTIONS, POST", id="get-on-a-verb"),
        pytest.param("get", "/v1/items/x", "GET, HEAD, OPTIONS, PATCH, PUT", id="lower-case-method"),
        pytest.param("GET", "/v1/custom/x", "HEAD, OPTIONS, PURGE", id="custom-methods"),
    ],
)
async def test_a_wrong_method_is_405_with_the_allowed_ones(
    client: AsgiClient, method: str, target: str, allow: str
) -> None:
    answer = await client.request(method, target)

    assert (answer.status, answer.header("allow")) == (405, allow)
    assert answer.json()["code"] == 12


async def test_head_is_get_without_a_body(client: AsgiClient) -> None:
    head, get = await client.request("HEAD", "/v1/items/x"), await client.get("/v1/items/x")

    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == get.header("content-length") == str(len(get.body))


async def test_head_of_a_failure_has_its_status_and_no_body(client: AsgiClient) -> None:
    answer = await client.request("HEAD", "/v1/int32/x")

    assert (answer.status, answer.body) == (400, b"")


async def test_head_of_a_stream_has_its_head_only(client: AsgiClient) -> None:
    answer = await client.request("HEAD", "/v1/watch?int32Value=3")

    assert (answer.status, answer.body) == (200, b"")
    assert (await client.request("HEAD", "/v1/failStream/5")).status == 404


async def test_options_names_the_methods_without_a_body(client: AsgiClient) -> None:
    answer = await client.request("OPTIONS", "/v1/items/x")

    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("allow") == "GET, HEAD, OPTIONS, PATCH, PUT"
    assert answer.header("content-length") is None
    assert (await client.request("OPTIONS", "/nope")).status == 404


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        pytest.param("GET", "/v1/anyMethod/x", 200, id="any-get"),
        pytest.param("PURGE", "/v1/anyMethod/x", 200, id="any-unusual"),
        pytest.param("OPTIONS", "/v1/anyMethod/x", 200, id="any-options"),
        pytest.param("PURGE", "/v1/custom/x", 200, id="custom-method"),
        pytest.param("HEAD", "/v1/custom/x", 200, id="custom-head"),
        pytest.param("GET", "/v1/items/", 404, id="trailing-slash"),
        pytest.param("GET", "/v1/nested//x", 404, id="empty-variable"),
        pytest.param("GET", "//v1/items", 404, id="leading-double-slash"),
        pytest.param("GET", "/v1/%69tems", 404, id="literals-are-compared-raw"),
        pytest.param("POST", "/everything.v1.EverythingService/Unbound", 404, id="no-rule-no-path"),
    ],
)
async def test_which_methods_and_paths_are_served(
    client: AsgiClient, method: str, target: str, status: int
) -> None:
    assert (await client.request(method, target)).status == status


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_a_method_is_never_overridden_by_a_header(client: AsgiClient, name: str) -> None:
    headers = {name: "DELETE", "content-type": "application/x-www-form-urlencoded"}

    answer = await client.request("POST", "/v1/items/x:cancel", "_method=DELETE", headers)

    assert (answer.status, answer.json()) == (200, {"text": "x"})


async def test_head_of_an_idle_stream_does_not_wait_for_its_first_message() -> None:
    servicer = EverythingServicer()
    app = transcoder(LocalBackend(servicer), options=Options(heartbeat_s=0.05))
    async with asyncio.timeout(10):
        answer = await AsgiClient(app).request("HEAD", "/v1/silent")

    assert (answer.status, answer.header("content-type"), answer.body) == (200, "application/json", b"")
