"""How the text of a path variable or query parameter enters a field."""

from collections.abc import Callable
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding.decode import Decoder, Fill
from gateway.transcoding.json_value import JsonError, loads
from gateway.transcoding.scalar import ValueReject, map_key_reader, text_reader
from gateway.transcoding.well_known import WRAPPERS, fill_duration_text, fill_mask_text

FillText = Callable[[Message, str], None]
"""Puts one text into a message; ValueReject where it does not fit."""

# Each takes the class it names, of whichever pool; a table by type name cannot say that in types.
_TEXT_FORMS = {
    "google.protobuf.Duration": cast("FillText", fill_duration_text),
    "google.protobuf.FieldMask": cast("FillText", fill_mask_text),
}
_JSON_FORMS = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})


def setter(field: FieldDescriptor, decoder: Decoder) -> FillText | None:
    """What sets a single field from text; None for a message that has no text form."""
    name = field.name
    if field.message_type is None:
        read = text_reader(field)

        def set_scalar(message: Message, text: str) -> None:
            setattr(message, name, read(text))

        return set_scalar
    fill = _message_fill(field.message_type, decoder)
    if fill is None:
        return None

    def set_message(message: Message, text: str) -> None:
        inner = getattr(message, name)
        inner.Clear()
        inner.SetInParent()
        fill(inner, text)

    return set_message


def appender(field: FieldDescriptor, decoder: Decoder) -> FillText | None:
    """What adds one text to a repeated field; None for messages that have no text form."""
    name = field.name
    if field.message_type is None:
        read = text_reader(field)

        def append_scalar(message: Message, text: str) -> None:
            getattr(message, name).append(read(text))

        return append_scalar
    fill = _message_fill(field.message_type, decoder)
    if fill is None:
        return None

    def append_message(message: Message, text: str) -> None:
        fill(getattr(message, name).add(), text)

    return append_message


def map_setter(field: FieldDescriptor, decoder: Decoder) -> Callable[[Message, str, str], None] | None:
    """What sets one entry (key, value) of a map; None where the values have no text form."""
    if field.message_type is None:
        raise AssertionError(f"{field.full_name} has no entry type")
    name = field.name
    read_key = map_key_reader(field.message_type.fields_by_name["key"])
    value_field = field.message_type.fields_by_name["value"]
    if value_field.message_type is not None:
        fill = _message_fill(value_field.message_type, decoder)
        if fill is None:
            return None

        def set_message_entry(message: Message, key: str, text: str) -> None:
            fill(getattr(message, name)[read_key(key)], text)

        return set_message_entry
    read = text_reader(value_field)

    def set_scalar_entry(message: Message, key: str, text: str) -> None:
        getattr(message, name)[read_key(key)] = read(text)

    return set_scalar_entry


def _message_fill(descriptor: Descriptor, decoder: Decoder) -> FillText | None:
    name = descriptor.full_name
    if name in _TEXT_FORMS:
        return _TEXT_FORMS[name]
    if name == "google.protobuf.Timestamp":
        return decoder.fill_of(descriptor)
    if name in WRAPPERS:
        return setter(descriptor.fields_by_name["value"], decoder)
    if name in _JSON_FORMS:
        return _json_fill(decoder.fill_of(descriptor))
    return None


def _json_fill(fill: Fill) -> FillText:
    def fill_text(message: Message, text: str) -> None:
        try:
            value = loads(text.encode("utf-8"))
        except JsonError as e:
            raise ValueReject(str(e)) from None
        fill(message, value)

    return fill_text
