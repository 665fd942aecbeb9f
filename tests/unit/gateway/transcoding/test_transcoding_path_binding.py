import json
from typing import Any

import pytest

from unit.gateway.transcoding.everything_api import AsgiClient


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/v1/items/x", {"text": "x"}, id="string"),
        pytest.param("/v1/items/a%2Fb", {"text": "a/b"}, id="escaped-slash-in-one-segment-is-decoded"),
        pytest.param("/v1/items/%252F", {"text": "%2F"}, id="decoded-once"),
        pytest.param("/v1/items/a+b", {"text": "a+b"}, id="plus-stays"),
        pytest.param("/v1/items/caf%C3%A9", {"text": "café"}, id="utf-8"),
        pytest.param("/v1/items/a;b=c", {"text": "a;b=c"}, id="semicolon-is-data"),
        pytest.param("/v1/items/..", {"text": ".."}, id="dots-are-data"),
        pytest.param(
            "/v1/files/a/b%2Fc%20d", {"text": "a/b%2Fc d"}, id="several-segments-keep-the-escaped-slash"
        ),
        pytest.param("/v1/files/b%2Fc", {"text": "b%2Fc"}, id="double-star-of-one-segment-keeps-it-too"),
        pytest.param("/v1/files", {}, id="double-star-of-nothing"),
        pytest.param("/v1/names/shelves/1/books/2", {"text": "shelves/1/books/2"}, id="pattern"),
        pytest.param("/v1/nested/x", {"child": {"text": "x"}}, id="nested-field-makes-its-parent"),
        pytest.param(
            "/v1/nested/y/x", {"child": {"text": "x", "child": {"text": "y"}}}, id="two-nested-fields"
        ),
        pytest.param("/v1/int32/-7", {"int32Value": -7}, id="int32"),
        pytest.param("/v1/int64/9223372036854775807", {"int64Value": "9223372036854775807"}, id="int64"),
        pytest.param("/v1/uint64/18446744073709551615", {"uint64Value": "18446744073709551615"}, id="uint64"),
        pytest.param("/v1/double/1.5e3", {"doubleValue": 1500.0}, id="double"),
        pytest.param("/v1/double/-Infinity", {"doubleValue": "-Infinity"}, id="infinity"),
        pytest.param("/v1/flag/TRUE", {"flag": True}, id="bool"),
        pytest.param("/v1/data/_-8", {"data": "/+8="}, id="bytes"),
        pytest.param("/v1/color/GREEN", {"color": "GREEN"}, id="enum-by-name"),
        pytest.param("/v1/color/2", {"color": "GREEN"}, id="enum-by-number"),
        pytest.param(
            "/v1/at/2020-01-01T00:00:00Z", {"at": "2020-01-01T00:00:00Z"}, id="timestamp-colons-are-no-verb"
        ),
        pytest.param(
            "/v1/at/2020-01-01T01:00:00%2B01:00", {"at": "2020-01-01T00:00:00Z"}, id="timestamp-offset"
        ),
        pytest.param("/v1/lasting/3.5s", {"lasting": "3.500s"}, id="duration"),
        pytest.param("/v1/wrapped/0", {"wrappedInt64": "0"}, id="wrapper"),
        pytest.param("/v1/wrappedValue/5", {"wrappedInt64": "5"}, id="value-of-a-wrapper"),
        pytest.param("/v1/maybe/0", {"maybeInt": 0}, id="optional"),
        pytest.param("/v1/choice/x", {"choiceText": "x"}, id="oneof-member"),
    ],
)
async def test_a_path_variable_fills_its_field(
    client: AsgiClient, target: str, expected: dict[str, Any]
) -> None:
    answer = await client.get(target)

    assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("target", "field"),
    [
        pytest.param("/v1/items/%zz", "text", id="broken-escape"),
        pytest.param("/v1/items/%ff", "text", id="not-utf-8"),
        pytest.param("/v1/items/%ED%A0%80", "text", id="surrogate"),
        pytest.param("/v1/files/a/%zz", "text", id="broken-escape-in-several-segments"),
        pytest.param("/v1/int32/x", "int32_value", id="not-a-number"),
        pytest.param("/v1/int32/1.0", "int32_value", id="fraction"),
        pytest.param("/v1/int32/1e3", "int32_value", id="exponent"),
        pytest.param("/v1/int32/0x1", "int32_value", id="hex"),
        pytest.param("/v1/int32/%201", "int32_value", id="space"),
        pytest.param("/v1/int32/2147483648", "int32_value", id="overflow"),
        pytest.param("/v1/uint64/-1", "uint64_value", id="negative"),
        pytest.param("/v1/double/1e400", "double_value", id="double-overflow"),
        pytest.param("/v1/flag/maybe", "flag", id="not-a-bool"),
        pytest.param("/v1/data/!!!!", "data", id="not-base64"),
        pytest.param("/v1/color/POETRY", "color", id="unknown-enum-name"),
        pytest.param("/v1/color/77", "color", id="unlisted-enum-number"),
        pytest.param("/v1/at/2020-01-01", "at", id="not-a-timestamp"),
        pytest.param("/v1/lasting/long", "lasting", id="not-a-duration"),
        pytest.param("/v1/wrapped/x", "wrapped_int64", id="wrong-wrapper-value"),
    ],
)
async def test_a_path_value_of_the_wrong_form_is_400_and_names_the_field(
    client: AsgiClient, target: str, field: str
) -> None:
    answer = await client.get(target)

    assert answer.status == 400
    status = answer.json()
    assert status["code"] == 3
    assert status["message"].startswith(f"{field}: ")
    assert status["details"][0]["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    ("method", "target", "body", "expected"),
    [
        pytest.param("PUT", "/v1/items/x", {}, {"text": "x"}, id="absent-in-the-body"),
        pytest.param("PUT", "/v1/items/x", {"text": "x"}, {"text": "x"}, id="same-in-the-body"),
        pytest.param("PUT", "/v1/items/x", {"text": None}, {"text": "x"}, id="null-in-the-body"),
        pytest.param("PUT", "/v1/items/x", {"text": "y"}, 400, id="different-in-the-body"),
        pytest.param("PUT", "/v1/items/x", {"text": ""}, 400, id="zero-in-the-body-is-different"),
        pytest.param(
            "PUT",
            "/v1/nested/x",
            {"child": {"int32Value": 1}},
            {"child": {"text": "x", "int32Value": 1}},
            id="beside-other-nested-fields",
        ),
        pytest.param("PUT", "/v1/nested/x", {"child": {"text": "y"}}, 400, id="nested-and-different"),
        pytest.param(
            "PUT",
            "/v1/at/2020-01-01T00:00:00Z",
            {"at": "2020-01-01T01:00:00+01:00"},
            {"at": "2020-01-01T00:00:00Z"},
            id="same-in-another-spelling",
        ),
        pytest.param(
            "PUT",
            "/v1/at/2020-01-01T00:00:00Z",
            {"at": "2020-01-01T00:00:01Z"},
            400,
            id="different-timestamp",
        ),
        pytest.param("PUT", "/v1/choice/x", {"choiceInt": 1}, 400, id="another-oneof-member-in-the-body"),
        pytest.param(
            "PATCH",
            "/v1/nested/x",
            {"int32Value": 1},
            {"child": {"text": "x", "int32Value": 1}},
            id="body-field-without-it",
        ),
        pytest.param(
            "PATCH", "/v1/nested/x", {"text": "x"}, {"child": {"text": "x"}}, id="body-field-with-the-same"
        ),
        pytest.param("PATCH", "/v1/nested/x", {"text": "y"}, 400, id="body-field-with-another"),
        pytest.param(
            "PATCH",
            "/v1/items/x",
            {"text": "y"},
            {"text": "x", "child": {"text": "y"}},
            id="same-name-in-the-body-field-is-another-field",
        ),
    ],
)
async def test_a_body_must_not_contradict_the_path(
    client: AsgiClient, method: str, target: str, body: Any, expected: dict[str, Any] | int
) -> None:
    answer = await client.request(method, target, json.dumps(body))

    assert (answer.status if answer.status != 200 else answer.json()) == expected


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("text=y", id="same-name"),
        pytest.param("text=y&text=z", id="twice"),
        pytest.param("te%78t=y", id="escaped-name"),
    ],
)
async def test_a_query_never_overwrites_the_path(client: AsgiClient, query: str) -> None:
    answer = await client.get(f"/v1/items/x?{query}")

    assert (answer.status, answer.json()) == (200, {"text": "x"})


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("/v1/wrapped/5?wrapped_int64=6", {"wrappedInt64": "5"}, id="other-spelling"),
        pytest.param("/v1/wrapped/5?wrappedInt64.value=6", {"wrappedInt64": "5"}, id="into-the-bound-field"),
        pytest.param("/v1/wrappedValue/5?wrappedInt64=6", {"wrappedInt64": "5"}, id="around-the-bound-field"),
        pytest.param(
            "/v1/at/2020-01-01T00:00:00Z?at.nanos=5", {"at": "2020-01-01T00:00:00Z"}, id="into-a-timestamp"
        ),
        pytest.param(
            "/v1/nested/x?child.text=y&child.int32Value=1",
            {"child": {"text": "x", "int32Value": 1}},
            id="beside-it-is-fine",
        ),
    ],
)
async def test_a_query_cannot_reach_a_path_field_by_another_name(
    client: AsgiClient, target: str, expected: dict[str, Any]
) -> None:
    answer = await client.get(target)

    assert (answer.status, answer.json()) == (200, expected)


async def test_a_oneof_member_in_path_and_query_is_400(client: AsgiClient) -> None:
    assert (await client.get("/v1/choice/x?choiceInt=1")).status == 400
