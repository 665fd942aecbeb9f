"""The OpenAPI document of the legacy surface, with its own errors, bodies and shapes."""

from collections.abc import Iterable
from typing import Final

from gateway.auth.access import PathClass, path_class
from gateway.bearer_scheme import SECURITY_SCHEMES
from gateway.legacy.document_schemas import as_list, as_object, as_shown, without_null
from gateway.legacy.health import SERVICE_NAME
from gateway.legacy.profile import legacy_profile
from gateway.legacy.root import VERSION
from gateway.order_operation import with_order_key, with_unsettled_answer
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonObject, JsonValue
from gateway.transcoding.openapi import DocumentOptions, document
from gateway.transcoding.proto_comments import Comments

PATH: Final = "/openapi-legacy.json"
_DESCRIPTION: Final = (
    "The REST surface of the former service, for the callers that it has; new ones use /v1, which "
    "/openapi.json describes. Callers on an internal network need no token."
)
_ERROR: Final[JsonObject] = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "description": "Of the bars and options routes.",
                    "required": ["error", "error_code"],
                    "properties": {"error": {}, "error_code": {"type": "string"}},
                },
                {
                    "type": "array",
                    "description": "One entry a fault of the request; with 422.",
                    "items": {
                        "type": "object",
                        "required": ["type", "loc", "msg"],
                        "properties": {
                            "type": {"type": "string"},
                            "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                            "msg": {"type": "string"},
                            "input": {},
                            "ctx": {"type": "object"},
                        },
                    },
                },
            ]
        },
        "limit": {"type": "integer", "description": "Requests a minute; with 429."},
        "remaining": {"type": "integer", "description": "With 429."},
        "reset_time": {"type": "integer", "description": "Epoch seconds; with 429."},
    },
}
_ORDERS: Final = frozenset({"PlaceStockOrder", "PlaceOptionOrder"})
_ASK_FOR_TOKEN: Final = frozenset({"VerifyToken"})
"""Behind public paths, but about the caller's token."""


def legacy_document(routes: Iterable[Route], comments: Comments) -> JsonObject:
    """What is under /api/v1, ready to be printed as JSON."""
    options = DocumentOptions(
        title=f"{SERVICE_NAME} (legacy routes)",
        version=VERSION,
        description=_DESCRIPTION,
        json=legacy_profile().json,
        error_schema=_ERROR,
        security_schemes=SECURITY_SCHEMES,
        amend=_amend,
    )
    written = document(routes, comments, options)
    components = as_object(written["components"])
    return {**written, "components": {**components, "schemas": as_shown(as_object(components["schemas"]))}}


def _amend(route: Route, operation: JsonObject) -> JsonObject:
    amended = {**operation, "responses": _never_null_content(as_object(operation["responses"]))}
    if "parameters" in operation:
        amended["parameters"] = _never_null_parameters(operation["parameters"])
    if "requestBody" in operation:
        body = _never_null_body(as_object(operation["requestBody"]))
        amended["requestBody"] = {"required": True, **body}
    if _is_public(route):
        amended["security"] = []
    if route.rpc.name in _ORDERS:
        return with_unsettled_answer(with_order_key(amended))
    return amended


def _is_public(route: Route) -> bool:
    is_open = path_class(route.http_method, route.template.text) is PathClass.PUBLIC
    return is_open and route.rpc.name not in _ASK_FOR_TOKEN


def _never_null_content(responses: JsonObject) -> JsonObject:
    return {status: _never_null_body(as_object(answer)) for status, answer in responses.items()}


def _never_null_body(holder: JsonObject) -> JsonObject:
    """A request or answer, whose body is never null: what the message could leave out is always there."""
    content = as_object(holder["content"])
    never_null: JsonObject = {
        kind: {**as_object(media), "schema": without_null(as_object(as_object(media)["schema"]))}
        for kind, media in content.items()
    }
    return {**holder, "content": never_null}


def _never_null_parameters(parameters: JsonValue) -> JsonValue:
    return [
        {**parameter, "schema": without_null(as_object(parameter["schema"]))}
        for parameter in map(as_object, as_list(parameters))
    ]
