"""How the legacy routes differ from /v1 over HTTP: their JSON, their errors, what they read and how they answer."""

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from gateway.legacy.bodies import OptionOrderBody, OrdersQuery, SellControlBody, StockOrderBody
from gateway.legacy.numbers import exact_text
from gateway.legacy.problem import METHOD_NOT_ALLOWED, NOT_FOUND, legacy_problem
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
_TEXT_PARAMETERS: Final = ("account_id", "routing_key", "status")
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
}


def _read_query(_request: Request, match: Match, pairs: list[tuple[str, str]]) -> JsonObject:
    """The parameters that the method has; of one given twice the last counts, others are ignored."""
    given = dict(pairs)
    known = match.route.rpc.input.fields_by_name
    bound: JsonObject = {name: given[name] for name in _TEXT_PARAMETERS if name in known and name in given}
    if "limit" in known and "limit" in given:
        limit = parse_query(OrdersQuery, given).limit
        bound["limit"] = max(-_MAX_INT32, min(limit, _MAX_INT32))
    return bound


def _answer_as(route: Route, _message: Message, value: JsonValue) -> tuple[int, JsonValue]:
    """Orders stand at the top of the body, single or bulk; one whose outcome is not known yet is a 202."""
    status = ACCEPTED if current_visit().is_unsettled else 200
    if route.rpc.output.oneofs_by_name.get("outcome") is not None and isinstance(value, dict):
        return status, next(iter(value.values()))
    return status, value


def _present(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _only_own_methods(header: tuple[str, str]) -> tuple[str, str]:
    name, value = header
    if name != "allow":
        return header
    own = [method for method in value.split(", ") if method not in _IMPLIED_METHODS]
    return name, ", ".join(own)
