import base64
import json
import math
from typing import Any

import pytest

from gateway.transcoding.decode import Decoder
from gateway.transcoding.json_value import loads
from gateway.transcoding.message_types import Types, class_of, pool_of
from gateway.transcoding.scalar import ValueReject
from unit.gateway.transcoding.everything_api import compile_protos, message_class, message_type, new, types

lenient = Decoder(types())
strict = Decoder(types(), strict=True)


def decode(text: str, decoder: Decoder = lenient) -> Any:
    message: Any = message_class()()
    decoder.fill_of(message.DESCRIPTOR)(message, loads(text.encode()))
    return message


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param('{"text":"x"}', {"text": "x"}, id="string"),
        pytest.param('{"int32Value":7}', {"int32_value": 7}, id="camel-case"),
        pytest.param('{"int32_value":7}', {"int32_value": 7}, id="proto-name"),
        pytest.param('{"another.name":"x"}', {"renamed": "x"}, id="explicit-json-name"),
        pytest.param('{"renamed":"x"}', {"renamed": "x"}, id="proto-name-beside-json-name"),
        pytest.param('{"int32Value":"-7"}', {"int32_value": -7}, id="int-as-string"),
        pytest.param('{"int32Value":12.0}', {"int32_value": 12}, id="int-with-zero-fraction"),
        pytest.param('{"int32Value":1e3}', {"int32_value": 1000}, id="int-with-exponent"),
        pytest.param('{"int32Value":"1e3"}', {"int32_value": 1000}, id="quoted-int-with-exponent"),
        pytest.param(
            '{"int64Value":9007199254740993}', {"int64_value": 9007199254740993}, id="int64-above-a-double"
        ),
        pytest.param(
            '{"int64Value":"9007199254740993"}', {"int64_value": 9007199254740993}, id="int64-as-string"
        ),
        pytest.param(
            '{"int64Value":9007199254740993.0}',
            {"int64_value": 9007199254740993},
            id="int64-with-fraction-above-a-double",
        ),
        pytest.param(
            '{"int64Value":"9007199254740993.0"}',
            {"int64_value": 9007199254740993},
            id="quoted-int64-with-fraction",
        ),
        pytest.param('{"int64Value":9223372036854775807}', {"int64_value": 2**63 - 1}, id="int64-maximum"),
        pytest.param('{"int64Value":-9223372036854775808}', {"int64_value": -(2**63)}, id="int64-minimum"),
        pytest.param(
            '{"uint64Value":"18446744073709551615"}', {"uint64_value": 2**64 - 1}, id="uint64-maximum"
        ),
        pytest.param('{"doubleValue":"1.5"}', {"double_value": 1.5}, id="double-as-string"),
        pytest.param('{"doubleValue":1}', {"double_value": 1.0}, id="double-from-int"),
        pytest.param('{"doubleValue":"Infinity"}', {"double_value": math.inf}, id="infinity"),
        pytest.param('{"floatValue":"-Infinity"}', {"float_value": -math.inf}, id="minus-infinity"),
        pytest.param(
            '{"doubleValue":1.7976931348623157e308}',
            {"double_value": 1.7976931348623157e308},
            id="largest-double",
        ),
        pytest.param(
            '{"floatValue":3.4028235e38}', {"float_value": 3.4028234663852886e38}, id="largest-float"
        ),
        pytest.param('{"flag":true}', {"flag": True}, id="bool"),
        pytest.param('{"data":"_-8="}', {"data": b"\xff\xef"}, id="base64-url"),
        pytest.param('{"data":"/+8="}', {"data": b"\xff\xef"}, id="base64-standard"),
        pytest.param('{"data":"_-8"}', {"data": b"\xff\xef"}, id="base64-unpadded"),
        pytest.param('{"color":"GREEN"}', {"color": 2}, id="enum-name"),
        pytest.param('{"color":2}', {"color": 2}, id="enum-number"),
        pytest.param('{"color":77}', {"color": 77}, id="enum-number-not-listed"),
        pytest.param(
            '{"text":null,"child":null,"penNames":null,"labels":null,"color":null}', {}, id="null-is-unset"
        ),
        pytest.param('{"maybeInt":0}', {"maybe_int": 0}, id="optional-zero-is-present"),
        pytest.param('{"penNames":["a","b"]}', {"pen_names": ["a", "b"]}, id="repeated"),
        pytest.param('{"colors":["RED",2]}', {"colors": [1, 2]}, id="repeated-enum"),
        pytest.param('{"child":{}}', {"child": {}}, id="empty-message-is-present"),
        pytest.param('{"child":{"child":{"text":"x"}}}', {"child": {"child": {"text": "x"}}}, id="recursion"),
        pytest.param(
            '{"children":[{},{"text":"x"}]}', {"children": [{}, {"text": "x"}]}, id="repeated-message"
        ),
        pytest.param('{"labels":{"a":"b","":"c"}}', {"labels": {"a": "b", "": "c"}}, id="string-map"),
        pytest.param('{"counts":{"-1":"5","2":6}}', {"counts": {-1: 5, 2: 6}}, id="int-map"),
        pytest.param('{"byFlag":{"true":"RED","false":0}}', {"by_flag": {True: 1, False: 0}}, id="bool-map"),
        pytest.param('{"choiceText":""}', {"choice_text": ""}, id="oneof-zero-is-present"),
        pytest.param(
            '{"choiceText":"x","choiceInt":null}', {"choice_text": "x"}, id="null-oneof-member-does-not-count"
        ),
        pytest.param('{"choiceNull":null}', {"choice_null": 0}, id="null-value-in-oneof"),
        pytest.param('{"choiceNull":"NULL_VALUE"}', {"choice_null": 0}, id="null-value-by-name"),
        pytest.param('{"empty":{}}', {"empty": {}}, id="empty"),
        pytest.param('{"text":"\\ud83d\\ude00"}', {"text": "😀"}, id="surrogate-pair"),
        pytest.param('{"text":"\\u0000"}', {"text": "\0"}, id="nul"),
        pytest.param('{"wrappedInt64":"0"}', {"wrapped_int64": {"value": 0}}, id="wrapper-zero-is-present"),
        pytest.param('{"wrappedInt64":null}', {}, id="wrapper-null-is-absent"),
        pytest.param(
            '{"wrappedBool":true,"wrappedText":"x","wrappedData":"AA==","wrappedDouble":"NaN"}'.replace(
                '"NaN"', "1.5"
            ),
            {
                "wrapped_bool": {"value": True},
                "wrapped_text": {"value": "x"},
                "wrapped_data": {"value": b"\0"},
                "wrapped_double": {"value": 1.5},
            },
            id="wrappers",
        ),
        pytest.param('{"at":"1970-01-01T00:00:01Z"}', {"at": {"seconds": 1}}, id="timestamp"),
        pytest.param(
            '{"at":"1970-01-01T01:00:01.5+01:00"}',
            {"at": {"seconds": 1, "nanos": 500000000}},
            id="timestamp-offset",
        ),
        pytest.param(
            '{"at":"1969-12-31T23:59:59.000000001Z"}',
            {"at": {"seconds": -1, "nanos": 1}},
            id="timestamp-before-the-epoch",
        ),
        pytest.param(
            '{"at":"0001-01-01T00:00:00Z"}', {"at": {"seconds": -62135596800}}, id="first-timestamp"
        ),
        pytest.param(
            '{"at":"9999-12-31T23:59:59.999999999Z"}',
            {"at": {"seconds": 253402300799, "nanos": 999999999}},
            id="last-timestamp",
        ),
        pytest.param('{"lasting":"1.5s"}', {"lasting": {"seconds": 1, "nanos": 500000000}}, id="duration"),
        pytest.param('{"lasting":"-0.5s"}', {"lasting": {"nanos": -500000000}}, id="negative-duration"),
        pytest.param(
            '{"mask":"text,child.penNames"}',
            {"mask": {"paths": ["text", "child.pen_names"]}},
            id="field-mask",
        ),
        pytest.param('{"mask":""}', {"mask": {}}, id="empty-field-mask"),
    ],
)
def test_json_that_fits_becomes_the_message(text: str, fields: dict[str, Any]) -> None:
    assert decode(text) == new(**fields)


