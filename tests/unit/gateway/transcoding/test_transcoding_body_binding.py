import json
from typing import Any

import pytest

from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import SERVICE, AsgiClient
from unit.gateway.transcoding.servicer import transcoder


@pytest.mark.parametrize(
    ("method", "target", "body", "expected"),
    [
        pytest.param("POST", "/v1/items", '{"text":"x"}', {"text": "x"}, id="whole-message"),
        pytest.param("POST", "/v1/items", "", {}, id="empty-whole-body"),
        pytest.param("POST", "/v1/items", " \r\n\t ", {}, id="white-space-body"),
        pytest.param("POST", "/v1/items", ' {"text":"x"} \n', {"text": "x"}, id="white-space-around"),
        pytest.param("POST", "/v1/items", '{"unknown":1}', {}, id="unknown-field-is-dropped"),
        pytest.param("PATCH", "/v1/items/t", '{"int32Value":1}', {"text": "t", "child": {"int32Value": 1}}, id="message-field"),
        pytest.param("PATCH", "/v1/items/t", "", {"text": "t"}, id="empty-body-leaves-the-field-unset"),
        pytest.param("PATCH", "/v1/items/t", "null", {"text": "t"}, id="null-leaves-the-field-unset"),
        pytest.param("PATCH", "/v1/items/t", "{}", {"text": "t", "child": {}}, id="empty-object-sets-the-field"),
        pytest.param("PATCH", "/v1/items/t?flag=true", "{}", {"text": "t", "child": {}, "flag": True}, id="query-beside-a-body-field"),
        pytest.param("POST", "/v1/fields/tags", '["a","b"]', {"penNames": ["a", "b"]}, id="repeated-field"),
        pytest.param("POST", "/v1/fields/number", "5", {"int64Value": "5"}, id="scalar-field-as-number"),
        pytest.param("POST", "/v1/fields/number", '"5"', {"int64Value": "5"}, id="scalar-field-as-string"),
        pytest.param("POST", "/v1/fields/labels", '{"a":"b"}', {"labels": {"a": "b"}}, id="map-field"),
        pytest.param("POST", "/v1/fields/at", '"1970-01-01T00:00:01Z"', {"at": "1970-01-01T00:00:01Z"}, id="timestamp-field"),
        pytest.param("POST", "/v1/fields/anything", "null", {"anything": None}, id="null-is-a-value"),
        pytest.param("POST", "/v1/fields/anything", "[1]", {"anything": [1.0]}, id="value-field"),
        pytest.param("POST", "/v1/items/x:cancel", '{"int32Value":1}', {"text": "x"}, id="body-without-a-rule-is-discarded"),
        pytest.param("POST", "/v1/items/x:cancel", "not json", {"text": "x"}, id="even-if-it-is-no-json"),
        pytest.param("GET", "/v1/items/x", '{"int32Value":1}', {"text": "x"}, id="body-of-a-get-is-discarded"),
    ],
)  # fmt: skip
async def test_a_body_fills_what_its_rule_says(
    client: AsgiClient, method: str, target: str, body: str, expected: dict[str, Any]
) -> None:
    answer = await client.request(method, target, body)

    assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"5", id="number"),
        pytest.param(b"{", id="cut-short"),
        pytest.param(b'{"text":"x"} garbage', id="garbage-after"),
        pytest.param(b'{"text":"x"}{"text":"y"}', id="second-value"),
        pytest.param(b'{"text":"x","text":"y"}', id="duplicate-key"),
        pytest.param(b'{"labels":{"a":"1","a":"2"}}', id="duplicate-map-key"),
        pytest.param(b'{"text":"x",}', id="trailing-comma"),
        pytest.param(b"{'text':'x'}", id="single-quotes"),
        pytest.param(b'{text:"x"}', id="bare-key"),
        pytest.param(b'{"doubleValue":NaN}', id="bare-nan"),
        pytest.param(b'{"doubleValue":Infinity}', id="bare-infinity"),
        pytest.param(b'{"int32Value":01}', id="leading-zero"),
        pytest.param(b'{"int32Value":+1}', id="plus-sign"),
        pytest.param(b'{"int32Value":' + b"1" * 5000 + b"}", id="endless-number"),
        pytest.param(b'{"text":"\\ud800"}', id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', id="lone-surrogate-in-a-key"),
        pytest.param(b'{"doubleValue":1e999,"text":"\\ud800"}', id="surrogate-beside-an-overflow"),
        pytest.param(b'{"text":"\xff"}', id="not-utf-8"),
        pytest.param(b'{"text":"\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param(b'\xef\xbb\xbf{"text":"x"}', id="byte-order-mark"),
        pytest.param('{"text":"x"}'.encode("utf-16"), id="utf-16"),
        pytest.param(b'{"text":"a\nb"}', id="raw-newline-in-a-string"),
        pytest.param(b"[" * 20_000, id="20000-brackets"),
        pytest.param(b'{"anything":' + b"[" * 200 + b"]" * 200 + b"}", id="200-levels"),
        pytest.param(b'{"child":' * 20_000, id="20000-objects"),
    ],
)
async def test_a_body_that_is_not_the_json_of_the_message_is_400(client: AsgiClient, body: bytes) -> None:
    answer = await client.request("POST", "/v1/items", body)

    assert answer.status == 400
    assert answer.json()["code"] == 3
    assert answer.json()["message"]


