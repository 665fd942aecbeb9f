import asyncio
import json
from typing import Any

import pytest

from gateway.transcoding.endpoint import Options
from gateway.transcoding.json_stream import JsonSplitter
from gateway.transcoding.json_value import JsonError
from gateway.transcoding.limits import Limits
from gateway.transcoding.local_backend import LocalBackend
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import EverythingServicer, transcoder

EVENTS = {"accept": "text/event-stream"}


async def test_a_stream_is_one_json_line_a_message(client: AsgiClient) -> None:
    answer = await client.get("/v1/watch?int32Value=3")

    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert answer.pieces == [
        b'{"result":{}}\n',
        b'{"result":{"int32Value":1}}\n',
        b'{"result":{"int32Value":2}}\n',
    ]
    assert answer.header("x-accel-buffering") == "no"
    assert answer.header("grpc-metadata-watch-id") == "w1"
    assert answer.header("x-request-id")
    assert answer.header("content-length") is None


async def test_an_event_stream_is_written_where_it_is_accepted(client: AsgiClient) -> None:
    answer = await client.get("/v1/watch?int32Value=2", EVENTS)

    assert answer.header("content-type") == "text/event-stream"
    assert answer.body == b'data: {}\n\ndata: {"int32Value":1}\n\n'


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("text/event-stream", "text/event-stream", id="alone"),
        pytest.param("application/json, Text/Event-Stream;q=0.5", "text/event-stream", id="in-a-list"),
        pytest.param("text/event-stream;q=0", "application/json", id="refused-by-quality"),
        pytest.param("*/*", "application/json", id="anything"),
        pytest.param("text/*", "application/json", id="only-a-range"),
    ],
)
async def test_the_accept_header_chooses_the_format(
    client: AsgiClient, accept: str, content_type: str
) -> None:
    answer = await client.get("/v1/watch", {"accept": accept})

    assert answer.header("content-type") == content_type


async def test_an_empty_stream_is_200_and_nothing(client: AsgiClient) -> None:
    answer = await client.get("/v1/watch?int32Value=0")

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["lines", "events"])
async def test_an_error_before_the_first_message_has_its_own_status(
    client: AsgiClient, headers: dict[str, str]
) -> None:
    answer = await client.get("/v1/failStream/5?message=gone", headers)

    assert (answer.status, answer.header("content-type")) == (404, "application/json")
    assert answer.json()["message"] == "gone"


async def test_a_later_error_is_the_last_line(client: AsgiClient) -> None:
    answer = await client.get("/v1/failStream/14?message=lost&after=2")

    assert answer.status == 200
    *results, error = [json.loads(line) for line in answer.body.splitlines()]
    assert results == [{"result": {}}, {"result": {"int32Value": 1}}]
    assert error["error"]["code"] == 14
    assert error["error"]["message"] == "lost"
    assert error["error"]["details"][0]["reason"] == "OUT_OF_INK"


async def test_a_later_error_is_an_error_event(client: AsgiClient) -> None:
    answer = await client.get("/v1/failStream/14?message=lost&after=1", EVENTS)

    first, error, rest = answer.body.split(b"\n\n")
    assert (first, rest) == (b"data: {}", b"")
    assert error.startswith(b'event: error\ndata: {"code":14,"message":"lost"')


async def test_an_error_in_the_request_of_a_stream_is_400(client: AsgiClient) -> None:
    assert (await client.get("/v1/watch?int32Value=x")).status == 400


