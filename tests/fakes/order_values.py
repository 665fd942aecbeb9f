"""Orders, attempts and broker readings for the tests of order_svc."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from broker.reports import AssetClass, BrokerOrder, OrderSide, OrderStatus, OrderType, TimeInForce
from order_svc.content import OrderContent
from order_svc.identifiers import AccountId, AttemptId, ClientOrderId, OrderKey
from order_svc.lifecycle import OrderState
from order_svc.records import AttemptRecord, OrderRecord
from order_svc.timing_line import AttemptKind

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
KEY = OrderKey(AccountId("paper"), ClientOrderId("k"))


def content(**changes: Any) -> OrderContent:
    values: dict[str, Any] = {
        "symbol": "AAPL",
        "asset_class": AssetClass.US_EQUITY,
        "side": OrderSide.BUY,
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "qty": Decimal(10),
        **changes,
    }
    return OrderContent(**values)


def record(**changes: Any) -> OrderRecord:
    values: dict[str, Any] = {
        "key": KEY,
        "content": content(),
        "state": OrderState.NEW,
        "account_number": "PA1",
        "account_type": "paper",
        "received_at": NOON,
        **changes,
    }
    return OrderRecord(**values)


def attempt(number: int = 1, **changes: Any) -> AttemptRecord:
    values: dict[str, Any] = {
        "attempt_id": AttemptId(f"att-{number}"),
        "kind": AttemptKind.PLACE,
        "key": KEY,
        "order_id": None,
        "side": OrderSide.BUY,
        "symbol": "AAPL",
        "qty": Decimal(10),
        "notional": None,
        "account_number": "PA1",
        "account_type": "paper",
        "request_id": "req",
        "received_at": NOON + timedelta(milliseconds=number),
        **changes,
    }
    return AttemptRecord(**values)


def report(**changes: Any) -> BrokerOrder:
    values: dict[str, Any] = {
        "order_id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
        "client_order_id": "k",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "side": OrderSide.BUY,
        "order_type": "market",
        "time_in_force": "day",
        "order_class": "",
        "status": OrderStatus.NEW,
        "qty": Decimal(10),
        "notional": None,
        "filled_qty": Decimal(0),
        "filled_avg_price": None,
        "limit_price": None,
        "stop_price": None,
        "trail_price": None,
        "trail_percent": None,
        "extended_hours": False,
        "position_intent": None,
        "created_at": NOON,
        "updated_at": NOON,
        "submitted_at": NOON,
        "filled_at": None,
        "canceled_at": None,
        "expired_at": None,
        "expires_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        **changes,
    }
    return BrokerOrder(status_text=values["status"].value, **values)
