"""Schemas of the legacy messages as callers see them, where that is not what the messages say; pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from gateway.legacy import bodies
from gateway.transcoding.json_value import JsonObject, JsonValue

_PACKAGE: Final = "opitios.legacy.v1"
_BODIES: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        "StockOrder": bodies.StockOrderBody,
        "OptionOrder": bodies.OptionOrderBody,
        "SellControl": bodies.SellControlBody,
        "StockQuotesWanted": bodies.StockQuotesBody,
        "OptionChainWanted": bodies.OptionChainBody,
        "OptionQuoteWanted": bodies.OptionQuoteBody,
        "OptionQuotesWanted": bodies.OptionQuotesBody,
    }
)
"""What is really validated, by the message that it fills."""
_CHOICES: Final = (
    "PlaceStockOrderResponse",
    "PlaceOptionOrderResponse",
    "StockQuoteEntry",
    "OptionQuoteEntry",
)
"""Messages shown as the one field of theirs that is set."""
_NULL_FOR_NONE: Final = (
    ("GetOptionQuotesResponse", "failed_symbols"),
    ("GetDashboardResponse", "recent_orders"),
)
"""Lists that are null where they would be empty."""
_HEALTH_CHECK: Final = "HealthCheck"
_DATA_SUFFIX: Final = "_data"
_NULL: Final[JsonObject] = {"type": "null"}


def as_shown(schemas: JsonObject) -> JsonObject:
    """The schemas by full name, with those of the legacy messages as they are read and printed."""
    shown = dict(schemas)

    def change(name: str, schema: JsonObject) -> None:
        shown[f"{_PACKAGE}.{name}"] = schema

    def of(name: str) -> JsonObject:
        return as_object(shown[f"{_PACKAGE}.{name}"])

    for name, model in _BODIES.items():
        change(name, _read_by(model, of(name)))
    for name in _CHOICES:
        change(name, _chosen(of(name)))
    for name, field in _NULL_FOR_NONE:
        change(name, _with_nullable(of(name), field))
    change(_HEALTH_CHECK, _health_check(of(_HEALTH_CHECK)))
    return shown


def without_null(schema: JsonObject) -> JsonObject:
    """The schema of a value that is never null; the same where it was not nullable."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or _NULL not in choices:
        return schema
    rest: JsonObject = {name: value for name, value in schema.items() if name != "anyOf"}
    left = [choice for choice in choices if choice != _NULL]
    return rest | (as_object(left[0]) if len(left) == 1 else {"anyOf": left})


def as_object(value: JsonValue) -> JsonObject:
    """The value; raises TypeError where it is no object."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def as_list(value: JsonValue) -> list[JsonValue]:
    """The value; raises TypeError where it is no list."""
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {type(value).__name__}")
    return value


def _read_by(model: type[BaseModel], message: JsonObject) -> JsonObject:
    """What the model accepts, in the words of the message's comments."""
    accepted: JsonObject = model.model_json_schema()
    definitions = as_object(accepted.get("$defs", {}))
    comments = as_object(message["properties"])
    properties: JsonObject = {
        name: _plain(schema, definitions) | _description(comments.get(name))
        for name, schema in as_object(accepted["properties"]).items()
    }
    return _description(message) | {
        "type": "object",
        "required": accepted["required"],
        "properties": properties,
    }


def _plain(schema: JsonValue, definitions: JsonObject) -> JsonObject:
    """A field's schema without references, made-up titles and the model's own docstrings."""
    known = as_object(schema)
    reference = known.get("$ref")
    if isinstance(reference, str):
        definition = as_object(definitions[reference.rpartition("/")[2]])
        known = {**definition, **{name: value for name, value in known.items() if name != "$ref"}}
    plain: JsonObject = {name: value for name, value in known.items() if name not in ("title", "description")}
    if "anyOf" in plain:
        plain["anyOf"] = [_plain(choice, definitions) for choice in as_list(plain["anyOf"])]
    return plain


def _description(commented: JsonValue) -> JsonObject:
    if not isinstance(commented, dict) or "description" not in commented:
        return {}
    return {"description": commented["description"]}


def _chosen(message: JsonObject) -> JsonObject:
    choices = [without_null(as_object(schema)) for schema in as_object(message["properties"]).values()]
    return _description(message) | {"anyOf": [*choices]}


def _with_nullable(message: JsonObject, field: str) -> JsonObject:
    properties = as_object(message["properties"])
    schema = as_object(properties[field])
    nullable: JsonObject = {"anyOf": [schema, _NULL], **_description(schema)}
    return {**message, "properties": {**properties, field: nullable}}


def _health_check(message: JsonObject) -> JsonObject:
    properties = as_object(message["properties"])
    kinds = [
        without_null(as_object(schema)) for name, schema in properties.items() if name.endswith(_DATA_SUFFIX)
    ]
    others = {name: schema for name, schema in properties.items() if not name.endswith(_DATA_SUFFIX)}
    # The rule that at most one of the kinds is set says nothing once they share a name.
    rest: JsonObject = {name: value for name, value in message.items() if name != "allOf"}
    return {**rest, "properties": {**others, "data": {"anyOf": [*kinds]}}}
