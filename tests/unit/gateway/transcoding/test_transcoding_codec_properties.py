"""The codec against google.protobuf.json_format on random messages and random JSON."""

import json
import math
import struct
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.transcoding.decode import Decoder
from gateway.transcoding.encode import Encoder
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonError, JsonValue, dumps, loads
from gateway.transcoding.message_types import is_map
from gateway.transcoding.scalar import ValueReject
from unit.gateway.transcoding.everything_api import message_class, message_type, new, pool, types

Everything = message_class()
DECODER = Decoder(types())
ENCODERS = {unset: Encoder(types(), JsonOptions(unset=unset)) for unset in Unset}

text = st.text(st.characters(codec="utf-8"), max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
FLOAT32_READABLE = struct.unpack("f", struct.pack("f", 3.4028e38))[0]
json_values = st.recursive(
    st.none() | st.booleans() | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type in _INTEGERS:
        return _INTEGERS[field.cpp_type]
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        # json_format prints the largest 32-bit number as 3.4028235e+38 and then refuses to read it.
        return (
            st.floats(-FLOAT32_READABLE, FLOAT32_READABLE, width=32) | st.just(math.inf) | st.just(math.nan)
        )
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        # One NaN: JSON has no room for the bits of the others.
        return st.floats(allow_nan=False) | st.just(math.nan)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.enum_type is not None:
        # Unlisted numbers are kept by both, but json_format cannot read them back from a map or list.
        return st.sampled_from([value.number for value in field.enum_type.values])
    return st.binary(max_size=6) if field.type == FieldDescriptor.TYPE_BYTES else text


def message_value(descriptor: Descriptor, depth: int) -> st.SearchStrategy[Any]:
    name = descriptor.full_name
    if name == "google.protobuf.Timestamp":
        return st.fixed_dictionaries(
            {"seconds": st.integers(-62135596800, 253402300799), "nanos": st.integers(0, 999_999_999)}
        )
    if name == "google.protobuf.Duration":
        return st.tuples(st.booleans(), st.integers(0, 315_575_999_999), st.integers(0, 999_999_999)).map(
            lambda parts: {
                "seconds": -parts[1] if parts[0] else parts[1],
                "nanos": -parts[2] if parts[0] else parts[2],
            }
        )
    if name == "google.protobuf.FieldMask":
        path = st.from_regex(r"[a-z](_[a-z]|[a-z0-9])*(\.[a-z](_[a-z]|[a-z0-9])*)?", fullmatch=True)
        return st.fixed_dictionaries({"paths": st.lists(path, max_size=3)})
    if name == "google.protobuf.Any":
        return fields_of(message_type(), 0).map(_packed)
    if name in ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"):
        return json_values.map(lambda value: _json_message(name, value))
    return fields_of(descriptor, depth - 1)


def _packed(fields: dict[str, Any]) -> Any:
    holder = new()
    holder.packed.Pack(new(**fields), deterministic=True)
    return holder.packed


def _json_message(name: str, value: JsonValue) -> Any:
    holder = new()
    kind = name.rpartition(".")[2]
    target = {"Struct": holder.structure, "Value": holder.anything, "ListValue": holder.list}[kind]
    given_value: Any = {"Struct": {"key": value}, "Value": value, "ListValue": [value]}[kind]
    json_format.ParseDict(given_value, target)
    return target


def field_value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if is_map(field):
        assert field.message_type is not None
        entry = field.message_type.fields_by_name
        return st.dictionaries(scalar(entry["key"]), field_value(entry["value"], depth), max_size=2)
    single = message_value(field.message_type, depth) if field.message_type is not None else scalar(field)
    return st.lists(single, max_size=2) if field.is_repeated else single


def fields_of(descriptor: Descriptor, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    usable = [field for field in descriptor.fields if depth > 0 or field.message_type is None]
    by_oneof: dict[str, FieldDescriptor] = {}

    def choose(names: list[FieldDescriptor]) -> st.SearchStrategy[dict[str, Any]]:
        by_oneof.clear()
        chosen = []
        for field in names:
            oneof = field.containing_oneof
            if oneof is None or by_oneof.setdefault(oneof.name, field) is field:
                chosen.append(field)
        return st.fixed_dictionaries({field.name: field_value(field, depth) for field in chosen})

    if not usable:
        return st.just({})
    return st.lists(st.sampled_from(usable), max_size=5, unique_by=lambda field: field.name).flatmap(choose)


messages = fields_of(message_type(), 2).map(lambda fields: new(**fields))
relaxed = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


def to_json(message: Message, unset: Unset = Unset.OMIT) -> bytes:
    return dumps(ENCODERS[unset].print_of(message_type())(message))


def from_json(body: bytes) -> Message:
    message = Everything()
    DECODER.fill_of(message_type())(message, loads(body))
    return message


def wire(message: Message) -> bytes:
    """Bytes for comparison: equality of messages says no for NaN."""
    return message.SerializeToString(deterministic=True)


@relaxed
@given(messages)
def test_a_message_survives_the_way_through_json(message: Message) -> None:
    for unset in Unset:
        assert wire(from_json(to_json(message, unset))) == wire(message)


@relaxed
@given(messages)
def test_json_is_printed_as_json_format_prints_it(message: Message) -> None:
    ours = json.loads(to_json(message))
    ours_with_zeros = json.loads(to_json(message, Unset.ZERO))

    assert ours == json_format.MessageToDict(message, descriptor_pool=pool())
    assert ours_with_zeros == json_format.MessageToDict(
        message, descriptor_pool=pool(), always_print_fields_with_no_presence=True
    )


@relaxed
@given(messages)
def test_json_format_reads_what_we_print_and_we_read_what_it_prints(message: Message) -> None:
    theirs = json_format.Parse(to_json(message), Everything(), descriptor_pool=pool())
    printed = json_format.MessageToJson(message, descriptor_pool=pool(), ensure_ascii=False)

    assert wire(theirs) == wire(message)
    assert wire(from_json(printed.encode())) == wire(message)


keys = st.sampled_from(
    sorted({name for field in message_type().fields for name in (field.name, field.json_name)})
)
odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    # Beyond this json_format rounds 40826480626776170.0 to a double on its way into an int64.
    | st.floats(-(2.0**53), 2.0**53)
    | text
    | st.sampled_from(["1", "-0", "1e3", "NaN", "RED", "AA==", "2020-01-01T00:00:00Z", "1.5s", "a,b", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | text, inner, max_size=3),
    max_leaves=8,
)


def _holds(value: Any, key: str, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_holds(item, key, wanted) for item in value)
    if not isinstance(value, dict):
        return False
    return (key in value and value[key] is wanted) or any(
        _holds(item, key, wanted) for item in value.values()
    )


@relaxed
@given(st.dictionaries(keys, odd_values, max_size=3))
def test_what_we_accept_json_format_accepts_with_the_same_meaning(value: dict[str, Any]) -> None:
    # A null for a repeated google.protobuf.Value ends json_format with an AttributeError.
    assume(not _holds(value, "values", None))
    body = json.dumps(value).encode()
    try:
        ours = from_json(body)
    except (ValueReject, JsonError):
        return
    theirs = json_format.Parse(body, Everything(), ignore_unknown_fields=True, descriptor_pool=pool())

    assert wire(ours) == wire(theirs)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud8e1E-+.0ntrue', max_size=60).map(str.encode))
def test_any_bytes_are_one_json_value_or_a_json_error(body: bytes) -> None:
    try:
        value = loads(body)
    except JsonError:
        return
    assert value == json.loads(body)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_printed_short_and_reads_back_the_same(value: float) -> None:
    printed = json.loads(to_json(new(float_value=value)) or b"{}").get("floatValue", 0.0)

    assert struct.pack("f", printed) == struct.pack("f", value) or (printed == value == 0.0)
    assert len(repr(printed)) <= len(repr(value))
    assert math.isfinite(printed)