@pytest.mark.parametrize(("headers", "beats"), [(EVENTS, True), ({}, False)], ids=["events", "lines"])
async def test_an_idle_stream_sends_its_head_and_events_a_heartbeat(
    headers: dict[str, str], beats: bool
) -> None:
    servicer = EverythingServicer()
    app = transcoder(LocalBackend(servicer), options=Options(heartbeat_s=0.01))
    sent: list[Any] = []
    arrived = asyncio.Event()

    async def send(event: Any) -> None:
        sent.append(event)
        if event["type"] == "http.response.start" or event.get("body") == b":\n\n":
            wanted = 3 if beats else 1
            if len(sent) >= wanted:
                arrived.set()

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/silent",
        "raw_path": b"/v1/silent",
        "query_string": b"",
        "headers": [(b"host", b"x"), *((key.encode(), value.encode()) for key, value in headers.items())],
        "client": None,
    }
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(app(scope, receive, send))
        await arrived.wait()
        servicer.release.set()

    assert sent[0]["status"] == 200
    assert any(event.get("body") == b":\n\n" for event in sent) is beats
    assert any(b"at last" in event.get("body", b"") for event in sent)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('[{"text":"a"},{"text":"b"}]', id="array"),
        pytest.param('{"text":"a"}\n{"text":"b"}\n', id="lines"),
        pytest.param('{"text":"a"}{"text":"b"}', id="no-separator"),
        pytest.param(' [ {"text":"a"} , {"text":"b"} ] \n', id="array-with-space"),
    ],
)
async def test_a_client_stream_takes_an_array_or_lines(client: AsgiClient, body: str) -> None:
    answer = await client.request("POST", "/v1/collect", body)

    assert (answer.status, answer.json()) == (200, {"penNames": ["a", "b"]})


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"[]", b" [ ] "], ids=["empty", "space", "array", "spaced-array"]
)
async def test_a_client_stream_may_be_empty(client: AsgiClient, body: bytes) -> None:
    answer = await client.request("POST", "/v1/collect", body)

    assert (answer.status, answer.json()) == (200, {})


@pytest.mark.parametrize("target", ["/v1/collect", "/v1/chat"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param('[{"text":"a"}', id="array-cut-short"),
        pytest.param('{"text":', id="object-cut-short"),
        pytest.param('[{"text":1}]', id="wrong-type"),
        pytest.param("[1]", id="not-a-message"),
        pytest.param("[{},]", id="trailing-comma"),
        pytest.param("[,{}]", id="leading-comma"),
        pytest.param("[{} {}]", id="no-comma"),
        pytest.param("}", id="stray-bracket"),
        pytest.param('{"text":"a","text":"b"}', id="duplicate-key"),
    ],
)
async def test_a_broken_client_stream_is_400(client: AsgiClient, target: str, body: str) -> None:
    answer = await client.request("POST", target, body)

    assert (answer.status, answer.json()["code"]) == (400, 3)


async def test_text_after_the_array_is_400(client: AsgiClient) -> None:
    assert (await client.request("POST", "/v1/collect", "[{}]x")).status == 400


async def test_both_sides_may_stream(client: AsgiClient) -> None:
    answer = await client.request("POST", "/v1/chat", '{"text":"a"}{"text":"b"}')

    assert answer.pieces == [b'{"result":{"text":"you said a"}}\n', b'{"result":{"text":"you said b"}}\n']


async def test_a_broken_message_after_good_ones_ends_the_stream_with_an_error(client: AsgiClient) -> None:
    answer = await client.request("POST", "/v1/chat", '{"text":"a"}{"text":1}')

    assert answer.status == 200
    assert json.loads(answer.pieces[-1])["error"]["code"] == 3


async def test_the_size_limit_is_for_each_message_of_a_stream() -> None:
    app = AsgiClient(transcoder(options=Options(limits=Limits(max_body_bytes=100))))
    lines = '{"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n' * 10

    too_long = await app.request("POST", "/v1/collect", '{"text":"' + "a" * 100 + '"}')
    assert len((await app.request("POST", "/v1/collect", lines)).json()["penNames"]) == 10
    assert too_long.status == 400


