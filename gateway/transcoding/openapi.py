"""OpenAPI 3.1 of some routes, made from descriptors and the comments of their proto files.

What the format cannot say is left out: methods that it does not know, and, of two routes
that differ only in how many segments a wildcard takes, the second one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.http_rule import WHOLE_BODY, Route
from gateway.transcoding.json_options import JsonOptions
from gateway.transcoding.json_schema import SchemaBook
from gateway.transcoding.json_value import JsonObject, JsonValue
from gateway.transcoding.openapi_path import PathPiece, openapi_path
from gateway.transcoding.openapi_query import query_parameters
from gateway.transcoding.proto_comments import Comments, first_sentence
from gateway.transcoding.request_reader import HTTP_BODY
from gateway.transcoding.router import ANY_METHOD
from gateway.transcoding.status import JSON_TYPE
from gateway.transcoding.stream_format import EVENT_STREAM

VERSION = "3.1.0"
_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
_ANY = ("GET", "PUT", "POST", "DELETE", "PATCH")

Amend = Callable[[Route, JsonObject], JsonObject]
"""Changes what is said of one route, where a profile's hooks make it look otherwise than its messages do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOptions:
    """What descriptors do not know about an API."""

    title: str
    version: str
    description: str = ""
    json: JsonOptions = field(default_factory=JsonOptions)
    """As in the profile of the routes."""
    error_schema: JsonObject | None = None
    """The body of errors, in place of google.rpc.Status."""
    security_schemes: Mapping[str, JsonObject] = field(default_factory=dict)
    """Any one of them lets a caller in; none for an open API."""
    amend: Amend | None = None


def document(routes: Iterable[Route], comments: Comments, options: DocumentOptions) -> JsonObject:
    """The OpenAPI document of some routes, ready to be printed as JSON."""
    return _Writer(comments, options).write(tuple(routes))


class _Writer:
    """One document in the making."""

    def __init__(self, comments: Comments, options: DocumentOptions) -> None:
        self._comments = comments
        self._options = options
        self._book = SchemaBook(comments, options.json)
        self._pieces: dict[tuple[str, ...], list[PathPiece]] = {}
        self._paths: dict[str, dict[str, JsonValue]] = {}
        self._ids: set[str] = set()

    def write(self, routes: Sequence[Route]) -> JsonObject:
        for route in routes:
            for method in _ANY if route.http_method == ANY_METHOD else (route.http_method,):
                if method in _METHODS:
                    self._add(route, method)
        options = self._options
        info: JsonObject = {"title": options.title, "version": options.version}
        if options.description:
            info["description"] = options.description
        components: JsonObject = {"schemas": dict(sorted(self._book.components.items()))}
        written: JsonObject = {"openapi": VERSION, "info": info, "tags": self._tags(routes)}
        if options.security_schemes:
            components["securitySchemes"] = dict(options.security_schemes)
            written["security"] = [{name: []} for name in options.security_schemes]
        return written | {"paths": dict(self._paths), "components": components}

    def _add(self, route: Route, method: str) -> None:
        pieces = openapi_path(route, self._book)
        # Paths that differ in nothing but the names of their parameters are one path to OpenAPI.
        shape = tuple("{}" if piece.parameter else piece.text for piece in pieces)
        named = self._pieces.setdefault(shape, pieces)
        path = "/" + "/".join(piece.text for piece in named)
        path += f":{route.template.verb}" if route.template.verb else ""
        operations = self._paths.setdefault(path, {})
        if method.lower() in operations:
            return
        operation = self._operation(route, self._renamed(pieces, named))
        amend = self._options.amend
        operations[method.lower()] = operation if amend is None else amend(route, operation)

    @staticmethod
    def _renamed(pieces: list[PathPiece], named: list[PathPiece]) -> list[JsonObject]:
        return [
            {**piece.parameter, "name": other.parameter["name"]}
            for piece, other in zip(pieces, named, strict=True)
            if piece.parameter is not None and other.parameter is not None
        ]

    def _operation(self, route: Route, path_parameters: list[JsonObject]) -> JsonObject:
        operation: JsonObject = {
            "tags": [route.rpc.service.rpartition(".")[2]],
            "operationId": self._operation_id(route),
        }
        if comment := self._comments.of(route.rpc.full_name):
            operation["summary"] = first_sentence(comment)
            operation["description"] = comment
        if route.rpc.deprecated:
            operation["deprecated"] = True
        parameters: list[JsonValue] = [*path_parameters, *query_parameters(route, self._book)]
        if parameters:
            operation["parameters"] = parameters
        if route.body:
            operation["requestBody"] = self._request_body(route)
        operation["responses"] = self._responses(route)
        return operation

    def _operation_id(self, route: Route) -> str:
        wanted = base = f"{route.rpc.service.rpartition('.')[2]}_{route.rpc.name}"
        number = 1
        while wanted in self._ids:
            number += 1
            wanted = f"{base}{number}"
        self._ids.add(wanted)
        return wanted

    def _request_body(self, route: Route) -> JsonObject:
        target = route.rpc.input if route.body == WHOLE_BODY else _single_message(route.body_field)
        if target is not None and target.full_name == HTTP_BODY:
            return {"content": {"*/*": {"schema": {}}}}
        schema = self._body_schema(route)
        if route.rpc.client_streaming:
            schema = {"type": "array", "items": schema}
        return {"content": {JSON_TYPE: {"schema": schema}}}

    def _body_schema(self, route: Route) -> JsonObject:
        if route.body_field is not None:
            return self._book.described(route.body_field)
        # What the path says need not be said again, and may not be said otherwise.
        in_path = frozenset(
            variable.field_path[0] for variable in route.template.variables if len(variable.field_path) == 1
        )
        if not in_path:
            return self._book.message(route.rpc.input)
        return self._book.members(route.rpc.input, without=in_path)

    def _responses(self, route: Route) -> JsonObject:
        error = self._options.error_schema or self._book.status()
        return {
            "200": {"description": "OK", "content": self._answer_content(route, error)},
            "default": {
                "description": "The request was refused, or failed.",
                "content": {JSON_TYPE: {"schema": error}},
            },
        }

    def _answer_content(self, route: Route, error: JsonObject) -> JsonObject:
        response_field = route.response_field
        target = route.rpc.output if response_field is None else _single_message(response_field)
        if target is not None and target.full_name == HTTP_BODY:
            return {"*/*": {"schema": {}}}
        if response_field is None:
            schema = self._book.message(route.rpc.output)
        else:
            schema = self._book.described(response_field)
            if response_field.has_presence and "anyOf" not in schema:
                # There is no message around it that could leave it out.
                schema = {"anyOf": [schema, {"type": "null"}]}
        if not route.rpc.server_streaming:
            return {JSON_TYPE: {"schema": schema}}
        line: JsonObject = {
            "type": "object",
            "description": "One line of the stream; `error` is the last one, if there is one.",
            "properties": {"result": schema, "error": error},
        }
        return {JSON_TYPE: {"schema": line}, EVENT_STREAM: {"schema": schema}}

    def _tags(self, routes: Iterable[Route]) -> list[JsonValue]:
        return [self._tag(service) for service in dict.fromkeys(route.rpc.service for route in routes)]

    def _tag(self, service: str) -> JsonObject:
        tag: JsonObject = {"name": service.rpartition(".")[2]}
        if comment := self._comments.of(service):
            tag["description"] = comment
        return tag


def _single_message(member: FieldDescriptor | None) -> Descriptor | None:
    return None if member is None or member.is_repeated else member.message_type
