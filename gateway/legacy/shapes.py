"""What of the legacy JSON a message cannot say: fields that are absent instead of null, lists of two shapes; pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.transcoding.json_value import JsonObject, JsonValue

Shape = Callable[[JsonObject], JsonValue]


def shaped(method: str, value: JsonValue) -> JsonValue:
    """The JSON of an answer as its route shows it; `method` is the RPC's name."""
    shape = _SHAPES.get(method)
    return shape(value) if shape is not None and isinstance(value, dict) else value


def chosen(value: JsonObject) -> JsonValue:
    """The one outcome that is set, in place of the object that holds it."""
    return next(iter(value.values()))


def _quotes(value: JsonObject) -> JsonValue:
    entries = value["quotes"]
    if not isinstance(entries, list):
        raise TypeError("quotes is not a list")
    quotes: list[JsonValue] = [chosen(entry) if isinstance(entry, dict) else entry for entry in entries]
    return {**value, "quotes": quotes}


def _option_quotes(value: JsonObject) -> JsonValue:
    return _quotes({**value, "failed_symbols": value["failed_symbols"] or None})


def _chain(value: JsonObject) -> JsonValue:
    options = value["options"]
    if not isinstance(options, list):
        raise TypeError("options is not a list")
    known: list[JsonValue] = [_without_null(one) if isinstance(one, dict) else one for one in options]
    return {**value, "options": known}


def _without_null(value: JsonObject) -> JsonValue:
    return {name: one for name, one in value.items() if one is not None}


def _health(value: JsonObject) -> JsonValue:
    """Without what does not apply; an error keeps only what it says."""
    if value.get("status") == "error":
        return {name: value[name] for name in ("status", "error", "message") if name in value}
    return _without_absent(value)


def _without_absent(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_without_absent(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        "data" if name in _DATA else name: one if name in _DATA else _without_absent(one)
        for name, one in value.items()
        if not (name in _LEFT_OUT and one in (None, []))
    }


def _dashboard(value: JsonObject) -> JsonValue:
    return {**value, "recent_orders": value["recent_orders"] or None}


_DATA: Final = frozenset(
    {"account_info_data", "positions_data", "order_history_data", "permission_data", "market_data_data"}
)
"""The kinds of data that a check can have, all of which are shown as `data`."""
_LEFT_OUT: Final = frozenset(
    {
        "results",
        "result",
        "cached_results",
        "error",
        "message",
        "warnings",
        "status",
        "checks",
        "overall_status",
        "permissions",
        "overall_trading_enabled",
        "initialization",
    }
)
_SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "PlaceStockOrder": chosen,
        "PlaceOptionOrder": chosen,
        "GetStockQuotes": _quotes,
        "GetOptionQuotes": _option_quotes,
        "QueryOptionChain": _chain,
        "GetOptionChain": _chain,
        "CheckHealth": _health,
        "CheckAccountHealth": _health,
        "GetTradingPermissions": _health,
        "GetLastCheck": _health,
        "GetDashboard": _dashboard,
    }
)
