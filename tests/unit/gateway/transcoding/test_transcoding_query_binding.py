from typing import Any
from urllib.parse import quote

import pytest

from gateway.transcoding.profile import Profile
from unit.gateway.transcoding.everything_api import AsgiClient
from unit.gateway.transcoding.servicer import transcoder


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("&&", {}, id="only-separators"),
        pytest.param("int32Value=5", {"int32Value": 5}, id="json-name"),
        pytest.param("int32_value=5", {"int32Value": 5}, id="proto-name"),
        pytest.param("another.name=x".replace(".", "%2E"), 400, id="dotted-json-name-is-a-path"),
        pytest.param("renamed=x", {"another.name": "x"}, id="proto-name-beside-explicit-json-name"),
        pytest.param("text=a+b%2Bc", {"text": "a b+c"}, id="plus-is-a-space"),
        pytest.param("text=a%26b%3Dc", {"text": "a&b=c"}, id="escaped-separators"),
        pytest.param("text=a=b", {"text": "a=b"}, id="second-equals-is-data"),
        pytest.param("text=a;b", {"text": "a;b"}, id="semicolon-is-data"),
        pytest.param("text", {}, id="no-equals-is-empty"),
        pytest.param("maybeText", {"maybeText": ""}, id="no-equals-sets-an-optional"),
        pytest.param("maybeText=", {"maybeText": ""}, id="empty-optional-is-present"),
        pytest.param("maybeInt=0", {"maybeInt": 0}, id="optional-zero-is-present"),
        pytest.param("child.text=x", {"child": {"text": "x"}}, id="nested"),
        pytest.param("child%2Etext=x", {"child": {"text": "x"}}, id="escaped-dot-in-a-name"),
        pytest.param(
            "child.int32_value=1&child.text=x",
            {"child": {"text": "x", "int32Value": 1}},
            id="nested-in-pieces",
        ),
        pytest.param(
            "child.child.child.text=x", {"child": {"child": {"child": {"text": "x"}}}}, id="recursion"
        ),
        pytest.param("penNames=b&penNames=a", {"penNames": ["b", "a"]}, id="repeated-keeps-order"),
        pytest.param("penNames=b&pen_names=a", {"penNames": ["b", "a"]}, id="repeated-in-both-spellings"),
        pytest.param("penNames=a,b", {"penNames": ["a,b"]}, id="commas-do-not-split"),
        pytest.param("numbers=1&numbers=2", {"numbers": ["1", "2"]}, id="repeated-int"),
        pytest.param("colors=RED&colors=2", {"colors": ["RED", "GREEN"]}, id="repeated-enum"),
        pytest.param(
            "child.penNames=a&child.penNames=b", {"child": {"penNames": ["a", "b"]}}, id="nested-repeated"
        ),
        pytest.param(
            "times=2020-01-01T00:00:00Z", {"times": ["2020-01-01T00:00:00Z"]}, id="repeated-timestamp"
        ),
        pytest.param("labels[a]=1&labels[b.c]=2", {"labels": {"a": "1", "b.c": "2"}}, id="map"),
        pytest.param("labels%5Ba%5D=1", {"labels": {"a": "1"}}, id="map-with-escaped-brackets"),
        pytest.param("counts[-5]=7", {"counts": {"-5": "7"}}, id="int-map"),
        pytest.param("byFlag[true]=RED", {"byFlag": {"true": "RED"}}, id="bool-map"),
        pytest.param("flag=true", {"flag": True}, id="bool-true"),
        pytest.param("flag=False&maybeInt=1", {"maybeInt": 1}, id="bool-any-case"),
        pytest.param("wrappedBool=1", {"wrappedBool": True}, id="bool-as-number-in-a-wrapper"),
        pytest.param("wrappedBool=0", {"wrappedBool": False}, id="bool-zero-in-a-wrapper"),
        pytest.param("color=GREEN", {"color": "GREEN"}, id="enum-name"),
        pytest.param("color=2", {"color": "GREEN"}, id="enum-number"),
        pytest.param("data=_-8", {"data": "/+8="}, id="base64-url-unpadded"),
        pytest.param("data=/%2B8=", {"data": "/+8="}, id="base64-standard-padded"),
        pytest.param(
            "doubleValue=NaN&floatValue=-Infinity",
            {"doubleValue": "NaN", "floatValue": "-Infinity"},
            id="named-floats",
        ),
        pytest.param("at=2020-01-01T00:00:00%2B01:00", {"at": "2019-12-31T23:00:00Z"}, id="timestamp"),
        pytest.param(
            "at.seconds=5&at.nanos=1000000", {"at": "1970-01-01T00:00:05.001Z"}, id="into-a-timestamp"
        ),
        pytest.param("lasting=3.5s", {"lasting": "3.500s"}, id="duration"),
        pytest.param("lasting=1m30s", {"lasting": "90s"}, id="go-duration"),
        pytest.param("lasting=-1h0.5s", {"lasting": "-3600.500s"}, id="negative-go-duration"),
        pytest.param("lasting=250ms", {"lasting": "0.250s"}, id="go-milliseconds"),
        pytest.param("mask=text,penNames", {"mask": "text,penNames"}, id="camel-case-mask"),
        pytest.param("mask=text,pen_names", {"mask": "text,penNames"}, id="snake-case-mask"),
        pytest.param("wrappedText=", {"wrappedText": ""}, id="empty-wrapper-is-present"),
        pytest.param("wrappedText=x", {"wrappedText": "x"}, id="wrapper"),
        pytest.param("wrappedText.value=x", {"wrappedText": "x"}, id="value-of-a-wrapper"),
        pytest.param(
            "structure=" + quote('{"a":[1,null]}'), {"structure": {"a": [1.0, None]}}, id="struct-as-json"
        ),
        pytest.param("anything=" + quote('{"a":1}'), {"anything": {"a": 1.0}}, id="value-as-json"),
        pytest.param("anything=null", {"anything": None}, id="null-value"),
        pytest.param("list=" + quote("[true]"), {"list": [True]}, id="list-as-json"),
        pytest.param("choiceText=x", {"choiceText": "x"}, id="oneof"),
        pytest.param(
            "choiceChild.text=x&choiceChild.flag=1",
            {"choiceChild": {"text": "x", "flag": True}},
            id="oneof-message-in-pieces",
        ),
        pytest.param(
            "int64Value=9007199254740993", {"int64Value": "9007199254740993"}, id="int64-above-a-double"
        ),
    ],
)
async def test_query_parameters_fill_fields(client: AsgiClient, query: str, expected: Any) -> None:
    answer = await client.get(f"/v1/items?{query}")

    assert (answer.status if answer.status != 200 else answer.json()) == expected


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        pytest.param("int32Value=1&int32Value=1", "int32Value", id="scalar-twice"),
        pytest.param("int32Value=1&int32_value=1", "int32_value", id="scalar-in-both-spellings"),
        pytest.param("child.text=a&child.text=b", "child.text", id="nested-scalar-twice"),
        pytest.param("at=2020-01-01T00:00:00Z&at=2020-01-01T00:00:00Z", "at", id="timestamp-twice"),
        pytest.param("at=2020-01-01T00:00:00Z&at.nanos=5", "at.nanos", id="whole-then-part"),
        pytest.param("at.nanos=5&at=2020-01-01T00:00:00Z", "at", id="part-then-whole"),
        pytest.param("labels[a]=1&labels[a]=2", "labels[a]", id="map-key-twice"),
        pytest.param("children=x", "children", id="repeated-message"),
        pytest.param("children.text=x", "children.text", id="into-a-repeated-message"),
        pytest.param("labels=x", "labels", id="map-without-key"),
        pytest.param("labels.a=x", "labels.a", id="map-by-dot"),
        pytest.param("labels[a=x", "labels[a", id="unclosed-bracket"),
        pytest.param("labels[a].b=x", "labels[a].b", id="into-a-map-entry"),
        pytest.param("byName[a]=x", "byName[a]", id="map-of-messages"),
        pytest.param("counts[x]=1", "counts[x]", id="map-key-of-wrong-type"),
        pytest.param("text[a]=1", "text[a]", id="key-on-a-scalar"),
        pytest.param("text.a=1", "text.a", id="into-a-scalar"),
        pytest.param("child=x", "child", id="scalar-for-a-message"),
        pytest.param("empty=x", "empty", id="scalar-for-empty"),
        pytest.param("packed=x", "packed", id="scalar-for-any"),
        pytest.param("choiceText=x&choiceInt=1", "choiceInt", id="two-oneof-members"),
        pytest.param(
            "choiceText=x&choiceChild.text=y", "choiceChild.text", id="oneof-member-and-into-another"
        ),
        pytest.param("flag=t", "flag", id="short-bool"),
        pytest.param("flag=", "flag", id="empty-bool"),
        pytest.param("wrappedBool=maybe", "wrappedBool", id="wrong-bool-in-a-wrapper"),
        pytest.param("int32Value=1.0", "int32Value", id="fraction"),
        pytest.param("int32Value=1e3", "int32Value", id="exponent"),
        pytest.param("int32Value=0x10", "int32Value", id="hex"),
        pytest.param("int32Value=+1", "int32Value", id="space-before-a-number"),
        pytest.param("int32Value=", "int32Value", id="empty-number"),
        pytest.param("int32Value=2147483648", "int32Value", id="overflow"),
        pytest.param("int64Value=" + "9" * 60, "int64Value", id="endless-number"),
        pytest.param("floatValue=1e39", "floatValue", id="float-overflow"),
        pytest.param("doubleValue=1e400", "doubleValue", id="double-overflow"),
        pytest.param("doubleValue=nan", "doubleValue", id="lower-case-nan"),
        pytest.param("doubleValue=0x1p3", "doubleValue", id="hex-float"),
        pytest.param("color=green", "color", id="enum-in-other-case"),
        pytest.param("color=77", "color", id="unlisted-enum-number"),
        pytest.param("data=!!!!", "data", id="not-base64"),
        pytest.param("at=1577836800", "at", id="epoch-for-a-timestamp"),
        pytest.param("lasting=5", "lasting", id="duration-without-unit"),
        pytest.param("lasting=999999999999h", "lasting", id="duration-too-long"),
        pytest.param("structure=x", "structure", id="struct-not-json"),
        pytest.param("structure=[]", "structure", id="struct-not-an-object"),
        pytest.param("anything=hello", "anything", id="value-not-json"),
        pytest.param("textt=x", "textt", id="misspelled"),
        pytest.param("child.nope=x", "child.nope", id="misspelled-nested"),
        pytest.param("=x", "", id="no-name"),
        pytest.param(".text=x", ".text", id="leading-dot"),
        pytest.param("text=%zz", "text", id="broken-escape"),
        pytest.param("text=%ff", "text", id="not-utf-8"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_400_and_is_named(
    client: AsgiClient, query: str, parameter: str
) -> None:
    answer = await client.get(f"/v1/items?{query}")

    assert answer.status == 400
    assert answer.json()["code"] == 3
    if parameter:
        assert answer.json()["message"].startswith(f"{parameter}: ")


async def test_a_broken_escape_in_a_name_is_400(client: AsgiClient) -> None:
    assert (await client.get("/v1/items?%zz=1")).status == 400


async def test_unknown_parameters_are_ignored_where_the_profile_says_so() -> None:
    ignoring_all = AsgiClient(transcoder(profile=Profile(ignore_unknown_query=True)))
    ignoring_one = AsgiClient(transcoder(profile=Profile(ignored_query=frozenset({"_", "text"}))))

    assert (await ignoring_all.get("/v1/items?nope=1&text=x")).json()["text"] == "x"
    # A known name with a wrong value stays an error.
    assert (await ignoring_all.get("/v1/items?int32Value=x")).status == 400
    assert (await ignoring_one.get("/v1/items?_=1&text=x")).json()["text"] == ""
    assert (await ignoring_one.get("/v1/items?nope=1")).status == 400


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        pytest.param("POST", "/v1/items?text=x", {}, id="beside-a-whole-body"),
        pytest.param("POST", "/v1/items?nope=x", {}, id="unknown-beside-a-whole-body"),
        pytest.param(
            "PATCH",
            "/v1/items/t?child.text=x&int32Value=1",
            {"text": "t", "int32Value": 1},
            id="into-the-body-field",
        ),
        pytest.param(
            "POST", "/v1/fields/number?int64Value=4&text=x", {"text": "x"}, id="the-body-field-itself"
        ),
        pytest.param("POST", "/v1/fields/tags?penNames=x", {}, id="a-repeated-body-field"),
    ],
)
async def test_a_query_never_reaches_what_the_body_binds(
    client: AsgiClient, method: str, target: str, expected: Any
) -> None:
    answer = await client.request(method, target)

    assert (answer.status, answer.json()) == (200, expected)


async def test_a_oneof_member_in_body_and_query_is_400(client: AsgiClient) -> None:
    answer = await client.request("POST", "/v1/fields/choice?choiceText=x", '{"text":"y"}')

    assert answer.status == 400
    assert "choice_child" in answer.json()["message"]


async def test_strict_services_refuse_parameters_beside_a_whole_body() -> None:
    strict = AsgiClient(transcoder(profile=Profile(strict_body=True, ignored_query=frozenset({"_"}))))

    refused = await strict.request("POST", "/v1/items?text=x", "{}")
    assert (refused.status, refused.json()["message"].partition(":")[0]) == (400, "text")
    assert (await strict.request("POST", "/v1/items?_=1", "{}")).status == 200