async def test_an_error_in_a_body_field_names_the_whole_path(client: AsgiClient) -> None:
    answer = await client.request("PATCH", "/v1/items/t", '{"child":{"int32Value":"x"}}')

    assert answer.json()["message"].startswith("child.child.int32_value: ")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        pytest.param("application/json", 200, id="json"),
        pytest.param("application/json; charset=utf-8", 200, id="json-with-charset"),
        pytest.param("Application/JSON", 200, id="other-case"),
        pytest.param("application/merge-patch+json", 200, id="plus-json"),
        pytest.param("text/plain", 200, id="text"),
        pytest.param("", 200, id="empty"),
        pytest.param("application/x-www-form-urlencoded", 415, id="form"),
        pytest.param("multipart/form-data; boundary=x", 415, id="multipart"),
        pytest.param("application/grpc", 415, id="grpc"),
        pytest.param("application/xml", 415, id="xml"),
    ],
)
async def test_only_json_like_content_types_are_read(
    client: AsgiClient, content_type: str, status: int
) -> None:
    answer = await client.request("POST", "/v1/items", '{"text":"x"}', {"content-type": content_type})

    assert answer.status == status


async def test_the_content_type_of_no_body_does_not_matter(client: AsgiClient) -> None:
    answer = await client.request(
        "POST", "/v1/items", "", {"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.status == 200


async def test_a_strict_service_refuses_unknown_fields_by_name() -> None:
    strict = AsgiClient(transcoder(profile=Profile(strict_body=True)))

    answer = await strict.request("POST", "/v1/items", '{"child":{"limitPrize":"5"}}')

    assert answer.status == 400
    assert answer.json()["message"].startswith("child.limitPrize: ")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/v1/part/child?child.text=x", {"text": "x"}, id="message"),
        pytest.param("/v1/part/penNames?penNames=a&penNames=b", ["a", "b"], id="array"),
        pytest.param("/v1/part/int64?int64Value=5", "5", id="scalar"),
        pytest.param("/v1/part/labels?labels[a]=b", {"a": "b"}, id="map"),
        pytest.param("/v1/part/at?at.seconds=1", "1970-01-01T00:00:01Z", id="timestamp"),
        pytest.param("/v1/part/at", None, id="unset-message"),
        pytest.param("/v1/part/penNames", [], id="empty-array"),
    ],
)
async def test_response_body_answers_that_field_alone(client: AsgiClient, target: str, expected: Any) -> None:
    answer = await client.get(target)

    assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("body", "query", "mask"),
    [
        pytest.param({"text": "x", "penNames": []}, "", "text,penNames", id="keys-of-the-body"),
        pytest.param(
            {"child": {"int32Value": 1}, "at": "1970-01-01T00:00:01Z"},
            "",
            "child.int32Value,at",
            id="nested-keys",
        ),
        pytest.param({"text": "x", "unknown": 1}, "", "text", id="unknown-keys-left-out"),
        pytest.param({"text": "x"}, "?mask=flag", "flag", id="the-callers-mask-wins"),
    ],
)
async def test_an_update_mask_is_filled_where_asked(body: Any, query: str, mask: str) -> None:
    profile = Profile(
        json=JsonOptions(unset=Unset.OMIT), fill_update_mask=frozenset({f"{SERVICE}.PostField"})
    )
    filling = AsgiClient(transcoder(profile=profile))

    answer = await filling.request("PATCH", f"/v1/items/t{query}", json.dumps(body))

    assert sorted(answer.json()["mask"].split(",")) == sorted(mask.split(","))


async def test_an_update_mask_is_left_alone_by_default(client: AsgiClient) -> None:
    answer = await client.request("PATCH", "/v1/items/t", '{"text":"x"}')

    assert "mask" not in answer.json()


@pytest.mark.parametrize(
    ("query", "is_pretty"),
    [
        pytest.param("pretty", True, id="bare"),
        pytest.param("pretty=true", True, id="true"),
        pytest.param("pretty=1&int32Value=0", True, id="among-others"),
        pytest.param("pretty=false", False, id="false"),
        pytest.param("", False, id="absent"),
    ],
)
async def test_indented_json_is_for_who_asks(query: str, is_pretty: bool) -> None:
    profile = Profile(json=JsonOptions(unset=Unset.OMIT), pretty_parameter="pretty")
    answer = await AsgiClient(transcoder(profile=profile)).get(f"/v1/items/x?{query}")

    assert answer.body == (b'{\n  "text": "x"\n}\n' if is_pretty else b'{"text":"x"}')


async def test_the_parameter_for_indented_json_is_unknown_unless_there_is_one(client: AsgiClient) -> None:
    assert (await client.get("/v1/items/x?pretty")).status == 400
