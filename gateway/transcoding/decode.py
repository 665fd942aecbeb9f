"""ProtoJSON to messages: one closure a message type, compiled from its descriptor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import EncodeError, Message

from gateway.transcoding.json_value import JsonObject, JsonValue, describe
from gateway.transcoding.message_types import Types, class_of, is_map, takes_null
from gateway.transcoding.scalar import ValueReject, json_reader, map_key_reader
from gateway.transcoding.struct_value import fill_list_value, fill_struct, fill_value
from gateway.transcoding.well_known import WRAPPERS, fill_duration, fill_mask, fill_timestamp

Fill = Callable[[Message, JsonValue], None]
"""Puts a JSON value into an empty message; ValueReject with the path where it does not fit."""

# Each takes the class it names, of whichever pool; a table by type name cannot say that in types.
_WELL_KNOWN = {
    "google.protobuf.Timestamp": cast("Fill", fill_timestamp),
    "google.protobuf.Duration": cast("Fill", fill_duration),
    "google.protobuf.FieldMask": cast("Fill", fill_mask),
    "google.protobuf.Struct": cast("Fill", fill_struct),
    "google.protobuf.Value": cast("Fill", fill_value),
    "google.protobuf.ListValue": cast("Fill", fill_list_value),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """How one field takes its value."""

    name: str
    oneof: str | None
    keeps_null: bool
    put: Fill


class Decoder:
    """Compiles and keeps the fill function of every message type it is asked for."""

    def __init__(self, types: Types, *, strict: bool = False) -> None:
        self._types = types
        self._strict = strict
        self._fills: dict[str, Fill] = {}
        self._well_known: dict[str, Fill] = {**_WELL_KNOWN, "google.protobuf.Any": self._fill_any}

    def fill_of(self, descriptor: Descriptor) -> Fill:
        """The function that puts JSON into messages of this type."""
        fill = self._fills.get(descriptor.full_name)
        if fill is not None:
            return fill
        if descriptor.full_name in self._well_known:
            fill = self._well_known[descriptor.full_name]
        elif descriptor.full_name in WRAPPERS:
            fill = _wrapper_fill(descriptor)
        else:
            return self._compile(descriptor)
        self._fills[descriptor.full_name] = fill
        return fill

    def value_fill(self, field: FieldDescriptor) -> Fill:
        """The function that puts one field's whole JSON value (a list for a repeated one) into its message."""
        entry = self._entry(field)

        def fill(message: Message, value: JsonValue) -> None:
            if value is None and not entry.keeps_null:
                return
            try:
                entry.put(message, value)
            except ValueReject as e:
                raise e.under(entry.name) from None
            except UnicodeEncodeError:
                raise ValueReject("a string holds half of a surrogate pair", entry.name) from None

        return fill

    def _compile(self, descriptor: Descriptor) -> Fill:
        entries: dict[str, _Entry] = {}
        fill = _message_fill(descriptor.full_name, entries, strict=self._strict)
        # Known before its fields are compiled: a message may hold itself.
        self._fills[descriptor.full_name] = fill
        for field in descriptor.fields:
            entries[field.json_name] = entries[field.name] = self._entry(field)
        return fill

    def _entry(self, field: FieldDescriptor) -> _Entry:
        oneof = field.containing_oneof
        return _Entry(
            name=field.name,
            oneof=f"{oneof.name} (oneof)" if oneof is not None else None,
            keeps_null=not field.is_repeated and takes_null(field),
            put=self._put_of(field),
        )

    def _put_of(self, field: FieldDescriptor) -> Fill:
        if is_map(field):
            return self._map_put(field)
        if field.message_type is not None:
            fill = self.fill_of(field.message_type)
            return _messages_put(field, fill) if field.is_repeated else _message_put(field.name, fill)
        return _scalars_put(field) if field.is_repeated else _scalar_put(field)

    def _map_put(self, field: FieldDescriptor) -> Fill:
        if field.message_type is None:
            raise AssertionError(f"{field.full_name} has no entry type")
        read_key = map_key_reader(field.message_type.fields_by_name["key"])
        value_field = field.message_type.fields_by_name["value"]
        null_is_value = takes_null(value_field)
        put_item = self._map_item_put(value_field)
        name = field.name

        def put(message: Message, value: JsonValue) -> None:
            if not isinstance(value, dict):
                raise ValueReject(f"expected an object, got {describe(value)}")
            container = getattr(message, name)
            for key, item in value.items():
                try:
                    _check_present(item, null_is_value=null_is_value)
                    put_item(container, read_key(key), item)
                except ValueReject as e:
                    raise e.under(f"[{key[:100]!a}]") from None
            if len(container) != len(value):
                raise ValueReject("two keys of the map are the same")

        return put

    def _map_item_put(self, value_field: FieldDescriptor) -> Callable[..., None]:
        if value_field.message_type is not None:
            fill = self.fill_of(value_field.message_type)

            def put_message(container: dict[object, Message], key: object, item: JsonValue) -> None:
                fill(container[key], item)

            return put_message
        read = json_reader(value_field)

        def put_scalar(container: dict[object, object], key: object, item: JsonValue) -> None:
            container[key] = read(item)

        return put_scalar

    def _fill_any(self, message: Message, value: JsonValue) -> None:
        members = _object(value)
        if not members:
            return
        url = members.get("@type")
        if not isinstance(url, str) or "/" not in url:
            raise ValueReject("expected a type URL like type.googleapis.com/package.Message", "@type")
        descriptor = self._types.find(url.rpartition("/")[2])
        if descriptor is None:
            raise ValueReject("no such message type is known", "@type")
        inner = class_of(descriptor)()
        rest = {key: item for key, item in members.items() if key != "@type"}
        fill = self.fill_of(descriptor)
        if descriptor.full_name in self._well_known or descriptor.full_name in WRAPPERS:
            if rest.keys() != {"value"}:
                raise ValueReject('expected the member "value" beside "@type"')
            fill(inner, rest["value"])
        else:
            fill(inner, rest)
        try:
            packed = inner.SerializeToString(deterministic=True)
        except EncodeError as e:
            raise ValueReject(str(e)) from None
        message.type_url = url  # type: ignore[attr-defined]  # an Any, of whichever pool
        message.value = packed  # type: ignore[attr-defined]  # an Any, of whichever pool


