"""How the legacy routes differ from /v1 over HTTP: their JSON, their errors, what they read and how they answer."""

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from gateway.legacy.bodies import (
    DashboardQuery,
    LimitQuery,
    OptionChainBody,
    OptionOrderBody,
    OptionQuoteBody,
    OptionQuotesBody,
    SellControlBody,
    StockOrderBody,
    StockQuotesBody,
)
from gateway.legacy.numbers import exact_text
from gateway.legacy.problem import METHOD_NOT_ALLOWED, NOT_FOUND, legacy_problem
from gateway.legacy.shapes import shaped
from gateway.legacy.validation import parse_body, parse_query
from gateway.transcoding.failure import Failure
from gateway.transcoding.http_message import HttpResponse, Request
from gateway.transcoding.http_rule import Route
from gateway.transcoding.json_options import JsonOptions, Unset
from gateway.transcoding.json_value import JsonObject, JsonValue, dumps
from gateway.transcoding.profile import Match, Profile
from gateway.visit import current_visit

ACCEPTED: Final = 202
_MAX_INT32: Final = 2**31 - 1
_TEXT_PARAMETERS: Final = (
    "account_id",
    "routing_key",
    "status",
    "timeframe",
    "start_date",
    "end_date",
    "expiration_date",
)
_PLAIN_DETAILS: Final = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}
_IMPLIED_METHODS: Final = frozenset({"HEAD", "OPTIONS"})


def legacy_profile() -> Profile:
    """The profile of opitios.legacy.v1.LegacyApi."""
    return Profile(
        json=JsonOptions(proto_names=True, int64_as_number=True, unset=Unset.NULL),
        error_response=legacy_error,
        read_body=_read_body,
        read_query=_read_query,
        answer_as=_answer_as,
    )


def legacy_error(failure: Failure, _request: Request, route: Route | None) -> HttpResponse:
    """A failure of the transcoder as `{"detail": ...}`; `route` is None where nothing serves the path."""
    unserved = route is None
    detail = _PLAIN_DETAILS.get(failure.http_status, failure.message) if unserved else failure.message
    headers = [("content-type", "application/json"), *map(_only_own_methods, failure.headers)]
    return HttpResponse(status=failure.http_status, headers=tuple(headers), body=dumps({"detail": detail}))


def _read_body(request: Request, match: Match, body: bytes) -> JsonObject:
    return _BODIES[match.route.rpc.name](body, request.header("content-type"))


def _stock_order(body: bytes, content_type: str | None) -> JsonObject:
    order, raw = parse_body(StockOrderBody, body, content_type)
    _take_key(order.client_order_id)
    return _present(
        {
            "symbol": order.symbol,
            "qty": exact_text(raw["qty"], order.qty),
            "side": order.side.value,
            "type": order.type.value,
            "time_in_force": order.time_in_force.value,
            "limit_price": exact_text(raw.get("limit_price"), order.limit_price) or None,
            "stop_price": exact_text(raw.get("stop_price"), order.stop_price) or None,
            "bulk_place": order.bulk_place,
            "strategy_name": order.strategy_name,
        }
    )


def _option_order(body: bytes, content_type: str | None) -> JsonObject:
    order, raw = parse_body(OptionOrderBody, body, content_type)
    _take_key(order.client_order_id)
    return _present(
        {
            "option_symbol": order.option_symbol,
            "qty": order.qty,
            "side": order.side.value,
            "type": order.type.value,
            "time_in_force": order.time_in_force.value,
            "limit_price": exact_text(raw.get("limit_price"), order.limit_price) or None,
            "bulk_place": order.bulk_place,
            "strategy_name": order.strategy_name,
            "auto_sell_enabled": order.auto_sell_enabled,
        }
    )


def _sell_control(body: bytes, content_type: str | None) -> JsonObject:
    control, _ = parse_body(SellControlBody, body, content_type)
    return {"action": control.action}


def _stock_quotes(body: bytes, content_type: str | None) -> JsonObject:
    wanted, _ = parse_body(StockQuotesBody, body, content_type)
    return {"symbols": [*wanted.symbols]}


def _option_chain(body: bytes, content_type: str | None) -> JsonObject:
    wanted, _ = parse_body(OptionChainBody, body, content_type)
    return _present(
        {
            "underlying_symbol": wanted.underlying_symbol,
            "expiration_date": wanted.expiration_date,
            "option_type": None if wanted.option_type is None else wanted.option_type.value,
        }
    )


def _option_quote(body: bytes, content_type: str | None) -> JsonObject:
    wanted, _ = parse_body(OptionQuoteBody, body, content_type)
    return {"option_symbol": wanted.option_symbol}


def _option_quotes(body: bytes, content_type: str | None) -> JsonObject:
    wanted, _ = parse_body(OptionQuotesBody, body, content_type)
    return {"option_symbols": [*wanted.option_symbols]}


def _take_key(given: str | None) -> None:
    """Keeps the order's key where the header's would be: the route's message has no field for it."""
    visit = current_visit()
    if not given:
        return
    if visit.idempotency_key not in {"", given}:
        raise legacy_problem(
            400, "client_order_id: differs from the Idempotency-Key header; send one of them"
        )
    visit.idempotency_key = given


_BODIES: Final[Mapping[str, Callable[[bytes, str | None], JsonObject]]] = {
    "PlaceStockOrder": _stock_order,
    "PlaceOptionOrder": _option_order,
    "ControlSell": _sell_control,
    "GetStockQuotes": _stock_quotes,
    "QueryOptionChain": _option_chain,
    "GetOptionQuote": _option_quote,
    "GetOptionQuotes": _option_quotes,
}


def _read_query(_request: Request, match: Match, pairs: list[tuple[str, str]]) -> JsonObject:
    """The parameters that the method has; of one given twice the last counts, others are ignored."""
    given = dict(pairs)
    known = match.route.rpc.input.fields_by_name
    bound: JsonObject = {name: given[name] for name in _TEXT_PARAMETERS if name in known and name in given}
    if "limit" in known and "limit" in given:
        bound["limit"] = _int32(parse_query(LimitQuery, given).limit)
    if "days" in known:
        typed = parse_query(DashboardQuery, given)
        bound["days"] = _int32(typed.days)
        bound["all_holdings"] = typed.all_holdings
        bound["include_recent_orders"] = typed.include_recent_orders
    return bound


def _int32(value: int) -> int:
    return max(-_MAX_INT32, min(value, _MAX_INT32))


def _answer_as(route: Route, _message: Message, value: JsonValue) -> tuple[int, JsonValue]:
    """The route's own shape; an order whose outcome is not known yet is a 202."""
    return ACCEPTED if current_visit().is_unsettled else 200, shaped(route.rpc.name, value)


def _present(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _only_own_methods(header: tuple[str, str]) -> tuple[str, str]:
    name, value = header
    if name != "allow":
        return header
    own = [method for method in value.split(", ") if method not in _IMPLIED_METHODS]
    return name, ", ".join(own)
