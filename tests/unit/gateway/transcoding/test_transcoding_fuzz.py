"""Bytes of strangers: whatever comes in, a well-formed answer that is no server error goes out."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.transcoding.json_stream import JsonSplitter
from gateway.transcoding.json_value import JsonError
from unit.gateway.transcoding.everything_api import AsgiClient, message_class
from unit.gateway.transcoding.servicer import transcoder

NAMES = sorted(
    {name for field in message_class().DESCRIPTOR.fields for name in (field.name, field.json_name)}
)
client = AsgiClient(transcoder())
relaxed = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

bytes_of_a_target = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=40)
path_texts = bytes_of_a_target.map(lambda text: text.replace("?", ""))
query_names = st.builds(
    "".join,
    st.lists(
        st.sampled_from([*NAMES, ".", "[", "]", "value", "seconds", "%2E", "%zz"]), min_size=1, max_size=5
    ),
)
queries = st.lists(
    st.tuples(query_names, bytes_of_a_target).map("=".join) | bytes_of_a_target, max_size=4
).map("&".join)
json_texts = st.recursive(
    st.sampled_from(
        ["null", "true", "1", "-1e400", "1.5", '"x"', '"\\ud800"', "NaN", '"2020-01-01T00:00:00Z"', '"1s"']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(st.sampled_from([*NAMES, "@type", "value"]), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=8,
)
bodies = st.binary(max_size=80) | json_texts.map(str.encode)
header_values = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=20)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["grpc-timeout", "grpc-metadata-a", "grpc-metadata-b-bin", "content-type", "accept", "te", "x-request-id",
             "x-forwarded-for", "authorization", "traceparent", "content-length", "host", "expect"]
        ),
        header_values,
    ),
    max_size=4,
)  # fmt: skip


def check(status: int, body: bytes) -> None:
    assert 200 <= status < 500 or status == 504, body  # a deadline of 0 may come in
    if status >= 400:
        assert json.loads(body)["code"] in range(1, 17)


@relaxed
@given(
    st.sampled_from(
        [
            "items",
            "nested",
            "files",
            "int32",
            "double",
            "flag",
            "data",
            "color",
            "at",
            "lasting",
            "wrapped",
            "maybe",
        ]
    ),
    path_texts,
    queries,
)
async def test_any_path_and_query_is_answered(kind: str, rest: str, query: str) -> None:
    answer = await client.get(f"/v1/{kind}/{rest}?{query}")

    check(answer.status, answer.body)


@relaxed
@given(path_texts)
async def test_any_path_at_all_is_answered(path: str) -> None:
    answer = await client.get(f"/{path}")

    check(answer.status, answer.body)


@relaxed
@given(
    st.sampled_from(
        [("POST", "/v1/items"), ("PUT", "/v1/items/x"), ("PUT", "/v1/at/2020-01-01T00:00:00Z"), ("PUT", "/v1/choice/x"),
         ("PATCH", "/v1/nested/x"), ("POST", "/v1/fields/tags"), ("POST", "/v1/fields/anything"),
         ("POST", "/v1/fields/choice?choiceText=x"), ("POST", "/v1/collect"), ("POST", "/v1/chat"), ("POST", "/v1/upload")]
    ),
    bodies,
)  # fmt: skip
async def test_any_body_is_answered(target: tuple[str, str], body: bytes) -> None:
    answer = await client.request(*target, body)

    check(answer.status, answer.body if answer.status >= 400 else b"{}")


@relaxed
@given(headers)
async def test_any_headers_are_answered(given_headers: list[tuple[str, str]]) -> None:
    answer = await client.request("GET", "/v1/report", headers=given_headers)

    check(answer.status, answer.body)


@relaxed
@given(st.lists(json_texts, max_size=4), st.booleans(), st.integers(1, 20))
def test_a_stream_of_values_is_cut_into_those_values(texts: list[str], as_array: bool, size: int) -> None:
    whole = f"[{','.join(texts)}]" if as_array else "\n".join(texts)
    if not as_array and texts and texts[0].startswith("["):
        return  # would be taken for the array form
    splitter = JsonSplitter(10_000)

    pieces = [whole[at : at + size].encode() for at in range(0, len(whole), size)]
    values = [value for piece in pieces for value in splitter.feed(piece)] + splitter.finish()

    assert [value.decode() for value in values] == texts


@given(st.binary(max_size=40), st.integers(1, 10))
def test_any_bytes_are_cut_or_refused(text: bytes, size: int) -> None:
    splitter = JsonSplitter(1000)
    try:
        for at in range(0, len(text), size):
            splitter.feed(text[at : at + size])
        splitter.finish()
    except JsonError:
        return


@pytest.mark.parametrize("depth", [50, 99, 101, 5_000, 100_000])
async def test_nesting_never_breaks_the_server(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        body = b'{"anything":' + opening * depth + b"1" + closing * depth + b"}"
        answer = await client.request("POST", "/v1/items", body)
        assert answer.status in (200, 400)
        child = b'{"child":' * depth + b"{}" + b"}" * depth
        assert (await client.request("POST", "/v1/items", child)).status in (200, 400)
