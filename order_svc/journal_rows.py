"""Between the journal's rows and its values; pure."""

import json
from types import MappingProxyType
from typing import Any

from sqlalchemy import RowMapping

from broker.reports import AssetClass, OrderSide, OrderType, PositionIntent, TimeInForce
from order_svc.content import OrderContent, fingerprint
from order_svc.identifiers import AccountId, AttemptId, ClientOrderId, OrderId, OrderKey
from order_svc.lifecycle import OrderState
from order_svc.records import AttemptRecord, OrderRecord, Refusal, Transition
from order_svc.timing_line import AttemptKind

# SQLAlchemy types a row's values as Any; each goes straight into a field that has a type.
Row = RowMapping | dict[str, Any]


def order_row(record: OrderRecord) -> dict[str, object]:
    """Every column of an order."""
    return {
        "account_id": record.key.account_id,
        "client_order_id": record.key.client_order_id,
        "fingerprint": fingerprint(record.content),
        **_content_columns(record.content),
        **changing_columns(record),
    }


def changing_columns(record: OrderRecord) -> dict[str, object]:
    """The columns of an order that change while it lives."""
    refusal = record.refusal or Refusal(reason="", text="")
    return {
        "account_number": record.account_number,
        "account_type": record.account_type,
        "state": record.state.value,
        "reason": refusal.reason,
        "reason_text": refusal.text,
        "reason_metadata": json.dumps(dict(refusal.metadata)),
        "broker_answer": refusal.broker_answer,
        "order_id": record.order_id,
        "broker_status": record.broker_status,
        "filled_qty": record.filled_qty,
        "filled_avg_price": record.filled_avg_price,
        "received_at": record.received_at,
        "submitted_at": record.submitted_at,
        "filled_at": record.filled_at,
        "canceled_at": record.canceled_at,
        "duration_ms": record.duration_ms,
        "broker_ms": record.broker_ms,
    }


def _content_columns(content: OrderContent) -> dict[str, object]:
    return {
        "symbol": content.symbol,
        "asset_class": content.asset_class.value,
        "side": content.side.value,
        "order_type": content.order_type.value,
        "time_in_force": content.time_in_force.value,
        "qty": content.qty,
        "notional": content.notional,
        "limit_price": content.limit_price,
        "stop_price": content.stop_price,
        "position_intent": None if content.position_intent is None else content.position_intent.value,
        "extended_hours": content.extended_hours,
        "auto_sell_enabled": content.auto_sell_enabled,
    }


def read_order(row: Row) -> OrderRecord:
    """The order a row holds."""
    return OrderRecord(
        key=OrderKey(AccountId(row["account_id"]), ClientOrderId(row["client_order_id"])),
        content=_read_content(row),
        state=OrderState(row["state"]),
        account_number=row["account_number"],
        account_type=row["account_type"],
        received_at=row["received_at"],
        refusal=_read_refusal(row),
        order_id=None if row["order_id"] is None else OrderId(row["order_id"]),
        broker_status=row["broker_status"],
        filled_qty=row["filled_qty"],
        filled_avg_price=row["filled_avg_price"],
        submitted_at=row["submitted_at"],
        filled_at=row["filled_at"],
        canceled_at=row["canceled_at"],
        duration_ms=row["duration_ms"],
        broker_ms=row["broker_ms"],
    )


def _read_content(row: Row) -> OrderContent:
    return OrderContent(
        symbol=row["symbol"],
        asset_class=AssetClass(row["asset_class"]),
        side=OrderSide(row["side"]),
        order_type=OrderType(row["order_type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        qty=row["qty"],
        notional=row["notional"],
        limit_price=row["limit_price"],
        stop_price=row["stop_price"],
        position_intent=None if row["position_intent"] is None else PositionIntent(row["position_intent"]),
        extended_hours=row["extended_hours"],
        auto_sell_enabled=row["auto_sell_enabled"],
    )


def _read_refusal(row: Row) -> Refusal | None:
    if not row["reason"]:
        return None
    return Refusal(
        reason=row["reason"],
        text=row["reason_text"],
        metadata=MappingProxyType(json.loads(row["reason_metadata"])),
        broker_answer=row["broker_answer"],
    )


def attempt_row(attempt: AttemptRecord) -> dict[str, object]:
    """Every column of an attempt but `logged`."""
    return {
        "attempt_id": attempt.attempt_id,
        "kind": attempt.kind.value,
        "account_id": attempt.key.account_id,
        "client_order_id": attempt.key.client_order_id,
        "order_id": attempt.order_id,
        "side": None if attempt.side is None else attempt.side.value,
        "symbol": attempt.symbol,
        "qty": attempt.qty,
        "notional": attempt.notional,
        "account_number": attempt.account_number,
        "account_type": attempt.account_type,
        "request_id": attempt.request_id,
        "received_at": attempt.received_at,
        "authorized_at": attempt.authorized_at,
        "sent_at": attempt.sent_at,
        "answered_at": attempt.answered_at,
        "completed_at": attempt.completed_at,
        "duration_ms": attempt.duration_ms,
        "broker_ms": attempt.broker_ms,
        "error": attempt.error,
        "detail": attempt.detail,
        "recovered": attempt.recovered,
        "reason": attempt.reason,
    }


def read_attempt(row: Row) -> AttemptRecord:
    """The attempt a row holds."""
    return AttemptRecord(
        attempt_id=AttemptId(row["attempt_id"]),
        kind=AttemptKind(row["kind"]),
        key=OrderKey(AccountId(row["account_id"]), ClientOrderId(row["client_order_id"])),
        order_id=None if row["order_id"] is None else OrderId(row["order_id"]),
        side=None if row["side"] is None else OrderSide(row["side"]),
        symbol=row["symbol"],
        qty=row["qty"],
        notional=row["notional"],
        account_number=row["account_number"],
        account_type=row["account_type"],
        request_id=row["request_id"],
        received_at=row["received_at"],
        authorized_at=row["authorized_at"],
        sent_at=row["sent_at"],
        answered_at=row["answered_at"],
        completed_at=row["completed_at"],
        duration_ms=row["duration_ms"],
        broker_ms=row["broker_ms"],
        error=row["error"],
        detail=row["detail"],
        recovered=row["recovered"],
        reason=row["reason"],
    )


def read_transition(row: Row) -> Transition:
    """The transition a row holds."""
    return Transition(state=OrderState(row["state"]), at=row["at"], evidence=row["evidence"])
