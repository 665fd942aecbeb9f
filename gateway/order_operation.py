"""What OpenAPI must be told of placing an order, which its messages do not say; pure."""

from typing import Final

from gateway.transcoding.json_value import JsonObject

_KEY: Final[JsonObject] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The order's key: the same one again places no second order.",
    "schema": {"type": "string"},
}
_UNSETTLED: Final = "The order is kept, and its outcome is not known yet; ask again for its state."


def with_order_key(operation: JsonObject) -> JsonObject:
    """The operation, which takes the order's key in a header too."""
    parameters = operation.get("parameters", [])
    if not isinstance(parameters, list):
        raise TypeError("parameters is not a list")
    return {**operation, "parameters": [*parameters, _KEY]}


def with_unsettled_answer(operation: JsonObject) -> JsonObject:
    """The operation, which answers 202 in the form of its 200 while nobody knows what became of the order."""
    responses = operation["responses"]
    good = responses["200"] if isinstance(responses, dict) else None
    if not isinstance(responses, dict) or not isinstance(good, dict):
        raise TypeError("the operation has no answer 200")
    return {**operation, "responses": {**responses, "202": {**good, "description": _UNSETTLED}}}
