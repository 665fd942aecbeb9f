"""Messages to ProtoJSON: one closure a message type, compiled from its descriptor."""

import base64
import math
import struct
from collections.abc import Callable
from typing import cast

from google.protobuf import any_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonObject, JsonValue
from gateway.transcoding.message_types import Types, class_of, is_map, is_nullable
from gateway.transcoding.struct_value import print_list_value, print_struct, print_value
from gateway.transcoding.well_known import WRAPPERS, print_duration, print_mask, print_timestamp

Print = Callable[[Message], JsonValue]
"""The JSON value of a message; TextFormError where it has none, such as a time in the year 10000."""

# A field's value as protobuf hands it out: a scalar, a message, or a container of either.
_Print = Callable[..., JsonValue]

# Each takes the class it names, of whichever pool; a table by type name cannot say that in types.
_WELL_KNOWN = {
    "google.protobuf.Timestamp": cast("Print", print_timestamp),
    "google.protobuf.Duration": cast("Print", print_duration),
    "google.protobuf.FieldMask": cast("Print", print_mask),
    "google.protobuf.Struct": cast("Print", print_struct),
    "google.protobuf.Value": cast("Print", print_value),
    "google.protobuf.ListValue": cast("Print", print_list_value),
}
_VALUE_IN_ANY = _WELL_KNOWN.keys() | WRAPPERS | {"google.protobuf.Any"}
_INT64 = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)


class Encoder:
    """Compiles and keeps the print function of every message type it is asked for."""

    def __init__(self, types: Types, options: JsonOptions) -> None:
        self._types = types
        self._options = options
        self._prints: dict[str, Print] = dict(_WELL_KNOWN)
        self._prints["google.protobuf.Any"] = cast("Print", self.print_any)

    def print_of(self, descriptor: Descriptor) -> Print:
        """The function that turns messages of this type into JSON values."""
        found = self._prints.get(descriptor.full_name)
        if found is not None:
            return found
        if descriptor.full_name in WRAPPERS:
            found = self.value_print(descriptor.fields_by_name["value"])
            self._prints[descriptor.full_name] = found
            return found
        return self._compile(descriptor)

    def value_print(self, field: FieldDescriptor) -> Print:
        """The function that turns one field of its message into a JSON value, as `response_body` wants it; unset is null."""
        name, convert = field.name, self._convert_of(field)
        has_presence = field.has_presence

        def to_json(message: Message) -> JsonValue:
            if has_presence and not message.HasField(name):
                return None
            # Of the type that the field's descriptor says, which is JSON already where nothing converts it.
            value = getattr(message, name)
            return cast("JsonValue", value) if convert is None else convert(value)

        return to_json

    def print_any(self, message: any_pb2.Any) -> JsonValue:
        """An Any with its content; content of an unknown or broken type stays base64 under `value`."""
        if not message.type_url:
            return {}
        url, packed = message.type_url, message.value
        descriptor = self._types.find(url.rpartition("/")[2])
        opaque: JsonObject = {"@type": url, "value": base64.b64encode(packed).decode("ascii")}
        if descriptor is None:
            return opaque
        inner = class_of(descriptor)()
        try:
            inner.ParseFromString(packed)
        except DecodeError:
            return opaque
        value = self.print_of(descriptor)(inner)
        if isinstance(value, dict) and descriptor.full_name not in _VALUE_IN_ANY:
            return {"@type": url, **value}
        return {"@type": url, "value": value}

    def _compile(self, descriptor: Descriptor) -> Print:
        steps: list[tuple[str, str, bool, bool, _Print | None]] = []
        printer = _message_print(steps, self._options.unset)
        # Known before its fields are compiled: a message may hold itself.
        self._prints[descriptor.full_name] = printer
        for field in descriptor.fields:
            key = field.name if self._options.proto_names else field.json_name
            steps.append((field.name, key, field.has_presence, is_nullable(field), self._convert_of(field)))
        return printer

    def _convert_of(self, field: FieldDescriptor) -> _Print | None:
        """How the field's whole value becomes JSON; None where it is JSON already."""
        if is_map(field):
            return self._map_print(field)
        single = self._single_print(field)
        if not field.is_repeated:
            return single
        if single is None:
            return list
        return lambda items: [single(item) for item in items]

    def _map_print(self, field: FieldDescriptor) -> _Print:
        if field.message_type is None:
            raise AssertionError(f"{field.full_name} has no entry type")
        key_field = field.message_type.fields_by_name["key"]
        key: Callable[..., str] = str
        if key_field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            key = _bool_key
        single = self._single_print(field.message_type.fields_by_name["value"])
        if single is None:
            return lambda container: {key(name): item for name, item in container.items()}
        return lambda container: {key(name): single(item) for name, item in container.items()}

    def _single_print(self, field: FieldDescriptor) -> _Print | None:
        if field.message_type is not None:
            return self.print_of(field.message_type)
        if field.enum_type is not None:
            return self._enum_print(field.enum_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return _print_bytes
        if field.cpp_type in _INT64:
            return None if self._options.int64_as_number else str
        if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
            return _print_double
        if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
            return _print_float
        return None

    def _enum_print(self, enum: EnumDescriptor) -> _Print | None:
        if enum.full_name == "google.protobuf.NullValue":
            return lambda _number: None
        if self._options.enum_as_number:
            return None
        names: dict[int, str] = {}
        for value in enum.values:
            names.setdefault(value.number, value.name)
        return lambda number: names.get(number, number)


def _message_print(steps: list[tuple[str, str, bool, bool, _Print | None]], unset: Unset) -> Print:
    print_zero, print_null = unset is not Unset.OMIT, unset is Unset.NULL

    def to_json(message: Message) -> JsonValue:
        members: JsonObject = {}
        for name, key, has_presence, nullable, convert in steps:
            if has_presence:
                if not message.HasField(name):
                    if print_null and nullable:
                        members[key] = None
                    continue
                value = getattr(message, name)
            else:
                value = getattr(message, name)
                if not (print_zero or value or _is_negative_zero(value)):
                    continue
            members[key] = value if convert is None else convert(value)
        return members

    return to_json


def _is_negative_zero(value: object) -> bool:
    return type(value) is float and math.copysign(1.0, value) < 0


def _bool_key(key: bool) -> str:  # noqa: FBT001  # a map's key, not a switch
    return "true" if key else "false"


def _print_bytes(value: bytes) -> JsonValue:
    return base64.b64encode(value).decode("ascii")


def _print_double(value: float) -> JsonValue:
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _print_float(value: float) -> JsonValue:
    """The shortest decimal that reads back as the same 32-bit number."""
    if not math.isfinite(value):
        return _print_double(value)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if struct.unpack("f", struct.pack("f", short))[0] == value:
            return short
    return float(f"{value:.9g}")
