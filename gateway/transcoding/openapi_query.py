"""The query parameters of a route, flattened: what neither its path nor its body says."""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.http_rule import WHOLE_BODY, Route
from gateway.transcoding.json_schema import SchemaBook, excluded_by, has_text_form, is_json_text
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.message_types import is_map
from gateway.transcoding.status import JSON_TYPE

_FieldPath = tuple[str, ...]


def query_parameters(route: Route, book: SchemaBook) -> Iterator[JsonObject]:
    """The parameters in the order of the fields; a message that holds itself is not walked into again."""
    if route.body == WHOLE_BODY:
        return
    taken = {variable.field_path for variable in route.template.variables}
    if route.body_field is not None:
        taken.add((route.body_field.name,))
    yield from _Walk(taken, book).parameters(route.rpc.input, (), (), (route.rpc.input.full_name,))


class _Walk:
    def __init__(self, taken: set[_FieldPath], book: SchemaBook) -> None:
        self._taken = taken
        self._book = book

    def parameters(
        self, descriptor: Descriptor, path: _FieldPath, names: tuple[str, ...], types: tuple[str, ...]
    ) -> Iterator[JsonObject]:
        given = frozenset(taken[-1] for taken in self._taken if taken[:-1] == path)
        hidden = given | excluded_by(given, descriptor)
        for field in descriptor.fields:
            if field.name in hidden:
                continue
            field_path = (*path, field.name)
            field_names = (*names, self._name(field))
            inner = field.message_type
            if inner is None or is_map(field) or has_text_form(inner) or is_json_text(inner):
                yield from self._parameter(field, ".".join(field_names))
            elif not field.is_repeated and inner.full_name not in types:
                yield from self.parameters(inner, field_path, field_names, (*types, inner.full_name))

    def _name(self, field: FieldDescriptor) -> str:
        name = self._book.name(field)
        # A dot in a parameter's name steps into a message.
        return field.name if "." in name else name

    def _parameter(self, field: FieldDescriptor, name: str) -> Iterator[JsonObject]:
        parameter: JsonObject = {"name": name, "in": "query"}
        schema = self._book.described(field)
        if description := schema.pop("description", None):
            parameter["description"] = description
        if schema.pop("deprecated", False):
            parameter["deprecated"] = True
        if is_map(field):
            if not _has_simple_values(field):
                return
            parameter |= {"style": "deepObject", "explode": True}
        elif field.message_type is not None and is_json_text(field.message_type):
            if not field.is_repeated:
                yield parameter | {"content": {JSON_TYPE: {"schema": schema}}}
            return
        yield parameter | {"schema": schema}


def _has_simple_values(field: FieldDescriptor) -> bool:
    entry = field.message_type
    value = entry.fields_by_name["value"].message_type if entry is not None else None
    return value is None or has_text_form(value)