def test_nan_is_read_from_its_name() -> None:
    assert math.isnan(decode('{"doubleValue":"NaN"}').double_value)


@pytest.mark.parametrize(
    "value",
    ["null", "true", "-1.5", '"x"', "[]", "{}", '[1,[null],{"a":[]}]', '{"a":{"b":null},"c":[false]}'],
)
def test_a_value_keeps_any_json(value: str) -> None:
    message = decode(
        f'{{"anything":{value},"list":[{value}],"structure":{{"k":{value}}},"values":[{value},{value}]}}'
    )

    expected = new()
    for target in (
        expected.anything,
        expected.list.values.add(),
        expected.structure.fields["k"],
        expected.values.add(),
        expected.values.add(),
    ):
        _set_value(target, json.loads(value))
    assert message == expected


def _set_value(target: Any, value: Any) -> None:
    if value is None:
        target.null_value = 0
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, list):
        target.list_value.SetInParent()
        for item in value:
            _set_value(target.list_value.values.add(), item)
    else:
        target.struct_value.SetInParent()
        for key, item in value.items():
            _set_value(target.struct_value.fields[key], item)


@pytest.mark.parametrize(
    ("content", "inner"),
    [
        pytest.param('"text":"x"', new(text="x"), id="message"),
        pytest.param("", new(), id="empty-message"),
    ],
)
def test_an_any_packs_the_type_that_it_names(content: str, inner: Any) -> None:
    comma = "," if content else ""
    packed = decode(
        f'{{"packed":{{"@type":"type.googleapis.com/everything.v1.Everything"{comma}{content}}}}}'
    ).packed

    assert packed.type_url == "type.googleapis.com/everything.v1.Everything"
    assert type(inner).FromString(packed.value) == inner


