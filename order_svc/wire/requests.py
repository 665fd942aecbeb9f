"""Requests read into values; every field that is wrong is named in one MalformedRequest."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from broker.order_ids import check_order_id
from broker.reports import OrderType, TimeInForce
from opitios.order.v1 import order_pb2, order_service_pb2
from order_svc import fields
from order_svc.attempt_log import Sketch
from order_svc.bulk import BulkWish
from order_svc.cancel import CancelWish
from order_svc.fields import Violations
from order_svc.halts import HaltMode
from order_svc.identifiers import ClientOrderId, OrderId
from order_svc.listing import AttemptQuery, ListQuery, Scope
from order_svc.names import OrderName
from order_svc.order_rules import RawOrder, check_order
from order_svc.place import PlaceOrder
from order_svc.switch import HaltWish
from order_svc.timing_line import AttemptKind
from order_svc.wire import enums
from runtime.errors import MalformedRequest

MAX_REASON_CHARACTERS: Final = 200
MAX_NAME_CHARACTERS: Final = 100
MAX_ACCOUNT_CHARACTERS: Final = 128
DEFAULT_LIMIT: Final = 100
MAX_ORDERS: Final = 500
MAX_ATTEMPTS: Final = 1000
MAX_SYMBOLS: Final = 100
MAX_BULK_ACCOUNTS: Final = 1000

Named = order_service_pb2.GetOrderRequest | order_service_pb2.CancelOrderRequest
Placeable = order_service_pb2.PlaceOrderRequest | order_service_pb2.PreviewOrderRequest
T = TypeVar("T")
K = TypeVar("K")


def place_order(request: Placeable) -> PlaceOrder:
    """The wish of a PlaceOrder or PreviewOrder request; raises MalformedRequest."""
    violations = Violations()
    account = _account(request.account_id, violations)
    if request.client_order_id:
        fields.client_order_id(request.client_order_id, violations)
    content = check_order(_raw_order(request, violations), violations)
    violations.raise_if_any()
    if content is None:
        raise MalformedRequest([], "the order cannot be read")
    return PlaceOrder(
        account=account, client_order_id=ClientOrderId(request.client_order_id) or None, content=content
    )


def bulk_wish(request: order_service_pb2.BulkPlaceOrderRequest) -> BulkWish:
    """The wish of a BulkPlaceOrder request; raises MalformedRequest."""
    violations = Violations()
    if len(request.account_ids) > MAX_BULK_ACCOUNTS:
        violations.add("account_ids", f"has {len(request.account_ids)} entries: at most {MAX_BULK_ACCOUNTS}")
    for number, text in enumerate(request.account_ids[:MAX_BULK_ACCOUNTS]):
        _account(text, violations, path=f"account_ids[{number}]")
    if request.client_order_id:
        fields.client_order_id(request.client_order_id, violations)
    content = check_order(_raw_order(request, violations), violations)
    violations.raise_if_any()
    if content is None:
        raise MalformedRequest([], "the order cannot be read")
    return BulkWish(
        accounts=tuple(request.account_ids),
        client_order_id=ClientOrderId(request.client_order_id) or None,
        content=content,
    )


def sketch_of_bulk(request: order_service_pb2.BulkPlaceOrderRequest) -> Sketch:
    """What the request says, right or wrong, for the one line of its refusal before any account is tried."""
    return Sketch(
        kind=AttemptKind.PLACE,
        account_id=_short(",".join(request.account_ids)) or "-",
        client_order_id=_short(request.client_order_id),
        side=enums.SIDES.get(request.side),
        symbol=request.symbol[: fields.MAX_SYMBOL_SHOWN].upper(),
        qty=request.qty,
        notional=request.notional,
    )


def _raw_order(
    request: Placeable | order_service_pb2.BulkPlaceOrderRequest, violations: Violations
) -> RawOrder:
    return RawOrder(
        symbol=request.symbol,
        side=_optional(enums.SIDES, request.side, order_pb2.SIDE_UNSPECIFIED, "side", violations),
        order_type=_optional(
            enums.TYPES, request.order_type, order_pb2.ORDER_TYPE_UNSPECIFIED, "order_type", violations
        )
        or OrderType.MARKET,
        time_in_force=_optional(
            enums.TIMES_IN_FORCE,
            request.time_in_force,
            order_pb2.TIME_IN_FORCE_UNSPECIFIED,
            "time_in_force",
            violations,
        )
        or TimeInForce.DAY,
        qty=request.qty,
        notional=request.notional,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        position_intent=_optional(
            enums.INTENTS,
            request.position_intent,
            order_pb2.POSITION_INTENT_UNSPECIFIED,
            "position_intent",
            violations,
        ),
        extended_hours=request.extended_hours,
        auto_sell_enabled=request.auto_sell_enabled,
    )


def sketch_of_place(request: order_service_pb2.PlaceOrderRequest) -> Sketch:
    """What the request says, right or wrong, for the line of its refusal."""
    return Sketch(
        kind=AttemptKind.PLACE,
        account_id=_short(request.account_id),
        client_order_id=_short(request.client_order_id),
        side=enums.SIDES.get(request.side),
        symbol=request.symbol[: fields.MAX_SYMBOL_SHOWN].upper(),
        qty=request.qty,
        notional=request.notional,
    )


def sketch_of_cancel(request: order_service_pb2.CancelOrderRequest) -> Sketch:
    """What the request says, right or wrong, for the line of its refusal; it names no symbol."""
    return Sketch(
        kind=AttemptKind.CANCEL,
        account_id=_short(request.account_id),
        client_order_id=_short(request.client_order_id),
        order_id=_short(request.order_id),
    )


def order_name(request: Named) -> OrderName:
    """The order that a request names by exactly one of its ids; raises MalformedRequest."""
    violations = Violations()
    name = _order_name(request, violations)
    violations.raise_if_any()
    return name


def cancel_wish(request: order_service_pb2.CancelOrderRequest) -> CancelWish:
    """The wish of a CancelOrder request; raises MalformedRequest."""
    violations = Violations()
    name = _order_name(request, violations)
    if len(request.reason) > MAX_REASON_CHARACTERS:
        violations.add("reason", f"has {len(request.reason)} characters: at most {MAX_REASON_CHARACTERS}")
    violations.raise_if_any()
    return CancelWish(name=name, reason=request.reason or "requested")


def list_query(request: order_service_pb2.ListOrdersRequest) -> ListQuery:
    """The query of a ListOrders request; raises MalformedRequest."""
    violations = Violations()
    account = _account(request.account_id, violations)
    scope = enums.SCOPES.get(request.scope)
    if scope is None:
        violations.add("scope", f"is {request.scope}: none of the known scopes")
    limit = _limit(request.limit, MAX_ORDERS, violations)
    symbols = _symbols(request.symbols, violations)
    violations.raise_if_any()
    return ListQuery(account=account, scope=scope or Scope.OPEN, limit=limit, symbols=symbols)


def attempt_query(request: order_service_pb2.ListAttemptsRequest) -> AttemptQuery:
    """The query of a ListAttempts request; raises MalformedRequest."""
    violations = Violations()
    account = _account(request.account_id, violations)
    limit = _limit(request.limit, MAX_ATTEMPTS, violations)
    before = _moment(request.before, "before", violations) if request.HasField("before") else None
    violations.raise_if_any()
    return AttemptQuery(account=account, limit=limit, before=before)


def lots_account(request: order_service_pb2.ListTrackedLotsRequest) -> str:
    """The account of a ListTrackedLots request; raises MalformedRequest."""
    violations = Violations()
    account = _account(request.account_id, violations)
    violations.raise_if_any()
    return account


def halt_wish(
    request: order_service_pb2.HaltTradingRequest | order_service_pb2.ResumeTradingRequest,
) -> HaltWish:
    """Whose trading a request stops or lets go on; raises MalformedRequest."""
    violations = Violations()
    account = _account(request.account_id, violations) if request.account_id else ""
    _required(request.requested_by, "requested_by", MAX_NAME_CHARACTERS, violations)
    _required(request.reason, "reason", MAX_REASON_CHARACTERS, violations)
    violations.raise_if_any()
    return HaltWish(account=account, requested_by=request.requested_by, reason=request.reason)


def halt_mode(request: order_service_pb2.HaltTradingRequest) -> HaltMode:
    """What a halt lets through; raises MalformedRequest."""
    violations = Violations()
    mode = enums.HALT_MODES.get(request.mode)
    if mode is None:
        violations.add("mode", "must be HALT_MODE_HALTED or HALT_MODE_REDUCE_ONLY")
        raise MalformedRequest(violations.found)
    return mode


def _required(text: str, path: str, maximum: int, violations: Violations) -> None:
    if not text.strip():
        violations.add(path, "is missing: everyone whose order is refused reads it")
    elif len(text) > maximum or not text.isprintable():
        violations.add(path, f"has {len(text)} characters: must be 1 to {maximum} printable ones")


def _order_name(request: Named, violations: Violations) -> OrderName:
    account = _account(request.account_id, violations)
    order_id: OrderId | None = None
    if request.order_id and request.client_order_id:
        violations.add("client_order_id", "is given together with order_id: give exactly one of them")
    elif request.client_order_id:
        fields.client_order_id(request.client_order_id, violations)
    elif request.order_id:
        order_id = _order_id(request.order_id, violations)
    else:
        violations.add("order_id", "is missing: give exactly one of order_id and client_order_id")
    return OrderName(
        account=account, order_id=order_id, client_order_id=ClientOrderId(request.client_order_id) or None
    )


def _order_id(text: str, violations: Violations) -> OrderId | None:
    try:
        return OrderId(check_order_id(text))
    except MalformedRequest as e:
        violations.found.extend(e.violations)
        return None


def _account(text: str, violations: Violations, *, path: str = "account_id") -> str:
    if not text:
        violations.add(path, "is missing: give the account's id or name")
    elif len(text) > MAX_ACCOUNT_CHARACTERS:
        violations.add(path, f"has {len(text)} characters: at most {MAX_ACCOUNT_CHARACTERS}")
    return text


def _symbols(texts: Sequence[str], violations: Violations) -> tuple[str, ...]:
    if len(texts) > MAX_SYMBOLS:
        violations.add("symbols", f"has {len(texts)} entries: at most {MAX_SYMBOLS}")
        return ()
    found = (fields.symbol(text, violations, path=f"symbols[{i}]") for i, text in enumerate(texts))
    return tuple(one[0] for one in found if one is not None)


def _limit(value: int, maximum: int, violations: Violations) -> int:
    if not 0 <= value <= maximum:
        violations.add("limit", f"is {value}: must be 0 to {maximum}")
    return value or DEFAULT_LIMIT


def _moment(stamp: Timestamp, path: str, violations: Violations) -> datetime | None:
    try:
        return stamp.ToDatetime(UTC)
    except (ValueError, OverflowError):
        violations.add(path, "is not a moment between the years 1 and 9999")
        return None


def _optional(table: Mapping[K, T], value: K, unspecified: K, path: str, violations: Violations) -> T | None:
    if value == unspecified:
        return None
    known = table.get(value)
    if known is None:
        violations.add(path, f"is {value}: none of the known values")
    return known


def _short(text: str) -> str:
    return text[:MAX_ACCOUNT_CHARACTERS]
