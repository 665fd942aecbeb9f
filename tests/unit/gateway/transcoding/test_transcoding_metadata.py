import logging
from typing import Any

import pytest

from gateway.transcoding.endpoint import Options
from gateway.transcoding.failure import Metadata
from gateway.transcoding.http_message import Request
from gateway.transcoding.metadata import MetadataOptions, to_headers
from gateway.transcoding.profile import Match
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder


async def metadata_of(client: AsgiClient, headers: Any) -> dict[str, str]:
    answer = await client.request("GET", "/v1/report", headers=headers)
    assert answer.status == 200
    metadata: dict[str, str] = answer.json().get("metadata", {})
    return metadata


@pytest.mark.parametrize(
    ("header", "value", "key", "expected"),
    [
        pytest.param("authorization", "Bearer x", "authorization", "Bearer x", id="authorization"),
        pytest.param("x-request-id", "req-1", "x-request-id", "req-1", id="request-id"),
        pytest.param("traceparent", "00-a-b-01", "traceparent", "00-a-b-01", id="traceparent"),
        pytest.param("tracestate", "a=b", "tracestate", "a=b", id="tracestate"),
        pytest.param("Grpc-Metadata-Tenant", "blue", "tenant", "blue", id="prefix-is-removed"),
        pytest.param("grpc-metadata-key-bin", "AAE=", "key-bin", "bytes:0001", id="binary"),
        pytest.param("grpc-metadata-key-bin", "AAE", "key-bin", "bytes:0001", id="binary-unpadded"),
    ],
)
async def test_a_header_becomes_metadata(
    client: AsgiClient, header: str, value: str, key: str, expected: str
) -> None:
    assert (await metadata_of(client, {header: value}))[key] == expected


@pytest.mark.parametrize(
    ("header", "value", "key"),
    [
        pytest.param("accept", "x", "accept", id="known-header"),
        pytest.param("cookie", "x=1", "cookie", id="cookie"),
        pytest.param("user-agent", "x", "user-agent", id="user-agent"),
        pytest.param("content-length", "0", "content-length", id="content-length"),
        pytest.param("connection", "close", "connection", id="connection"),
        pytest.param("te", "trailers", "te", id="te"),
        pytest.param("x-custom", "x", "x-custom", id="unlisted"),
        pytest.param(
            "grpc-metadata-authorization", "Bearer evil", "authorization", id="prefixed-authorization"
        ),
        pytest.param("grpc-metadata-host", "evil", "host", id="prefixed-host"),
        pytest.param("grpc-metadata-grpc-timeout", "1S", "grpc-timeout", id="prefixed-grpc-header"),
        pytest.param("grpc-metadata-te", "x", "te", id="prefixed-te"),
    ],
)
async def test_a_header_that_is_not_the_methods_business_stays_outside(
    client: AsgiClient, header: str, value: str, key: str
) -> None:
    assert key not in await metadata_of(client, {header: value})


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(("grpc-metadata-tenant", "caf\xe9"), id="non-ascii-value"),
        pytest.param(("grpc-metadata-te!nant", "x"), id="illegal-name"),
        pytest.param(("grpc-metadata-", "x"), id="empty-name"),
        pytest.param(("grpc-metadata-tab", "a\tb"), id="control-character"),
    ],
)
async def test_what_is_no_legal_metadata_is_skipped_and_logged(
    client: AsgiClient, caplog: pytest.LogCaptureFixture, header: tuple[str, str]
) -> None:
    with caplog.at_level(logging.INFO, logger="gateway.transcoding.metadata"):
        metadata = await metadata_of(client, [header])

    assert metadata.keys() == {"x-request-id", "x-forwarded-for", "x-forwarded-host"}
    assert "is not forwarded" in caplog.text
    assert header[1] not in caplog.text.replace(header[0], "")  # values may be secrets


async def test_a_binary_header_that_is_not_base64_is_400(client: AsgiClient) -> None:
    answer = await client.get("/v1/report", {"grpc-metadata-key-bin": "!!!"})

    assert answer.status == 400
    assert answer.json()["message"].startswith("grpc-metadata-key-bin: ")