def test_an_any_holds_a_well_known_type_under_value() -> None:
    message = decode('{"packed":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.5s"}}')

    assert message.packed.value == new(lasting={"seconds": 1, "nanos": 500000000}).lasting.SerializeToString()


def test_an_any_may_hold_an_any_and_an_empty_object_is_an_empty_any() -> None:
    inner = '{"@type":"type.googleapis.com/everything.v1.Everything","text":"x"}'
    message = decode(f'{{"packed":{{"@type":"type.googleapis.com/google.protobuf.Any","value":{inner}}}}}')

    assert base64.b64encode(message.packed.value)
    assert decode('{"packed":{}}') == new(packed={})


ANY = '{"packed":{"@type":"type.googleapis.com/'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("null", "", id="null-for-the-message"),
        pytest.param('"text"', "", id="string-for-the-message"),
        pytest.param("[]", "", id="list-for-the-message"),
        pytest.param('{"text":5}', "text", id="number-for-string"),
        pytest.param('{"text":true}', "text", id="bool-for-string"),
        pytest.param('{"text":{}}', "text", id="object-for-string"),
        pytest.param('{"flag":"true"}', "flag", id="string-for-bool"),
        pytest.param('{"flag":1}', "flag", id="number-for-bool"),
        pytest.param('{"int32Value":true}', "int32_value", id="bool-for-int"),
        pytest.param('{"int32Value":1.5}', "int32_value", id="fraction-for-int"),
        pytest.param('{"int32Value":"1.5"}', "int32_value", id="quoted-fraction-for-int"),
        pytest.param('{"int64Value":"9007199254740993.5"}', "int64_value", id="quoted-large-fraction"),
        pytest.param('{"int64Value":9007199254740993.5}', "int64_value", id="large-fraction"),
        pytest.param('{"int32Value":"0x10"}', "int32_value", id="hex"),
        pytest.param('{"int32Value":" 1"}', "int32_value", id="space"),
        pytest.param('{"int32Value":""}', "int32_value", id="empty-string-for-int"),
        pytest.param('{"int32Value":"1_000"}', "int32_value", id="underscore"),
        pytest.param('{"int32Value":"\\u0661"}', "int32_value", id="arabic-digit"),
        pytest.param('{"int32Value":2147483648}', "int32_value", id="int32-overflow"),
        pytest.param('{"int64Value":9223372036854775808}', "int64_value", id="int64-overflow"),
        pytest.param('{"int64Value":1e999999999}', "int64_value", id="huge-exponent"),
        pytest.param('{"int64Value":"1e999999999"}', "int64_value", id="quoted-huge-exponent"),
        pytest.param('{"int64Value":"' + "9" * 900 + '"}', "int64_value", id="very-long-digits"),
        pytest.param('{"uint32Value":-1}', "uint32_value", id="negative-uint"),
        pytest.param('{"uint64Value":18446744073709551616}', "uint64_value", id="uint64-overflow"),
        pytest.param('{"doubleValue":1e400}', "double_value", id="double-overflow"),
        pytest.param('{"doubleValue":"1e400"}', "double_value", id="quoted-double-overflow"),
        pytest.param('{"doubleValue":1' + "0" * 400 + "}", "double_value", id="integer-beyond-a-double"),
        pytest.param('{"floatValue":1e39}', "float_value", id="float-overflow"),
        pytest.param('{"doubleValue":"nan"}', "double_value", id="lower-case-nan"),
        pytest.param('{"doubleValue":"inf"}', "double_value", id="inf"),
        pytest.param('{"doubleValue":true}', "double_value", id="bool-for-double"),
        pytest.param('{"data":"!!!!"}', "data", id="not-base64"),
        pytest.param('{"data":"A"}', "data", id="base64-cut-short"),
        pytest.param('{"data":"AA=A"}', "data", id="padding-in-the-middle"),
        pytest.param('{"data":[1]}', "data", id="list-for-bytes"),
        pytest.param('{"color":"POETRY"}', "color", id="unknown-enum-name"),
        pytest.param('{"color":"green"}', "color", id="enum-name-in-other-case"),
        pytest.param('{"color":"2"}', "color", id="quoted-enum-number"),
        pytest.param('{"color":1.5}', "color", id="enum-fraction"),
        pytest.param('{"color":true}', "color", id="bool-for-enum"),
        pytest.param('{"color":2147483648}', "color", id="enum-overflow"),
        pytest.param('{"penNames":"a"}', "pen_names", id="lone-value-for-list"),
        pytest.param('{"penNames":["a",null]}', "pen_names[1]", id="null-in-list"),
        pytest.param('{"penNames":["a",1]}', "pen_names[1]", id="wrong-type-in-list"),
        pytest.param('{"children":[{},null]}', "children[1]", id="null-message-in-list"),
        pytest.param('{"children":[{"child":{"text":1}}]}', "children[0].child.text", id="deep-path"),
        pytest.param('{"labels":[]}', "labels", id="list-for-map"),
        pytest.param('{"labels":{"a":null}}', "labels['a']", id="null-in-map"),
        pytest.param('{"counts":{"x":1}}', "counts['x']", id="map-key-not-an-int"),
        pytest.param('{"counts":{"1":1,"01":2}}', "counts", id="equal-map-keys"),
        pytest.param('{"byFlag":{"True":1}}', "by_flag['True']", id="map-key-not-a-bool"),
        pytest.param('{"byName":{"a":{"text":1}}}', "by_name['a'].text", id="path-through-a-map"),
        pytest.param('{"child":"Frank"}', "child", id="string-for-message"),
        pytest.param('{"child":[]}', "child", id="list-for-message"),
        pytest.param('{"int32Value":1,"int32_value":1}', "int32_value", id="both-spellings"),
        pytest.param('{"choiceText":"x","choiceInt":1}', "choice_int", id="two-oneof-members"),
        pytest.param(
            '{"choiceText":"x","choiceNull":null}', "choice_null", id="null-value-is-an-oneof-member"
        ),
        pytest.param('{"at":{"seconds":1}}', "at", id="object-for-timestamp"),
        pytest.param('{"at":1}', "at", id="number-for-timestamp"),
        pytest.param('{"at":"2020-01-01"}', "at", id="date-only"),
        pytest.param('{"at":"2020-01-01T00:00:00"}', "at", id="timestamp-without-zone"),
        pytest.param('{"at":"2020-02-30T00:00:00Z"}', "at", id="no-such-day"),
        pytest.param('{"at":"2020-01-01T00:00:60Z"}', "at", id="second-60"),
        pytest.param('{"at":"2020-01-01T00:00:00+24:00"}', "at", id="offset-too-large"),
        pytest.param('{"at":"2020-01-01T00:00:00.1234567890Z"}', "at", id="ten-digits"),
        pytest.param('{"at":"0000-01-01T00:00:00Z"}', "at", id="year-zero"),
        pytest.param('{"at":"0001-01-01T00:00:00+01:00"}', "at", id="before-year-one-in-utc"),
        pytest.param('{"lasting":"1"}', "lasting", id="duration-without-s"),
        pytest.param('{"lasting":"1m30s"}', "lasting", id="go-duration-in-json"),
        pytest.param('{"lasting":"315576000001s"}', "lasting", id="duration-too-long"),
        pytest.param('{"mask":"pen_names"}', "mask", id="snake-case-mask"),
        pytest.param('{"mask":["a"]}', "mask", id="list-for-mask"),
        pytest.param('{"mask":"a,,b"}', "mask", id="empty-mask-path"),
        pytest.param('{"wrappedInt64":{"value":1}}', "wrapped_int64", id="object-for-wrapper"),
        pytest.param('{"structure":[]}', "structure", id="list-for-struct"),
        pytest.param('{"structure":{"a":[1e400]}}', "structure['a'][0]", id="overflow-in-struct"),
        pytest.param('{"list":{}}', "list", id="object-for-list-value"),
        pytest.param(ANY + 'no.such.Type"}}', "packed.@type", id="unknown-any-type"),
        pytest.param('{"packed":{"text":"x"}}', "packed.@type", id="any-without-type"),
        pytest.param(
            '{"packed":{"@type":"everything.v1.Everything"}}', "packed.@type", id="any-type-without-slash"
        ),
        pytest.param('{"packed":{"@type":5}}', "packed.@type", id="any-type-not-a-string"),
        pytest.param(ANY + 'everything.v1.Everything","text":1}}', "packed.text", id="wrong-field-in-any"),
        pytest.param(
            ANY + 'google.protobuf.Duration","seconds":1}}', "packed", id="well-known-any-without-value"
        ),
    ],
)
def test_json_that_does_not_fit_is_refused_with_the_path_of_the_field(text: str, path: str) -> None:
    with pytest.raises(ValueReject) as caught:
        decode(text)

    assert caught.value.path == path


