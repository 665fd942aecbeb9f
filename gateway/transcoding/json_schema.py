"""JSON Schemas of message types as the transcoder reads and prints them, for OpenAPI 3.1."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor

from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonObject, JsonValue
from gateway.transcoding.message_types import is_map, is_nullable
from gateway.transcoding.proto_comments import Comments
from gateway.transcoding.well_known import WRAPPERS


def digits_up_to(highest: int) -> str:
    """A regular expression for the decimal numbers from 0 to `highest`, leading zeros allowed up to its length."""
    text = str(highest)
    ways = [text]
    if len(text) > 1:
        ways.append(f"[0-9]{{1,{len(text) - 1}}}")
    for at, digit in enumerate(text):
        rest = len(text) - at - 1
        if digit > "0":
            lower = f"[0-{int(digit) - 1}]" if digit > "1" else "0"
            ways.append(text[:at] + lower + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join(ways)


_MAX_DURATION_S: Final = 315_576_000_000
_MASK_PATH: Final = r"[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*"
_MAX_FLOAT: Final = 3.4028235e38
"""As it is printed: the shortest decimal that is read back as the same 32-bit number."""
_NOT_FINITE: Final[JsonObject] = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}

_WELL_KNOWN: Final[dict[str, JsonObject]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": rf"^-?({digits_up_to(_MAX_DURATION_S - 1)})(\.[0-9]{{1,9}})?s$",
        "examples": ["3.5s"],
    },
    "google.protobuf.FieldMask": {"type": "string", "pattern": f"^({_MASK_PATH}(,{_MASK_PATH})*)?$"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object"},
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string", "description": "URL that ends in a message's full name"}},
        "additionalProperties": True,
    },
}
_INTEGERS: Final[dict[int, JsonObject]] = {
    FieldDescriptor.CPPTYPE_INT32: {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
}
_LONG_INTEGERS: Final[dict[int, tuple[JsonObject, JsonObject]]] = {
    # As text, which every client can hold, and as a number.
    FieldDescriptor.CPPTYPE_INT64: (
        {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"},
        {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    ),
    FieldDescriptor.CPPTYPE_UINT64: (
        {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"},
        {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    ),
}
_KEY_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
STATUS_NAME: Final = "google.rpc.Status"
STATUS: Final[JsonObject] = {
    "type": "object",
    "description": "What went wrong.",
    "properties": {
        "code": {"type": "integer", "format": "int32", "description": "A google.rpc.Code."},
        "message": {"type": "string"},
        "details": {"type": "array", "items": _WELL_KNOWN["google.protobuf.Any"]},
    },
}


def is_json_text(descriptor: Descriptor) -> bool:
    """Whether a parameter of this type is JSON text."""
    return descriptor.full_name in (
        "google.protobuf.Struct",
        "google.protobuf.Value",
        "google.protobuf.ListValue",
    )


def has_text_form(descriptor: Descriptor) -> bool:
    """Whether a parameter of this type is one plain text."""
    return (
        descriptor.full_name in WRAPPERS or _WELL_KNOWN.get(descriptor.full_name, {}).get("type") == "string"
    )


def excluded_by(given: frozenset[str], descriptor: Descriptor) -> frozenset[str]:
    """The fields that may not be given beside some others: the rest of their oneofs."""
    oneofs = [oneof for oneof in descriptor.oneofs if any(field.name in given for field in oneof.fields)]
    return frozenset(field.name for oneof in oneofs for field in oneof.fields) - given


class SchemaBook:
    """Schemas by reference; `components` has every message and enum that was referred to."""

    def __init__(self, comments: Comments, options: JsonOptions) -> None:
        self._comments = comments
        self._options = options
        self.components: dict[str, JsonValue] = {}

    def message(self, descriptor: Descriptor) -> JsonObject:
        """The schema of a message: written out for a well-known type, else a reference."""
        name = descriptor.full_name
        if name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[name])
        if name in WRAPPERS:
            return self.single(descriptor.fields_by_name["value"])
        if name not in self.components:
            # Known before its fields are: a message may hold itself.
            self.components[name] = {}
            self.components[name] = self.members(descriptor)
        return {"$ref": f"#/components/schemas/{name}"}

    def members(self, descriptor: Descriptor, *, without: frozenset[str] = frozenset()) -> JsonObject:
        """The schema of a message written out, without some of its fields (by proto name)."""
        schema: JsonObject = {"type": "object"}
        self._describe(schema, descriptor.full_name)
        hidden = without | excluded_by(without, descriptor)
        fields = [field for field in descriptor.fields if field.name not in hidden]
        schema["properties"] = {self.name(field): self.described(field) for field in fields}
        choices = [self._one_at_most(oneof, hidden) for oneof in descriptor.oneofs]
        if present := [choice for choice in choices if choice is not None]:
            schema["allOf"] = list(present)
        if descriptor.GetOptions().deprecated:
            schema["deprecated"] = True
        return schema

    def name(self, field: FieldDescriptor) -> str:
        """The field as JSON spells it."""
        return field.name if self._options.proto_names else field.json_name

    def described(self, field: FieldDescriptor) -> JsonObject:
        """The schema of a field's whole value, with its comment."""
        schema = self.field(field)
        if is_nullable(field) and self._options.unset is Unset.NULL:
            schema = {"anyOf": [schema, {"type": "null"}]}
        self._describe(schema, field.full_name)
        if field.GetOptions().deprecated:
            schema["deprecated"] = True
        return schema

    def field(self, field: FieldDescriptor) -> JsonObject:
        """The schema of a field's whole value: a list or an object where it repeats."""
        if is_map(field) and field.message_type is not None:
            entry = field.message_type.fields_by_name
            schema: JsonObject = {"type": "object", "additionalProperties": self.single(entry["value"])}
            keys = _key_schema(entry["key"])
            return schema | {"propertyNames": keys} if keys else schema
        single = self.single(field)
        return {"type": "array", "items": single} if field.is_repeated else single

    def single(self, field: FieldDescriptor) -> JsonObject:
        """The schema of one of a field's values."""
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.cpp_type in _INTEGERS:
            return dict(_INTEGERS[field.cpp_type])
        if field.cpp_type in _LONG_INTEGERS:
            text, number = _LONG_INTEGERS[field.cpp_type]
            return dict(number if self._options.int64_as_number else text)
        if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
            return {"anyOf": [{"type": "number", "format": "double"}, _NOT_FINITE]}
        if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
            number = {"type": "number", "format": "float", "minimum": -_MAX_FLOAT, "maximum": _MAX_FLOAT}
            return {"anyOf": [number, _NOT_FINITE]}
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "format": "byte", "contentEncoding": "base64"}
        return {"type": "string"}

    def status(self) -> JsonObject:
        """A reference to google.rpc.Status, the body of every error."""
        self.components.setdefault(STATUS_NAME, STATUS)
        return {"$ref": f"#/components/schemas/{STATUS_NAME}"}

    def _enum(self, enum: EnumDescriptor) -> JsonObject:
        if enum.full_name == "google.protobuf.NullValue":
            return {"type": "null"}
        if enum.full_name not in self.components:
            numbers = self._options.enum_as_number
            names: list[JsonValue] = [value.number if numbers else value.name for value in enum.values]
            schema: JsonObject = {"type": "integer" if numbers else "string", "enum": names}
            lines = [self._comments.of(enum.full_name), *self._value_lines(enum)]
            if text := "\n".join(line for line in lines if line):
                schema["description"] = text
            self.components[enum.full_name] = schema
        return {"$ref": f"#/components/schemas/{enum.full_name}"}

    def _value_lines(self, enum: EnumDescriptor) -> Iterator[str]:
        for value in enum.values:
            if comment := self._comments.of(f"{enum.full_name}.{value.name}"):
                shown = value.number if self._options.enum_as_number else value.name
                yield f"- `{shown}`: {' '.join(comment.split())}"

    def _one_at_most(self, oneof: OneofDescriptor, without: frozenset[str]) -> JsonObject | None:
        """The rule that two members of one oneof do not go together; None for the oneof of an `optional` field."""
        names = [self.name(field) for field in oneof.fields if field.name not in without]
        if len(names) < 2:  # one alone excludes nothing
            return None
        given: list[JsonValue] = [{"required": [name]} for name in names]
        return {"oneOf": [*given, {"not": {"anyOf": given}}]}

    def _describe(self, schema: JsonObject, full_name: str) -> None:
        if comment := self._comments.of(full_name):
            schema["description"] = comment


def _key_schema(key: FieldDescriptor) -> JsonObject | None:
    if key.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return None
    if key.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"enum": ["true", "false"]}
    lowest, highest = _KEY_RANGES[key.cpp_type]
    negative = f"|-({digits_up_to(-lowest)})" if lowest else ""
    return {"pattern": f"^({digits_up_to(highest)}{negative})$"}
