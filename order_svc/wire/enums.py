"""The enums of the protos beside ours; a value that is in no table is refused or shown as unspecified."""

from typing import Final

from broker.reports import OrderSide, OrderType, PositionIntent, TimeInForce
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from order_svc.cancel_verdict import Outcome
from order_svc.halts import HaltMode
from order_svc.lifecycle import OrderState
from order_svc.listing import Scope
from order_svc.preview import PreviewVerdict
from order_svc.timing_line import AttemptKind

SIDES: Final = {order_pb2.SIDE_BUY: OrderSide.BUY, order_pb2.SIDE_SELL: OrderSide.SELL}
TYPES: Final = {
    order_pb2.ORDER_TYPE_MARKET: OrderType.MARKET,
    order_pb2.ORDER_TYPE_LIMIT: OrderType.LIMIT,
    order_pb2.ORDER_TYPE_STOP: OrderType.STOP,
    order_pb2.ORDER_TYPE_STOP_LIMIT: OrderType.STOP_LIMIT,
}
TIMES_IN_FORCE: Final = {
    order_pb2.TIME_IN_FORCE_DAY: TimeInForce.DAY,
    order_pb2.TIME_IN_FORCE_GTC: TimeInForce.GTC,
    order_pb2.TIME_IN_FORCE_OPG: TimeInForce.OPG,
    order_pb2.TIME_IN_FORCE_CLS: TimeInForce.CLS,
    order_pb2.TIME_IN_FORCE_IOC: TimeInForce.IOC,
    order_pb2.TIME_IN_FORCE_FOK: TimeInForce.FOK,
}
INTENTS: Final = {
    order_pb2.POSITION_INTENT_BUY_TO_OPEN: PositionIntent.BUY_TO_OPEN,
    order_pb2.POSITION_INTENT_BUY_TO_CLOSE: PositionIntent.BUY_TO_CLOSE,
    order_pb2.POSITION_INTENT_SELL_TO_OPEN: PositionIntent.SELL_TO_OPEN,
    order_pb2.POSITION_INTENT_SELL_TO_CLOSE: PositionIntent.SELL_TO_CLOSE,
}
STATES: Final = {
    OrderState.NEW: order_pb2.ORDER_STATE_NEW,
    OrderState.HELD: order_pb2.ORDER_STATE_HELD,
    OrderState.SENDING: order_pb2.ORDER_STATE_SENDING,
    OrderState.DENIED: order_pb2.ORDER_STATE_DENIED,
    OrderState.REJECTED: order_pb2.ORDER_STATE_REJECTED,
    OrderState.UNKNOWN: order_pb2.ORDER_STATE_UNKNOWN,
    OrderState.NOT_PLACED: order_pb2.ORDER_STATE_NOT_PLACED,
    OrderState.WORKING: order_pb2.ORDER_STATE_WORKING,
    OrderState.PARTIALLY_FILLED: order_pb2.ORDER_STATE_PARTIALLY_FILLED,
    OrderState.FILLED: order_pb2.ORDER_STATE_FILLED,
    OrderState.CANCELED: order_pb2.ORDER_STATE_CANCELED,
    OrderState.EXPIRED: order_pb2.ORDER_STATE_EXPIRED,
    OrderState.REPLACED: order_pb2.ORDER_STATE_REPLACED,
}
ACCOUNT_TYPES: Final = {
    "paper": account_pb2.ACCOUNT_TYPE_PAPER,
    "live": account_pb2.ACCOUNT_TYPE_LIVE,
}
SCOPES: Final = {
    order_service_pb2.ORDER_SCOPE_UNSPECIFIED: Scope.OPEN,
    order_service_pb2.ORDER_SCOPE_OPEN: Scope.OPEN,
    order_service_pb2.ORDER_SCOPE_CLOSED: Scope.CLOSED,
    order_service_pb2.ORDER_SCOPE_ALL: Scope.ALL,
}
CANCEL_OUTCOMES: Final = {
    Outcome.REQUESTED: order_service_pb2.CANCEL_OUTCOME_REQUESTED,
    Outcome.CANCELED: order_service_pb2.CANCEL_OUTCOME_CANCELED,
    Outcome.ALREADY_FINAL: order_service_pb2.CANCEL_OUTCOME_ALREADY_FINAL,
    Outcome.UNKNOWN: order_service_pb2.CANCEL_OUTCOME_UNKNOWN,
}
ATTEMPT_KINDS: Final = {
    AttemptKind.PLACE: order_service_pb2.ATTEMPT_KIND_PLACE,
    AttemptKind.CANCEL: order_service_pb2.ATTEMPT_KIND_CANCEL,
}
PREVIEW_VERDICTS: Final = {
    PreviewVerdict.WOULD_SEND: order_service_pb2.PREVIEW_VERDICT_WOULD_SEND,
    PreviewVerdict.WOULD_REFUSE: order_service_pb2.PREVIEW_VERDICT_WOULD_REFUSE,
    PreviewVerdict.KNOWN_ALREADY: order_service_pb2.PREVIEW_VERDICT_KNOWN_ALREADY,
    PreviewVerdict.UNDECIDED: order_service_pb2.PREVIEW_VERDICT_UNDECIDED,
}
HALT_MODES: Final = {
    order_service_pb2.HALT_MODE_HALTED: HaltMode.HALTED,
    order_service_pb2.HALT_MODE_REDUCE_ONLY: HaltMode.REDUCE_ONLY,
}
HALT_MODES_OUT: Final = {ours: theirs for theirs, ours in HALT_MODES.items()}
SIDES_OUT: Final = {ours: theirs for theirs, ours in SIDES.items()}
TYPES_OUT: Final = {ours: theirs for theirs, ours in TYPES.items()}
TIMES_IN_FORCE_OUT: Final = {ours: theirs for theirs, ours in TIMES_IN_FORCE.items()}
INTENTS_OUT: Final = {ours: theirs for theirs, ours in INTENTS.items()}
TYPE_WORDS: Final = {ours.value: theirs for theirs, ours in TYPES.items()}
"""By the broker's word."""
TIME_IN_FORCE_WORDS: Final = {ours.value: theirs for theirs, ours in TIMES_IN_FORCE.items()}
"""By the broker's word."""
