"""What schemathesis draws for the gateway: its formats, and an account that exists, so that services are asked."""

import importlib
from typing import Any

schemathesis = importlib.import_module("schemathesis")  # of a package that need not be installed
importlib.import_module("schemathesis_formats")

ACCOUNT = "paper"
_NAMES = frozenset({"accountId", "account_id", "account_name"})


def map_query(context: Any, query: Any) -> Any:
    if query is None or not any(
        each["name"] == "account_id" for each in context.operation.definition.raw.get("parameters", [])
    ):
        return query
    return {**query, "account_id": ACCOUNT}


def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    if path_parameters is None:
        return None
    return {name: ACCOUNT if name in _NAMES else value for name, value in path_parameters.items()}


schemathesis.hook(map_query)
schemathesis.hook(map_path_parameters)
