"""Messages and values: what the other services send into our values, ours into what callers read."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError

from broker.option_symbol import UnknownOptionSymbol, is_option_symbol, parse
from config.selling import PolicyOverrideSettings
from opitios.account.v1 import account_pb2, market_data_pb2, market_data_service_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.sell.v1 import sell_service_pb2
from runtime.errors import FieldViolation, MalformedRequest, Unavailable
from sell_svc.decisions import Decision, Verdict
from sell_svc.observation import (
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    OpenOrder,
    OpenOrders,
    OptionPosition,
    OrderId,
    Quote,
)
from sell_svc.policies import PolicyBook, Scope
from sell_svc.policy import Policy
from sell_svc.ports import CancelReport, ExitPhase, ExitReport
from sell_svc.report import AccountReport, MonitorReport

DEFAULT_DECISIONS: Final = 100
MAX_DECISIONS: Final = 1_000

_VERDICTS: Final = {
    Verdict.HOLD: sell_service_pb2.VERDICT_HOLD,
    Verdict.SELL: sell_service_pb2.VERDICT_SELL,
    Verdict.CANCEL: sell_service_pb2.VERDICT_CANCEL,
    Verdict.UNDECIDED: sell_service_pb2.VERDICT_UNDECIDED,
}
_OPTION: Final = "us_option"
_PENDING_CANCEL: Final = "pending_cancel"
_STOCK_SYMBOL_CHARACTERS: Final = 10
_UNDERLYING: Final = re.compile(r"[A-Z][A-Z.]{0,9}")

_ENDED: Final = frozenset(
    {
        order_pb2.ORDER_STATE_DENIED,
        order_pb2.ORDER_STATE_REJECTED,
        order_pb2.ORDER_STATE_NOT_PLACED,
        order_pb2.ORDER_STATE_FILLED,
        order_pb2.ORDER_STATE_CANCELED,
        order_pb2.ORDER_STATE_EXPIRED,
        order_pb2.ORDER_STATE_REPLACED,
    }
)
_REFUSED: Final = frozenset(
    {order_pb2.ORDER_STATE_DENIED, order_pb2.ORDER_STATE_REJECTED, order_pb2.ORDER_STATE_NOT_PLACED}
)


class Unreadable(Unavailable):
    """Another service sent something that makes no sense; treated as not known."""

    reason = "UNREADABLE_ANSWER"


def moment(stamp: Timestamp) -> datetime | None:
    """The time, `None` where the message has none; an unset Timestamp reads as 1970."""
    return stamp.ToDatetime(UTC) if stamp.ByteSize() else None


def holdings(answer: account_pb2.AccountPositions) -> Holdings:
    """The option positions; one that cannot be read is named, never dropped. Stocks are left out."""
    positions: list[OptionPosition] = []
    unreadable = [symbol for symbol in answer.unreadable if not _is_stock(symbol)]
    for one in answer.positions:
        if one.asset_class != _OPTION and not is_option_symbol(one.symbol):
            continue
        try:
            positions.append(_position(one))
        except (UnknownOptionSymbol, Unreadable):
            unreadable.append(one.symbol)
    return Holdings(positions=tuple(positions), unreadable=tuple(unreadable))


def market(answer: market_data_service_pb2.GetMarketClockResponse) -> Market:
    """The broker's clock. Raises Unreadable without its time or its close."""
    now, next_close = moment(answer.now), moment(answer.next_close)
    if now is None or next_close is None:
        raise Unreadable("the market clock has no time or no close")
    return Market(now=now, is_open=answer.is_open, next_close=next_close)


def quote(answer: market_data_pb2.Quote) -> Quote:
    """One quote; a price that cannot be read is absent."""
    return Quote(
        bid=_price(answer.bid_price),
        ask=_price(answer.ask_price),
        quoted_at=moment(answer.quoted_at),
        last=_price(answer.last_price),
        last_at=moment(answer.last_at),
    )


def open_orders(answer: order_service_pb2.ListOrdersResponse) -> OpenOrders:
    """Every open order."""
    return OpenOrders(
        orders=tuple(_open_order(one) for one in answer.orders), unreadable=tuple(answer.unreadable)
    )


def lots(answer: order_service_pb2.ListTrackedLotsResponse) -> tuple[Lot, ...]:
    """Every lot. Raises Unreadable when one has no quantity: permission would be guessed."""
    return tuple(
        Lot(
            symbol=_canonical(one.symbol),
            remaining_qty=_number(one.remaining_qty, "remaining_qty"),
            auto_sell_enabled=one.auto_sell_enabled,
            filled_at=moment(one.filled_at),
        )
        for one in answer.lots
    )