def test_a_stream_is_cut_the_same_wherever_its_pieces_end() -> None:
    text = b' [ {"a":"]}\\\\\\""} , [1,{"b":"\\u007d"}],5 , "x,]" ] '
    expected = [b'{"a":"]}\\\\\\""}', b'[1,{"b":"\\u007d"}]', b"5", b'"x,]"']

    for size in range(1, len(text) + 1):
        splitter = JsonSplitter(1000)
        values = [value for at in range(0, len(text), size) for value in splitter.feed(text[at : at + size])]
        assert values + splitter.finish() == expected


def test_lines_are_cut_the_same_wherever_their_pieces_end() -> None:
    text = b'{"a":1}{"b":"}{"}\n5 "x" [1]\ntrue'

    for size in range(1, len(text) + 1):
        splitter = JsonSplitter(1000)
        values = [value for at in range(0, len(text), size) for value in splitter.feed(text[at : at + size])]
        assert values + splitter.finish() == [b'{"a":1}', b'{"b":"}{"}', b"5", b'"x"', b"[1]", b"true"]


def test_a_stream_whose_first_value_is_an_array_is_that_array() -> None:
    splitter = JsonSplitter(1000)
    assert splitter.feed(b"[1] [2]") == [b"1"]
    with pytest.raises(JsonError):
        splitter.finish()


def test_a_value_that_never_ends_is_refused_at_the_limit() -> None:
    splitter = JsonSplitter(10)
    splitter.feed(b'{"a":"')

    with pytest.raises(JsonError):
        splitter.feed(b"xxxxxxxxxxx")


async def test_raw_bytes_are_answered_with_their_type(client: AsgiClient) -> None:
    answer = await client.get("/v1/download/csv")

    assert (answer.header("content-type"), answer.body) == ("text/csv", b"a,b\n1,2\n")


@pytest.mark.parametrize(
    "content_type",
    ["no-slash", "text/html%0D%0AX-Evil: 1".replace("/", "%2F"), "caf%C3%A9%2Fx"],
    ids=["no-slash", "line-break", "non-ascii"],
)
async def test_a_content_type_that_is_none_is_answered_as_opaque_bytes(
    client: AsgiClient, content_type: str
) -> None:
    answer = await client.get(f"/v1/download/{content_type}")

    assert answer.header("content-type") == "application/octet-stream"
    assert not any(name == "x-evil" for name, _ in answer.headers)


async def test_raw_bytes_may_be_a_field_of_the_answer(client: AsgiClient) -> None:
    answer = await client.get("/v1/downloadField/x")

    assert (answer.header("content-type"), answer.body) == ("image/png", b"\x89PNG")


async def test_a_raw_body_is_taken_as_it_is_with_its_type(client: AsgiClient) -> None:
    answer = await client.request(
        "POST", "/v1/upload?data=x", b'\xff{"not":json', {"content-type": "image/png"}
    )

    assert answer.json() == {"contentType": "image/png", "data": "/3sibm90Ijpqc29u"}


async def test_a_raw_body_may_be_a_field_beside_the_path(client: AsgiClient) -> None:
    answer = await client.request(
        "POST", "/v1/upload/a%2Fb?file.data=x", b"\x00\x01", {"content-type": "image/png"}
    )

    assert answer.json() == {"name": "a/b", "contentType": "image/png", "data": "AAE="}


async def test_a_stream_of_raw_bytes_has_the_first_type(client: AsgiClient) -> None:
    answer = await client.get("/v1/tail/x")

    assert (answer.header("content-type"), answer.body) == ("text/plain", b"one\ntwo\n")


async def test_a_raw_body_may_be_streamed_to_the_method(client: AsgiClient) -> None:
    answer = await client.request("POST", "/v1/uploadStream", b"\x00\x01", {"content-type": "image/png"})

    assert answer.json() == {"contentType": "image/png", "data": "AAE=", "pieces": 1}


async def test_zero_values_are_printed_in_streams_too() -> None:
    answer = await AsgiClient(transcoder(profile=Profile())).get("/v1/watch?int32Value=1")

    assert answer.json()["result"]["text"] == ""
