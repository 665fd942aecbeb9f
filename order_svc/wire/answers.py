"""Values written into answers; a refused order becomes its error."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from broker.reports import BrokerOrder, PositionIntent
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from order_svc.bulk import BulkResult
from order_svc.cancel import Cancellation
from order_svc.halts import Halt
from order_svc.permission import Check
from order_svc.preview import Preview
from order_svc.records import AttemptRecord, OrderRecord, Transition
from order_svc.refusals import error_of
from order_svc.switch import Halted
from order_svc.timing_line import plain
from order_svc.tracking import Lot
from order_svc.view import OrderList, OrderView
from order_svc.wire import enums
from runtime.errors import ServiceError


def placed(record: OrderRecord) -> order_service_pb2.PlaceOrderResponse:
    """The answer to a placement; raises the order's refusal where it has one."""
    if record.refusal is not None and record.state.is_final:
        raise error_of(record, record.refusal)
    view = OrderView(
        account_id=record.key.account_id,
        account_number=record.account_number,
        account_type=record.account_type,
        record=record,
        report=None,
    )
    return order_service_pb2.PlaceOrderResponse(order=order(view))


def bulk_placed(results: Iterable[BulkResult]) -> order_service_pb2.BulkPlaceOrderResponse:
    """The answer to BulkPlaceOrder: what PlaceOrder would have answered, account by account."""
    written = [_bulk_result(one) for one in results]
    unknown = sum(one.order.state == order_pb2.ORDER_STATE_UNKNOWN for one in written)
    refused = sum(one.HasField("error") for one in written)
    return order_service_pb2.BulkPlaceOrderResponse(
        results=written, placed=len(written) - refused - unknown, refused=refused, unknown=unknown
    )


def _bulk_result(result: BulkResult) -> order_service_pb2.BulkOrderResult:
    message = order_service_pb2.BulkOrderResult(
        account_id=result.account_id, client_order_id=result.client_order_id
    )
    try:
        if isinstance(result.outcome, ServiceError):
            raise result.outcome
        message.order.CopyFrom(placed(result.outcome).order)
    except ServiceError as error:
        message.error.CopyFrom(
            order_service_pb2.BulkOrderError(
                code=error.code.name, reason=error.reason, message=error.message, metadata=error.metadata
            )
        )
    return message


def got(view: OrderView) -> order_service_pb2.GetOrderResponse:
    """The answer to GetOrder; a refused order is an answer here, not an error."""
    return order_service_pb2.GetOrderResponse(order=order(view))


def listed(found: OrderList) -> order_service_pb2.ListOrdersResponse:
    """The answer to ListOrders."""
    return order_service_pb2.ListOrdersResponse(
        orders=[order(view) for view in found.orders],
        unreadable=found.unreadable,
        read_at=_stamp(found.read_at),
    )


def canceled(cancellation: Cancellation) -> order_service_pb2.CancelOrderResponse:
    """The answer to a cancellation; raises where the broker refused it and the order is open."""
    if cancellation.error is not None:
        raise cancellation.error
    return order_service_pb2.CancelOrderResponse(
        outcome=enums.CANCEL_OUTCOMES[cancellation.outcome],
        order=order(cancellation.order),
        duration_ms=cancellation.duration_ms,
    )


def attempts(found: Iterable[AttemptRecord]) -> order_service_pb2.ListAttemptsResponse:
    """The answer to ListAttempts."""
    return order_service_pb2.ListAttemptsResponse(attempts=[_attempt(one) for one in found])


def lots(found: Iterable[Lot]) -> order_service_pb2.ListTrackedLotsResponse:
    """The answer to ListTrackedLots."""
    return order_service_pb2.ListTrackedLotsResponse(
        lots=[
            order_service_pb2.TrackedLot(
                symbol=lot.symbol,
                client_order_id=lot.client_order_id,
                remaining_qty=plain(lot.remaining_qty),
                auto_sell_enabled=lot.auto_sell_enabled,
                filled_at=_stamp(lot.filled_at),
            )
            for lot in found
        ]
    )


def previewed(preview: Preview) -> order_service_pb2.PreviewOrderResponse:
    """The answer to PreviewOrder; a refusal is an answer here, not an error."""
    standing, refusal = preview.account.standing, preview.refusal
    account_type = "" if standing.account_type is None else standing.account_type.value
    return order_service_pb2.PreviewOrderResponse(
        verdict=enums.PREVIEW_VERDICTS[preview.verdict],
        reason="" if refusal is None else refusal.reason,
        message="" if refusal is None else refusal.text,
        checks=map(_check, preview.checks),
        account_id=preview.account.account_id,
        account_number=standing.account_number or "",
        account_type=enums.ACCOUNT_TYPES.get(account_type, account_pb2.ACCOUNT_TYPE_UNSPECIFIED),
        checked_at=_stamp(preview.checked_at),
    )


def _check(check: Check) -> order_service_pb2.OrderCheck:
    result = order_service_pb2.CHECK_RESULT_PASSED
    if check.refusal is not None:
        result = order_service_pb2.CHECK_RESULT_FAILED
    elif check.undecided:
        result = order_service_pb2.CHECK_RESULT_UNDECIDED
    return order_service_pb2.OrderCheck(
        name=check.name.value,
        result=result,
        reason="" if check.refusal is None else check.refusal.reason,
        message=check.undecided if check.refusal is None else check.refusal.text,
        unit=check.unit.value,
        limit=_decimal(check.limit),
        used=_decimal(check.used),
        left=_decimal(check.left),
        needed=_decimal(check.needed),
    )


def halted(done: Halted) -> order_service_pb2.HaltTradingResponse:
    """The answer to HaltTrading."""
    return order_service_pb2.HaltTradingResponse(halt=_halt(done.halt), leaving=done.leaving)


