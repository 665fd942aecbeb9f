"""An update mask from the keys of a PATCH body, for callers that send only what they change."""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding.json_value import JsonValue
from gateway.transcoding.message_types import is_map

_MASK = "google.protobuf.FieldMask"


def mask_field(descriptor: Descriptor) -> FieldDescriptor | None:
    """The first single FieldMask of a request type."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.full_name == _MASK and not field.is_repeated:
            return field
    return None


def fill_if_empty(message: Message, mask: FieldDescriptor, body_type: Descriptor, body: JsonValue) -> None:
    """Name every field that the body gives, unless the caller gave a mask."""
    paths = getattr(message, mask.name).paths
    if not paths:
        paths.extend(_paths(body_type, body))


def _paths(descriptor: Descriptor, body: JsonValue) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    for field in descriptor.fields:
        for key in {field.name, field.json_name} & body.keys():
            inner = list(_inner_paths(field, body[key]))
            yield from (f"{field.name}.{path}" for path in inner)
            if not inner:
                yield field.name


def _inner_paths(field: FieldDescriptor, value: JsonValue) -> Iterator[str]:
    inner = field.message_type
    if inner is None or field.is_repeated or is_map(field) or inner.full_name.startswith("google.protobuf."):
        return
    yield from _paths(inner, value)
