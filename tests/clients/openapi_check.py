"""Run by test_sandbox_clients where alpaca-mcp-server is installed: holds answers against Alpaca's own OpenAPI documents.

Prints {"checked": [...], "undescribed": [...], "differences": [[method, path, place, what], ...]}.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import httpx  # type: ignore[import-not-found,unused-ignore] # in the client's own environment
from jsonschema import Draft202012Validator  # type: ignore[import-untyped,import-not-found,unused-ignore] # in the client's own environment

Json = dict[str, Any]

SPECS: list[Json] = [json.loads(files("alpaca_mcp_server").joinpath("specs", name).read_text()) for name in ("trading-api.json", "market-data-api.json")]  # fmt: skip
OPTION, HIGHER = "AAPL301220C00200000", "AAPL301220C00210000"
KEYS = {
    "APCA-API-KEY-ID": os.environ["APCA_API_KEY_ID"],
    "APCA-API-SECRET-KEY": os.environ["APCA_API_SECRET_KEY"],
}
BUY = {"symbol": "AAPL", "side": "buy", "qty": "5", "type": "market", "time_in_force": "day"}
REST = {**BUY, "type": "limit", "limit_price": "100", "qty": "1"}
SPREAD = {
    "order_class": "mleg", "qty": "1", "type": "limit", "limit_price": "20", "time_in_force": "day",
    "legs": [
        {"symbol": OPTION, "side": "buy", "ratio_qty": "1", "position_intent": "buy_to_open"},
        {"symbol": HIGHER, "side": "sell", "ratio_qty": "1", "position_intent": "sell_to_open"},
    ],
}  # fmt: skip
BRACKET = {
    **REST,
    "order_class": "bracket",
    "take_profit": {"limit_price": "150"},
    "stop_loss": {"stop_price": "90"},
}
LATER = "expiration_date_gte=2030-01-01"
PERIOD = "start=2026-11-16&end=2026-11-20"
CALLS: list[tuple[str, str, Json | None]] = [
    ("GET", "/v2/account", None), ("GET", "/v2/account/configurations", None),
    ("PATCH", "/v2/account/configurations", {"no_shorting": False}),
    ("POST", "/v2/orders", BUY), ("POST", "/v2/orders", {**BUY, "symbol": OPTION, "qty": "1"}),
    ("POST", "/v2/orders", BRACKET), ("POST", "/v2/orders", SPREAD), ("POST", "/v2/orders", {**BUY, "qty": None, "notional": "100"}),
    ("GET", "/v2/orders?status=all&nested=true", None), ("GET", "/v2/orders?status=all", None),
    ("GET", "/v2/orders/{order}", None), ("PATCH", "/v2/orders/{bracket}", {"limit_price": "101"}),
    ("GET", "/v2/orders:by_client_order_id?client_order_id={name}", None),
    ("DELETE", "/v2/orders", None), ("DELETE", "/v2/orders/00000000-0000-0000-0000-000000000000", None),
    ("GET", "/v2/positions", None), ("GET", "/v2/positions/AAPL", None), ("GET", "/v2/positions/NONE", None),
    ("DELETE", "/v2/positions/AAPL?qty=1", None), ("DELETE", "/v2/positions", None),
    ("GET", "/v2/account/activities", None), ("GET", "/v2/account/activities/FILL", None),
    ("GET", "/v2/account/portfolio/history?period=1W&timeframe=1D", None),
    ("GET", "/v2/assets", None), ("GET", "/v2/assets/AAPL", None),
    ("GET", f"/v2/options/contracts?underlying_symbols=AAPL&{LATER}", None), ("GET", f"/v2/options/contracts/{OPTION}", None),
    ("GET", "/v2/corporate_actions/announcements?ca_types=Dividend&since=2026-11-01&until=2026-11-24", None),
    ("GET", "/v2/clock", None), ("GET", "/v2/calendar?start=2026-11-23&end=2026-11-30", None),
    ("POST", "/v2/watchlists", {"name": "spec", "symbols": ["AAPL"]}), ("GET", "/v2/watchlists", None),
    ("GET", f"/v2/stocks/bars?symbols=AAPL&timeframe=1Day&{PERIOD}", None), ("GET", f"/v2/stocks/AAPL/bars?timeframe=1Day&{PERIOD}", None),
    ("GET", "/v2/stocks/bars/latest?symbols=AAPL", None), ("GET", "/v2/stocks/AAPL/bars/latest", None),
    ("GET", f"/v2/stocks/quotes?symbols=AAPL&limit=3&{PERIOD}", None), ("GET", f"/v2/stocks/AAPL/quotes?limit=3&{PERIOD}", None),
    ("GET", f"/v2/stocks/trades?symbols=AAPL&limit=3&{PERIOD}", None), ("GET", f"/v2/stocks/AAPL/trades?limit=3&{PERIOD}", None),
    ("GET", "/v2/stocks/quotes/latest?symbols=AAPL", None), ("GET", "/v2/stocks/AAPL/quotes/latest", None),
    ("GET", "/v2/stocks/trades/latest?symbols=AAPL", None), ("GET", "/v2/stocks/AAPL/trades/latest", None),
    ("GET", "/v2/stocks/snapshots?symbols=AAPL", None), ("GET", "/v2/stocks/AAPL/snapshot", None),
    ("GET", f"/v1beta1/options/bars?symbols={OPTION}&timeframe=1Day&{PERIOD}", None),
    ("GET", f"/v1beta1/options/trades?symbols={OPTION}&limit=3&{PERIOD}", None),
    ("GET", f"/v1beta1/options/quotes/latest?symbols={OPTION}", None), ("GET", f"/v1beta1/options/trades/latest?symbols={OPTION}", None),
    ("GET", f"/v1beta1/options/snapshots?symbols={OPTION}", None), ("GET", "/v1beta1/options/snapshots/AAPL", None),
    ("GET", "/v1beta1/options/meta/exchanges", None),
]  # fmt: skip


def described(method: str, path: str) -> tuple[Json, str, Json] | None:
    """The document, template and responses of a path, or None."""
    literal_first = sorted((t for s in SPECS for t in s["paths"]), key=lambda t: t.count("{"))
    for template in literal_first:
        if re.fullmatch(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template)), path):
            for spec in SPECS:
                operation = spec["paths"].get(template, {}).get(method.lower())
                if operation:
                    return spec, template, operation["responses"]
    return None


def schema_of(spec: Json, responses: Json, status: int) -> Json | None:
    """The schema that an answer of a status must meet, None when the document asks for none."""
    response = responses.get(str(status), {})
    while "$ref" in response:
        name = response["$ref"].rsplit("/", 1)[1]
        response = spec["components"]["responses"][name]
    schema: Json | None = response.get("content", {}).get("application/json", {}).get("schema")
    return schema


def place_of(error: Any) -> str:
    """Where a difference is, list positions and symbols left out."""
    parts = [
        "*" if isinstance(p, int) or p in ("AAPL", OPTION, HIGHER) else str(p) for p in error.absolute_path
    ]
    return "/".join(parts)


def problems(spec: Json, schema: Json, body: object) -> Iterator[tuple[str, str]]:
    """Every difference of a body from a schema."""
    whole = {**schema, "components": spec["components"]}
    for error in Draft202012Validator(whole).iter_errors(body):
        leaves = error.context if error.context and len({e.validator for e in error.context}) > 0 else [error]
        leaf = leaves[0] if leaves else error
        yield place_of(error), f"{leaf.validator}: {leaf.message}"[:160]


def main() -> None:
    """Make every call and hold what comes back against the documents."""
    checked: list[str] = []
    undescribed: list[str] = []
    differences: set[tuple[str, str, str, str]] = set()
    names: dict[str, str] = {}
    with httpx.Client(base_url=os.environ["SANDBOX_URL"], headers=KEYS) as http:
        for method, form, body in CALLS:
            path = form.format(**names)
            answer = http.request(method, path, json=body)
            value: Any = answer.json() if answer.content else None
            if body == BUY:
                names |= {"order": value["id"], "name": value["client_order_id"]}
            if body == BRACKET:
                names["bracket"] = value["id"]
            found = described(method, path.partition("?")[0])
            if found is None:
                undescribed.append(f"{method} {path.partition('?')[0]}")
                continue
            spec, template, responses = found
            if str(answer.status_code) not in responses:
                differences.add((method, template, "", f"status {answer.status_code} is not described"))
                continue
            schema = schema_of(spec, responses, answer.status_code)
            if schema is not None and value is not None:
                checked.append(f"{method} {template} {answer.status_code}")
                for place, what in problems(spec, schema, value):
                    differences.add((method, template, place, what))
    json.dump(
        {"checked": checked, "undescribed": undescribed, "differences": sorted(differences)}, sys.stdout
    )


main()
