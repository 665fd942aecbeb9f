"""The OpenAPI document of /v1."""

from collections.abc import Iterable
from typing import Final

from gateway.bearer_scheme import SECURITY_SCHEMES
from gateway.legacy.health import SERVICE_NAME
from gateway.order_operation import with_order_key, with_unsettled_answer
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_value import JsonObject
from gateway.transcoding.openapi import DocumentOptions, document
from gateway.transcoding.proto_comments import Comments
from gateway.v1 import is_order_placing, v1_profile

PATH: Final = "/openapi.json"
VERSION: Final = "1"
_DESCRIPTION: Final = (
    "Trades on Alpaca for many accounts. Callers on an internal network need no token. "
    "`?pretty` on any route indents its answer. "
    "The routes under /api/v1 are described by /openapi-legacy.json."
)


def v1_document(routes: Iterable[Route], comments: Comments) -> JsonObject:
    """What is under /v1, ready to be printed as JSON."""
    options = DocumentOptions(
        title=SERVICE_NAME,
        version=VERSION,
        description=_DESCRIPTION,
        json=v1_profile().json,
        security_schemes=SECURITY_SCHEMES,
        amend=_amend,
    )
    return document(routes, comments, options)


def _amend(route: Route, operation: JsonObject) -> JsonObject:
    if not is_order_placing(route):
        return operation
    return with_unsettled_answer(with_order_key(operation))