def exit_report(order: order_pb2.Order) -> ExitReport:
    """How far an exit has come; a state that is not known counts as open. Raises Unreadable."""
    filled_qty = _number(order.filled_qty, "filled_qty") if order.filled_qty else Decimal(0)
    ends = [at for at in (moment(order.filled_at), moment(order.canceled_at)) if at is not None]
    return ExitReport(
        client_order_id=ClientOrderId(order.client_order_id),
        order_id=OrderId(order.order_id) if order.order_id else None,
        phase=ExitPhase.ENDED if order.state in _ENDED else ExitPhase.OPEN,
        state=_state_name(order.state),
        filled_qty=filled_qty,
        ended_at=max(ends, default=None),
        reason=order.reason,
        accepted=bool(order.order_id),
        is_refusal=order.state in _REFUSED and not order.order_id,
    )


def cancel_report(answer: order_service_pb2.CancelOrderResponse) -> CancelReport:
    """What a request to cancel came to."""
    match answer.outcome:
        case order_service_pb2.CANCEL_OUTCOME_REQUESTED:
            return CancelReport(outcome="requested", taken=True)
        case order_service_pb2.CANCEL_OUTCOME_CANCELED:
            return CancelReport(outcome="canceled", taken=True)
        case order_service_pb2.CANCEL_OUTCOME_ALREADY_FINAL:
            state = _state_name(answer.order.state).lower()
            return CancelReport(outcome=f"already final: {state}", taken=False)
        case _:
            return CancelReport(outcome="unknown: the answer was lost", taken=False)


def decision_limit(request: sell_service_pb2.ListDecisionsRequest) -> int:
    """How many decisions are asked for. Raises MalformedRequest."""
    if not 0 <= request.limit <= MAX_DECISIONS:
        problem = f"must be 0 to {MAX_DECISIONS}, got {request.limit}"
        raise MalformedRequest([FieldViolation(field="limit", description=problem)])
    return request.limit or DEFAULT_DECISIONS


def decision_message(decision: Decision) -> sell_service_pb2.Decision:
    """One decision as callers read it."""
    return sell_service_pb2.Decision(
        account_id=decision.account_id,
        symbol=decision.symbol,
        verdict=_VERDICTS[decision.verdict],
        rule=decision.rule.value,
        reason=decision.reason,
        decided_at=_stamp(decision.decided_at),
        qty="" if decision.qty is None else f"{decision.qty:f}",
        client_order_id=decision.client_order_id or "",
        order_id=decision.order_id or "",
        outcome=decision.outcome,
    )


def status_message(
    report: MonitorReport, book: PolicyBook, *, desired_running: bool
) -> sell_service_pb2.MonitorStatus:
    """The monitor's state as callers read it."""
    settings = book.settings
    return sell_service_pb2.MonitorStatus(
        desired_running=desired_running,
        running=report.running,
        enabled=settings.enabled,
        started_at=_stamp(report.started_at),
        last_tick_at=_stamp(report.last_tick_at),
        last_tick_ms=report.last_tick_ms,
        ticks=report.ticks,
        sold=report.tally.sold,
        cancelled=report.tally.cancelled,
        failed=report.tally.failed,
        exits_blocked=report.tally.exits_blocked,
        accounts=[_account_message(one, book) for one in report.accounts],
        check_interval_seconds=_plain(settings.check_interval),
        order_cancel_minutes=_plain(settings.order_cancel_minutes),
        strategy_enabled=settings.strategy_one.enabled,
        profit_rate=f"{settings.strategy_one.profit_rate:f}",
        stop_loss_rate=f"{settings.strategy_one.stop_loss_rate:f}",
        zero_day_handling=settings.zero_day_handling,
        last_activity_at=_stamp(report.tally.last_activity_at),
        auto_sell=settings.auto_sell.value,
        cancel_scope=settings.cancel_scope.value,
        accounts_known=report.accounts_known,
    )


def policy_messages(policy: Policy) -> list[sell_service_pb2.Policy]:
    """The rules of one account, first those for every underlying."""
    return [
        _policy_message("", policy),
        *(_policy_message(name, one) for name, one in policy.by_underlying.items()),
    ]