def resumed(*, was_halted: bool, left: Iterable[Halt]) -> order_service_pb2.ResumeTradingResponse:
    """The answer to ResumeTrading."""
    return order_service_pb2.ResumeTradingResponse(resumed=was_halted, halts=map(_halt, left))


def trading_state(halts: Iterable[Halt]) -> order_service_pb2.GetTradingStateResponse:
    """The answer to GetTradingState."""
    return order_service_pb2.GetTradingStateResponse(halts=map(_halt, halts))


def _halt(halt: Halt) -> order_service_pb2.Halt:
    return order_service_pb2.Halt(
        account_id=halt.account_id or "",
        mode=enums.HALT_MODES_OUT[halt.mode],
        requested_by=halt.requested_by,
        reason=halt.reason,
        halted_at=_stamp(halt.halted_at),
    )


def order(view: OrderView) -> order_pb2.Order:
    """The order of a view: what was asked, then what the broker says, then what we conclude."""
    message = order_pb2.Order(
        account_id=view.account_id,
        account_number=view.account_number,
        account_type=enums.ACCOUNT_TYPES.get(view.account_type, account_pb2.ACCOUNT_TYPE_UNSPECIFIED),
        state=enums.STATES[view.state],
        transitions=[_transition(one) for one in view.transitions],
    )
    if view.record is not None:
        message.MergeFrom(_from_record(view.record))
    if view.report is not None:
        # Times merge field by field and would keep each other's fractions: the reading's alone count.
        for field in ("submitted_at", "filled_at", "canceled_at"):
            message.ClearField(field)
        message.MergeFrom(_from_report(view.report))
    return message


def _from_record(record: OrderRecord) -> order_pb2.Order:
    content, refusal = record.content, record.refusal
    return order_pb2.Order(
        client_order_id=record.key.client_order_id,
        order_id=record.order_id or "",
        symbol=content.symbol,
        asset_class=content.asset_class.value,
        side=enums.SIDES_OUT[content.side],
        order_type=enums.TYPES_OUT.get(content.order_type, order_pb2.ORDER_TYPE_UNSPECIFIED),
        time_in_force=enums.TIMES_IN_FORCE_OUT[content.time_in_force],
        qty=_decimal(content.qty),
        notional=_decimal(content.notional),
        limit_price=_decimal(content.limit_price),
        stop_price=_decimal(content.stop_price),
        position_intent=_intent(content.position_intent),
        extended_hours=content.extended_hours,
        broker_status=record.broker_status,
        filled_qty=plain(record.filled_qty),
        filled_avg_price=_decimal(record.filled_avg_price),
        received_at=_stamp(record.received_at),
        submitted_at=_stamp(record.submitted_at),
        filled_at=_stamp(record.filled_at),
        canceled_at=_stamp(record.canceled_at),
        reason="" if refusal is None else refusal.reason,
        reason_text="" if refusal is None else refusal.text,
        broker_answer="" if refusal is None else refusal.broker_answer,
        duration_ms=record.duration_ms,
        broker_ms=record.broker_ms or 0,
        auto_sell_enabled=content.auto_sell_enabled,
    )


def _from_report(report: BrokerOrder) -> order_pb2.Order:
    """What the broker says; fields it leaves out stay as the record has them."""
    return order_pb2.Order(
        client_order_id=report.client_order_id,
        order_id=report.order_id,
        asset_id=report.asset_id,
        symbol=report.symbol,
        asset_class=report.asset_class,
        side=order_pb2.SIDE_UNSPECIFIED if report.side is None else enums.SIDES_OUT[report.side],
        order_type=enums.TYPE_WORDS.get(report.order_type, order_pb2.ORDER_TYPE_UNSPECIFIED),
        time_in_force=enums.TIME_IN_FORCE_WORDS.get(
            report.time_in_force, order_pb2.TIME_IN_FORCE_UNSPECIFIED
        ),
        qty=_decimal(report.qty),
        notional=_decimal(report.notional),
        limit_price=_decimal(report.limit_price),
        stop_price=_decimal(report.stop_price),
        position_intent=_intent(report.position_intent),
        extended_hours=report.extended_hours,
        broker_status=report.status_text,
        filled_qty=plain(report.filled_qty),
        filled_avg_price=_decimal(report.filled_avg_price),
        submitted_at=_stamp(report.submitted_at),
        filled_at=_stamp(report.filled_at),
        canceled_at=_stamp(report.canceled_at),
    )


def _attempt(attempt: AttemptRecord) -> order_service_pb2.Attempt:
    return order_service_pb2.Attempt(
        attempt_id=attempt.attempt_id,
        kind=enums.ATTEMPT_KINDS[attempt.kind],
        account_id=attempt.key.account_id,
        client_order_id=attempt.key.client_order_id,
        order_id=attempt.order_id or "",
        received_at=_stamp(attempt.received_at),
        authorized_at=_stamp(attempt.authorized_at),
        sent_at=_stamp(attempt.sent_at),
        answered_at=_stamp(attempt.answered_at),
        completed_at=_stamp(attempt.completed_at),
        duration_ms=attempt.duration_ms,
        broker_ms=attempt.broker_ms or 0,
        success=attempt.success,
        error=attempt.error,
    )


def _transition(transition: Transition) -> order_pb2.OrderTransition:
    return order_pb2.OrderTransition(
        state=enums.STATES[transition.state], at=_stamp(transition.at), evidence=transition.evidence
    )


def _intent(intent: PositionIntent | None) -> "order_pb2.PositionIntent.ValueType":
    return order_pb2.POSITION_INTENT_UNSPECIFIED if intent is None else enums.INTENTS_OUT[intent]


def _decimal(value: Decimal | None) -> str:
    return "" if value is None else plain(value)


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