def test_unknown_fields_are_dropped_unless_strict() -> None:
    text = '{"text":"x","unknown":{"a":1},"child":{"nope":1}}'

    assert decode(text) == new(text="x", child={})
    with pytest.raises(ValueReject) as caught:
        decode(text, strict)
    assert caught.value.path == "unknown"
    with pytest.raises(ValueReject) as inner:
        decode('{"child":{"nope":1}}', strict)
    assert inner.value.path == "child.nope"


def test_half_a_surrogate_in_parsed_json_names_its_field() -> None:
    message = message_class()()

    with pytest.raises(ValueReject) as caught:
        lenient.fill_of(message_type())(message, {"child": {"text": "\ud800"}})
    assert caught.value.path == "child.text"


def test_a_closed_enum_refuses_numbers_that_are_not_listed() -> None:
    source = 'syntax = "proto2"; package old.v1; enum E { A = 1; } message M { optional E e = 1; required string must = 2; }'
    old = Types(pool_of(compile_protos({"old.proto": source})))
    descriptor = old.find("old.v1.M")
    assert descriptor is not None
    message = class_of(descriptor)()
    fill = Decoder(old).fill_of(descriptor)
    fill(message, {"e": 1})
    with pytest.raises(ValueReject):
        fill(message, {"e": 2})
