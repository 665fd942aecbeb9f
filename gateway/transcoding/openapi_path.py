"""Path templates as OpenAPI writes paths: every wildcard is one parameter.

A variable of several segments becomes its literals and one parameter a `*`, named after
the literal before it as Google's own documents do (`shelves/{shelvesId}`): a client
would percent-encode the slashes of a single one.
"""

import re
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor

from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_schema import SchemaBook
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.template import Variable, Wildcard


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPiece:
    """One segment of an OpenAPI path."""

    text: str
    """A literal, or a parameter's name in braces."""
    parameter: JsonObject | None = None


def openapi_path(route: Route, book: SchemaBook) -> list[PathPiece]:
    """The segments of a route's path, without the verb."""
    template = route.template
    pieces: list[PathPiece] = []
    taken: set[str] = set()
    for index, segment in enumerate(template.segments):
        if not isinstance(segment, Wildcard):
            pieces.append(PathPiece(text=segment))
            continue
        variable = _variable_at(route, index)
        whole = variable is not None and variable.start == index and _size(route, variable) == 1
        previous = pieces[-1].text if pieces else ""
        if variable is not None and whole:
            parameter = _whole(variable, segment, route, book)
        else:
            parameter = _part(variable, segment, previous)
        name = str(parameter["name"])
        while name in taken:
            name += "_"
        taken.add(name)
        pieces.append(PathPiece(text=f"{{{name}}}", parameter={**parameter, "name": name}))
    return pieces


def field_at(route: Route, variable: Variable) -> FieldDescriptor:
    """The field that a variable fills."""
    holder = route.rpc.input
    *parents, last = variable.field_path
    for name in parents:
        inner = holder.fields_by_name[name].message_type
        if inner is None:
            raise AssertionError(f"{route}: checked when the route was compiled")
        holder = inner
    return holder.fields_by_name[last]


def _whole(variable: Variable, segment: Wildcard, route: Route, book: SchemaBook) -> JsonObject:
    bound = field_at(route, variable)
    holder, names = route.rpc.input, []
    for name in variable.field_path:
        step = holder.fields_by_name[name]
        names.append(book.name(step))
        holder = step.message_type or holder
    schema = book.field(bound)
    if schema == {"type": "string"} and segment is Wildcard.ONE:
        schema = {"type": "string", "minLength": 1}
    parameter: JsonObject = {"name": _join(names), "in": "path", "required": True, "schema": schema}
    description = book.described(bound).get("description", "")
    if segment is Wildcard.MANY:
        description = f"{description}\n\nSeveral segments; slashes go into the path as they are.".strip()
    if description:
        parameter["description"] = description
    return parameter


def _join(names: list[str]) -> str:
    """One name without dots, which some readers of OpenAPI do not find in a path."""
    first, *rest = [re.sub(r"[^A-Za-z0-9_]", "_", name) for name in names]
    return first + "".join(name[:1].upper() + name[1:] for name in rest)


def _part(variable: Variable | None, segment: Wildcard, previous: str) -> JsonObject:
    literal = "".join(char for char in previous if char.isalnum() or char in "-_") or "segment"
    parameter: JsonObject = {
        "name": f"{literal}Id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"} if segment is Wildcard.MANY else {"type": "string", "minLength": 1},
    }
    if variable is not None:
        parameter["description"] = f"A part of `{'.'.join(variable.field_path)}`."
    return parameter


def _variable_at(route: Route, index: int) -> Variable | None:
    for variable in route.template.variables:
        if variable.start <= index < variable.start + _size(route, variable):
            return variable
    return None


def _size(route: Route, variable: Variable) -> int:
    """How many segments of the template a variable has."""
    total = len(route.template.segments)
    stop = variable.stop if variable.stop > 0 else total + variable.stop
    return stop - variable.start
