import json
import math
from typing import Any

import pytest

from gateway.transcoding.encode import Encoder
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import dumps
from gateway.transcoding.well_known_text import TextFormError
from unit.gateway.transcoding.everything_api import message_type, new, types

OMIT = JsonOptions(unset=Unset.OMIT)


def encode(message: Any, options: JsonOptions = OMIT) -> str:
    return dumps(Encoder(types(), options).print_of(message.DESCRIPTOR)(message)).decode()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({}, "{}", id="empty"),
        pytest.param({"text": 'é"\n'}, '{"text":"é\\"\\n"}', id="string"),
        pytest.param({"int32_value": -1}, '{"int32Value":-1}', id="int32-is-a-number"),
        pytest.param({"int64_value": 2**63 - 1}, '{"int64Value":"9223372036854775807"}', id="int64-is-a-string"),
        pytest.param({"uint64_value": 1, "fixed64_value": 2, "sfixed64_value": -3, "sint64_value": -4},
                     '{"uint64Value":"1","sint64Value":"-4","fixed64Value":"2","sfixed64Value":"-3"}', id="all-64-bit-types"),
        pytest.param({"double_value": 1.0}, '{"doubleValue":1.0}', id="whole-double-keeps-its-fraction"),
        pytest.param({"double_value": math.nan}, '{"doubleValue":"NaN"}', id="nan"),
        pytest.param({"double_value": -math.inf, "float_value": math.inf},
                     '{"floatValue":"Infinity","doubleValue":"-Infinity"}', id="infinities"),
        pytest.param({"double_value": -0.0}, '{"doubleValue":-0.0}', id="negative-zero-is-set"),
        pytest.param({"float_value": 0.1}, '{"floatValue":0.1}', id="shortest-float"),
        pytest.param({"float_value": 3.4028234663852886e38}, '{"floatValue":3.4028235e+38}', id="largest-float"),
        pytest.param({"flag": True}, '{"flag":true}', id="bool"),
        pytest.param({"data": b"\xff\xef"}, '{"data":"/+8="}', id="bytes-standard-padded"),
        pytest.param({"color": 1}, '{"color":"RED"}', id="enum-name"),
        pytest.param({"color": 77}, '{"color":77}', id="enum-not-listed"),
        pytest.param({"maybe_int": 0, "maybe_text": ""}, '{"maybeText":"","maybeInt":0}', id="present-optionals"),
        pytest.param({"choice_int": 0}, '{"choiceInt":0}', id="present-oneof-member"),
        pytest.param({"choice_null": 0}, '{"choiceNull":null}', id="null-value"),
        pytest.param({"child": {}}, '{"child":{}}', id="present-message"),
        pytest.param({"labels": {"a": "b"}, "counts": {1: 2}, "by_flag": {True: 1}},
                     '{"labels":{"a":"b"},"counts":{"1":"2"},"byFlag":{"true":"RED"}}', id="maps"),
        pytest.param({"weights": {2**64 - 1: math.nan}}, '{"weights":{"18446744073709551615":"NaN"}}', id="map-of-doubles"),
        pytest.param({"pen_names": ["a"], "numbers": [1], "colors": [0]},
                     '{"penNames":["a"],"numbers":["1"],"colors":["COLOR_UNSPECIFIED"]}', id="lists"),
        pytest.param({"renamed": "x"}, '{"another.name":"x"}', id="explicit-json-name"),
        pytest.param({"wrapped_int64": {}, "wrapped_bool": {"value": True}, "wrapped_float": {"value": 0.1}},
                     '{"wrappedFloat":0.1,"wrappedInt64":"0","wrappedBool":true}', id="present-wrappers"),
        pytest.param({"at": {"seconds": 1}}, '{"at":"1970-01-01T00:00:01Z"}', id="timestamp-no-digits"),
        pytest.param({"at": {"nanos": 1_000_000}}, '{"at":"1970-01-01T00:00:00.001Z"}', id="timestamp-3-digits"),
        pytest.param({"at": {"nanos": 1_000}}, '{"at":"1970-01-01T00:00:00.000001Z"}', id="timestamp-6-digits"),
        pytest.param({"at": {"nanos": 1}}, '{"at":"1970-01-01T00:00:00.000000001Z"}', id="timestamp-9-digits"),
        pytest.param({"at": {"seconds": -62135596800}}, '{"at":"0001-01-01T00:00:00Z"}', id="first-timestamp"),
        pytest.param({"lasting": {"seconds": -1, "nanos": -500_000_000}}, '{"lasting":"-1.500s"}', id="duration"),
        pytest.param({"mask": {"paths": ["a.pen_names", "b"]}}, '{"mask":"a.penNames,b"}', id="field-mask"),
        pytest.param({"mask": {"paths": ["oddPath"]}}, '{"mask":"oddPath"}', id="field-mask-that-would-not-read-back"),
        pytest.param({"empty": {}}, '{"empty":{}}', id="empty-message-type"),
        pytest.param({"packed": {}}, '{"packed":{}}', id="empty-any"),
        pytest.param({"packed": {"type_url": "x/no.such.Type", "value": b"\1"}},
                     '{"packed":{"@type":"x/no.such.Type","value":"AQ=="}}', id="unknown-any"),
        pytest.param({"packed": {"type_url": "x/everything.v1.Everything", "value": b"\xff"}},
                     '{"packed":{"@type":"x/everything.v1.Everything","value":"/w=="}}', id="broken-any"),
        pytest.param({"anything": {}}, '{"anything":null}', id="value-without-a-kind"),
    ],
)  # fmt: skip
def test_a_message_is_printed_as_proto_json(fields: dict[str, Any], text: str) -> None:
    assert encode(new(**fields)) == text