def policy_scope(request: sell_service_pb2.SetPolicyRequest) -> Scope:
    """Whom a change is for. Raises MalformedRequest."""
    symbol = request.underlying_symbol.upper()
    if symbol and not _UNDERLYING.fullmatch(symbol):
        problem = f"must be a symbol such as AAPL or SPX, got {request.underlying_symbol!r}"
        raise MalformedRequest([FieldViolation(field="underlying_symbol", description=problem)])
    return Scope(account_id=AccountId(request.account_id), underlying=symbol)


def policy_override(request: sell_service_pb2.SetPolicyRequest) -> PolicyOverrideSettings:
    """What is to differ. Raises MalformedRequest with every wrong field."""
    fields = {field.name: value for field, value in request.override.ListFields()}
    try:
        return PolicyOverrideSettings.model_validate(fields)
    except ValidationError as error:
        raise MalformedRequest(
            [
                FieldViolation(
                    field=f"override.{one['loc'][0]}", description=f"{one['msg']}, got {one['input']}"
                )
                for one in error.errors(include_url=False)
            ]
        ) from error


def _policy_message(name: str, policy: Policy) -> sell_service_pb2.Policy:
    strategy = policy.strategy
    return sell_service_pb2.Policy(
        underlying_symbol=name,
        auto_sell=policy.auto_sell.value,
        profit_rate="" if strategy is None else f"{strategy.profit_rate:f}",
        stop_loss_rate="" if strategy is None else f"{strategy.stop_loss_rate:f}",
        max_hold_minutes=_minutes(policy.max_hold),
        zero_day_handling=policy.zero_day,
        zero_day_minutes_before_close=_minutes(policy.zero_day_before_close),
        close_window_minutes=_minutes(policy.close_window),
        order_cancel_minutes=_minutes(policy.cancel_after),
    )


def _minutes(length: timedelta | None) -> str:
    return "" if length is None else _plain(length.total_seconds() / 60)


def _account_message(report: AccountReport, book: PolicyBook) -> sell_service_pb2.AccountMonitorStatus:
    return sell_service_pb2.AccountMonitorStatus(
        account_id=report.account_id,
        last_tick_at=_stamp(report.last_tick_at),
        last_tick_ms=report.last_tick_ms,
        positions=report.positions,
        open_orders=report.open_orders,
        error=report.error,
        exits_blocked=report.exits_blocked,
        policies=policy_messages(book.of(report.account_id)),
    )


def _stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _plain(number: float) -> str:
    # 5 rather than 5.0, and never an exponent.
    return f"{Decimal(str(number)).normalize():f}"


def _position(message: account_pb2.Position) -> OptionPosition:
    qty = abs(_number(message.qty, "qty"))
    # Public code reports shorts both signed and unsigned, so the side decides as well.
    is_short = message.side == "short" or message.qty.startswith("-")
    return OptionPosition(
        contract=parse(message.symbol),
        qty=-qty if is_short else qty,
        qty_available=_number(message.qty_available, "qty_available"),
        avg_entry_price=_number(message.avg_entry_price, "avg_entry_price"),
    )


def _open_order(message: order_pb2.Order) -> OpenOrder:
    symbol = _canonical(message.symbol)
    return OpenOrder(
        client_order_id=ClientOrderId(message.client_order_id),
        order_id=OrderId(message.order_id) if message.order_id else None,
        symbol=symbol,
        # Only a multi-leg order, which is one of options, has no symbol of its own.
        is_option=not symbol or message.asset_class == _OPTION or is_option_symbol(symbol),
        is_sell=message.side == order_pb2.SIDE_SELL,
        placed_here=message.HasField("received_at"),
        cancel_pending=message.broker_status == _PENDING_CANCEL,
        submitted_at=moment(message.submitted_at),
    )


def _canonical(symbol: str) -> str:
    try:
        return str(parse(symbol))
    except UnknownOptionSymbol:
        return symbol


def _is_stock(symbol: str) -> bool:
    return 0 < len(symbol) <= _STOCK_SYMBOL_CHARACTERS


def _state_name(state: order_pb2.OrderState.ValueType) -> str:
    try:
        return order_pb2.OrderState.Name(state).removeprefix("ORDER_STATE_")
    except ValueError:
        # A state that a newer order_svc knows.
        return f"STATE_{state}"


def _number(text: str, field: str) -> Decimal:
    found = _decimal(text)
    if found is None:
        raise Unreadable(f"{field} is {text!r}, which is no number")
    return found


def _price(text: str) -> Decimal | None:
    return _decimal(text) if text else None


def _decimal(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