async def test_forwarded_headers_are_appended_to(client: AsgiClient) -> None:
    metadata = await metadata_of(client, [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8")])

    assert metadata["x-forwarded-for"] == "1.2.3.4, 5.6.7.8, 127.0.0.1"
    assert metadata["x-forwarded-host"] == "gateway.test"


@pytest.mark.parametrize(
    "given",
    ["", "a b", "x" * 129, "caf\xe9", "a\tb"],
    ids=["empty", "space", "too-long", "non-ascii", "tab"],
)
async def test_an_unusable_request_id_is_replaced(client: AsgiClient, given: str) -> None:
    answer = await client.get("/v1/report", {"x-request-id": given})

    echoed = answer.header("x-request-id")
    assert echoed not in (None, given)
    assert answer.json()["metadata"]["x-request-id"] == echoed


@pytest.mark.parametrize(
    "target",
    ["/v1/items", "/nope", "/v1/fail/5", "/v1/int32/x", "/v1/watch"],
    ids=["ok", "404", "failed", "400", "stream"],
)
async def test_the_request_id_is_on_every_answer_once(client: AsgiClient, target: str) -> None:
    answer = await client.get(target, {"x-request-id": "req-9"})

    assert [value for name, value in answer.headers if name == "x-request-id"] == ["req-9"]


async def test_response_metadata_become_prefixed_headers_and_trailers_only_on_request(
    client: AsgiClient,
) -> None:
    plain, asking = (
        await client.get("/v1/report"),
        await client.get("/v1/report", {"te": "trailers, deflate"}),
    )

    assert plain.header("grpc-metadata-served-by") == "echo"
    assert plain.header("grpc-metadata-raw-bin") == "AAE="
    assert plain.header("grpc-trailer-cost") is None
    assert asking.header("grpc-trailer-cost") == "7"


async def test_the_status_of_grpc_never_becomes_a_header(client: AsgiClient) -> None:
    answer = await client.get("/v1/fail/5?message=x", {"te": "trailers"})

    assert answer.header("grpc-trailer-retry-hint") == "later"
    assert not any("grpc-status" in name or "grpc-message" in name for name, _ in answer.headers)


def test_metadata_on_the_allow_list_lose_the_prefix_wherever_they_come_from() -> None:
    request = Request(method="GET", raw_path="/", query_string="", headers=(), client=None)
    options = MetadataOptions(unprefixed=frozenset({"retry-after", "x-request-id"}))
    initial: Metadata = (("retry-after", "1"), ("x-request-id", "ours-is-echoed-already"))

    assert to_headers(initial, (("retry-after", "2"),), request=request, options=options) == (
        ("retry-after", "1"),
        ("retry-after", "2"),
    )


async def test_what_identifies_the_caller_cannot_be_set_from_outside() -> None:
    async def authorize(request: Request, match: Match | None) -> dict[str, str]:
        return {"x-caller": "alice"}

    options = Options(metadata=MetadataOptions(reserved=frozenset({"x-signature"})))
    app = AsgiClient(transcoder(authorize=authorize, options=options))

    metadata = await metadata_of(
        app, {"grpc-metadata-x-caller": "mallory", "grpc-metadata-x-signature": "forged"}
    )

    assert metadata["x-caller"] == "alice"
    assert "x-signature" not in metadata


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        pytest.param("2S", 1.5, 2, id="seconds"),
        pytest.param("1M", 59, 60, id="minutes"),
        pytest.param("1500m", 1, 1.5, id="milliseconds"),
        pytest.param("1500000u", 1, 1.5, id="microseconds"),
        pytest.param("99999999n", 0, 0.1, id="nanoseconds"),
        pytest.param("1H", 299, 300, id="capped-by-the-maximum"),
    ],
)
async def test_grpc_timeout_becomes_the_deadline_of_the_call(
    client: AsgiClient, text: str, low: float, high: float
) -> None:
    report = (await client.get("/v1/report", {"grpc-timeout": text})).json()

    assert report["hasDeadline"] is True
    assert low <= report["timeRemaining"] <= high


async def test_a_request_without_a_timeout_gets_the_default(client: AsgiClient) -> None:
    assert 29 < (await client.get("/v1/report")).json()["timeRemaining"] <= 30


@pytest.mark.parametrize("text", ["", "5", "S", "-1S", "1.5S", "1s", "1h", "123456789S", "1S ", "S1"])
async def test_a_malformed_timeout_is_400(client: AsgiClient, text: str) -> None:
    answer = await client.get("/v1/report", {"grpc-timeout": text})

    assert (answer.status, answer.json()["message"].partition(":")[0]) == (400, "grpc-timeout")


async def test_an_expired_deadline_is_504(client: AsgiClient) -> None:
    answer = await client.get("/v1/hang", {"grpc-timeout": "10m"})

    assert (answer.status, answer.json()["code"]) == (504, 4)