def test_an_any_is_printed_with_its_content() -> None:
    message = new()
    message.packed.Pack(new(text="x"))
    assert json.loads(encode(message)) == {
        "packed": {"@type": "type.googleapis.com/everything.v1.Everything", "text": "x"}
    }
    message.packed.Pack(new(lasting={"seconds": 1}).lasting)
    assert json.loads(encode(message))["packed"] == {
        "@type": "type.googleapis.com/google.protobuf.Duration",
        "value": "1s",
    }
    message.packed.Pack(new(wrapped_int64={"value": 5}).wrapped_int64)
    assert json.loads(encode(message))["packed"]["value"] == "5"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"at": {"seconds": 253402300800}}, id="year-10000"),
        pytest.param({"at": {"nanos": -1}}, id="negative-nanos"),
        pytest.param({"lasting": {"seconds": 1, "nanos": -1}}, id="mixed-signs"),
        pytest.param({"anything": {"number_value": math.nan}}, id="nan-in-a-value"),
    ],
)
def test_a_value_without_a_json_form_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(TextFormError):
        encode(new(**fields))


def test_zero_values_are_printed_for_fields_that_cannot_be_absent() -> None:
    printed = json.loads(encode(new(), JsonOptions(unset=Unset.ZERO)))

    assert printed["text"] == ""
    assert printed["int64Value"] == "0"
    assert printed["color"] == "COLOR_UNSPECIFIED"
    assert printed["penNames"] == []
    assert printed["labels"] == {}
    assert not printed.keys() & {"maybeInt", "child", "at", "wrappedInt64", "choiceText"}


def test_null_is_printed_for_unset_messages_and_optionals_but_not_for_oneof_members() -> None:
    printed = json.loads(encode(new(), JsonOptions(unset=Unset.NULL)))

    assert printed["text"] == ""
    assert {printed[name] for name in ("maybeInt", "maybeText", "child", "at", "wrappedInt64")} == {None}
    assert not printed.keys() & {"choiceText", "choiceInt", "choiceChild", "choiceNull"}
    # A null would be read back as a value there.
    assert "anything" not in printed


def test_names_and_numbers_follow_the_options() -> None:
    options = JsonOptions(proto_names=True, int64_as_number=True, enum_as_number=True, unset=Unset.OMIT)
    message = new(
        int64_value=5,
        numbers=[1],
        color=1,
        renamed="x",
        counts={1: 2},
        wrapped_int64={"value": 7},
        by_flag={False: 2},
    )

    assert encode(message, options) == (
        '{"int64_value":5,"color":1,"numbers":[1],"counts":{"1":2},"by_flag":{"false":2},"wrapped_int64":7,"renamed":"x"}'
    )


def test_one_field_alone_is_printed_as_its_value() -> None:
    encoder = Encoder(types(), OMIT)
    fields = message_type().fields_by_name
    message = new(text="t", numbers=[1], labels={"a": "b"}, child={"text": "c"}, at={"seconds": 1})

    printed = {
        name: encoder.value_print(fields[name])(message)
        for name in ("text", "numbers", "labels", "child", "at")
    }

    assert printed == {
        "text": "t",
        "numbers": ["1"],
        "labels": {"a": "b"},
        "child": {"text": "c"},
        "at": "1970-01-01T00:00:01Z",
    }