def _message_fill(full_name: str, entries: dict[str, _Entry], *, strict: bool) -> Fill:
    def fill(message: Message, value: JsonValue) -> None:
        if type(value) is not dict:
            raise ValueReject(f"expected an object ({full_name}), got {describe(value)}")
        seen: set[str] = set()
        for key, item in value.items():
            entry = entries.get(key)
            if entry is None:
                if strict:
                    raise ValueReject(f"{full_name} has no such field", key[:100])
                continue
            if item is None and not entry.keeps_null:
                continue
            if entry.name in seen:
                raise ValueReject("given twice, in two spellings", entry.name)
            seen.add(entry.name)
            if entry.oneof is not None:
                if entry.oneof in seen:
                    raise ValueReject(f"another member of {entry.oneof} is given too", entry.name)
                seen.add(entry.oneof)
            try:
                entry.put(message, item)
            except ValueReject as e:
                raise e.under(entry.name) from None
            except UnicodeEncodeError:
                raise ValueReject("a string holds half of a surrogate pair", entry.name) from None

    return fill


def _scalar_put(field: FieldDescriptor) -> Fill:
    name, read = field.name, json_reader(field)

    def put(message: Message, value: JsonValue) -> None:
        setattr(message, name, read(value))

    return put


def _scalars_put(field: FieldDescriptor) -> Fill:
    name, read, null_is_value = field.name, json_reader(field), takes_null(field)

    def put(message: Message, value: JsonValue) -> None:
        items = []
        for index, item in enumerate(_array(value)):
            try:
                _check_present(item, null_is_value=null_is_value)
                items.append(read(item))
            except ValueReject as e:
                raise e.under(f"[{index}]") from None
        getattr(message, name).extend(items)

    return put


def _message_put(name: str, fill: Fill) -> Fill:
    def put(message: Message, value: JsonValue) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        fill(inner, value)

    return put


def _messages_put(field: FieldDescriptor, fill: Fill) -> Fill:
    name, null_is_value = field.name, takes_null(field)

    def put(message: Message, value: JsonValue) -> None:
        container = getattr(message, name)
        for index, item in enumerate(_array(value)):
            try:
                _check_present(item, null_is_value=null_is_value)
                fill(container.add(), item)
            except ValueReject as e:
                raise e.under(f"[{index}]") from None

    return put


def _wrapper_fill(descriptor: Descriptor) -> Fill:
    read = json_reader(descriptor.fields_by_name["value"])

    def fill(message: Message, value: JsonValue) -> None:
        message.value = read(value)  # type: ignore[attr-defined]  # a wrapper, of whichever pool

    return fill


def _check_present(item: JsonValue, *, null_is_value: bool) -> None:
    if item is None and not null_is_value:
        raise ValueReject("null cannot stand inside a list or a map")


def _object(value: JsonValue) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise ValueReject(f"expected an object, got {describe(value)}")


def _array(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    raise ValueReject(f"expected an array, got {describe(value)}")
