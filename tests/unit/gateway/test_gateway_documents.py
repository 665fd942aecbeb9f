"""The OpenAPI documents of the two surfaces: valid, complete, and true where a route is not what its message says."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.documentation import openapi_documents
from gateway.transcoding.http_rule import routes_of
from opitios.account.v1 import account_service_pb2, market_data_service_pb2
from opitios.legacy.v1 import legacy_api_pb2
from opitios.order.v1 import order_service_pb2
from opitios.sell.v1 import sell_service_pb2

FILES = (account_service_pb2, market_data_service_pb2, order_service_pb2, sell_service_pb2, legacy_api_pb2)
ROUTES = [
    route
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    for route in routes_of(method)
]
V1, LEGACY = (json.loads(json.dumps(each.document)) for each in openapi_documents(ROUTES))
PACKAGE = "#/components/schemas/opitios.legacy.v1."


def legacy_schema(name: str) -> Any:
    return LEGACY["components"]["schemas"][f"opitios.legacy.v1.{name}"]


def operations(document: Any) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item]


@pytest.mark.parametrize("document", [V1, LEGACY], ids=["v1", "legacy"])
def test_an_independent_validator_finds_nothing_wrong(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_the_document_of_its_surface() -> None:
    told = operations(V1) + operations(LEGACY)

    assert len(told) == len(ROUTES)
    assert all(path.startswith("/v1/") for _, path in operations(V1))
    assert ("DELETE", "/api/v1/orders/{order_id}") in told
    assert ("GET", "/health") in told


@pytest.mark.parametrize("document", [V1, LEGACY], ids=["v1", "legacy"])
def test_every_operation_is_described_by_its_comment(document: Any) -> None:
    assert all(operation["summary"] for item in document["paths"].values() for operation in item.values())


def test_v1_names_its_fields_and_errors_as_the_transcoder_prints_them() -> None:
    place = V1["paths"]["/v1/accounts/{accountId}/orders"]["post"]

    assert place["responses"]["default"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/google.rpc.Status"
    }
    assert place["responses"]["202"]["content"] == place["responses"]["200"]["content"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in place["parameters"]]


def test_a_legacy_order_answers_one_order_or_the_outcomes_of_many() -> None:
    place = LEGACY["paths"]["/api/v1/stocks/order"]["post"]
    (schema,) = (media["schema"] for media in place["responses"]["200"]["content"].values())
    outcomes = legacy_schema("PlaceStockOrderResponse")["anyOf"]

    assert schema == {"$ref": f"{PACKAGE}PlaceStockOrderResponse"}
    assert [outcome["$ref"] for outcome in outcomes] == [f"{PACKAGE}OrderView", f"{PACKAGE}BulkResult"]
    assert "202" in place["responses"]


def test_a_legacy_body_is_what_is_really_validated() -> None:
    body = LEGACY["paths"]["/api/v1/options/order"]["post"]["requestBody"]
    order = legacy_schema("OptionOrder")

    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]["$ref"] == f"{PACKAGE}OptionOrder"
    assert order["required"] == ["option_symbol", "qty", "side"]
    assert order["properties"]["side"] == {
        "type": "string",
        "enum": ["buy", "sell"],
        "description": "buy or sell.",
    }
    assert order["properties"]["qty"]["exclusiveMinimum"] == 0
    assert "client_order_id" in order["properties"]


def test_legacy_errors_are_a_detail() -> None:
    for item in LEGACY["paths"].values():
        for operation in item.values():
            error = operation["responses"]["default"]["content"]["application/json"]["schema"]
            assert error["required"] == ["detail"]


def test_lists_of_quotes_hold_quotes_or_errors_themselves() -> None:
    entry = legacy_schema("OptionQuoteEntry")["anyOf"]
    failed = legacy_schema("GetOptionQuotesResponse")["properties"]["failed_symbols"]["anyOf"]

    assert [one["$ref"] for one in entry] == [f"{PACKAGE}OptionQuoteView", f"{PACKAGE}OptionQuoteError"]
    assert {"type": "null"} in failed


def test_a_health_check_shows_its_data_under_one_name() -> None:
    check = legacy_schema("HealthCheck")

    assert sorted(check["properties"]) == ["data", "error", "message", "status", "warnings"]
    assert len(check["properties"]["data"]["anyOf"]) == 5


@pytest.mark.parametrize(
    ("method", "path", "is_open"),
    [
        ("get", "/health", True),
        ("get", "/api/v1/stocks/{symbol}/quote", True),
        ("get", "/api/v1/auth/admin-token", True),
        ("post", "/api/v1/auth/verify-token", False),
        ("get", "/api/v1/account", False),
        ("post", "/api/v1/stocks/order", False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_who_needs_a_token_is_said(method: str, path: str, is_open: bool) -> None:
    assert (LEGACY["paths"][path][method].get("security") == []) is is_open


@pytest.mark.parametrize("document", [V1, LEGACY], ids=["v1", "legacy"])
def test_the_scheme_that_operations_ask_for_is_there(document: Any) -> None:
    asked = {name for choice in document["security"] for name in choice}

    assert asked == set(document["components"]["securitySchemes"])
