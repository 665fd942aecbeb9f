"""account_svc as the guard of this service: its stub turned into the port, its status into our words."""

from decimal import Decimal
from typing import Final

import grpc
from loguru import logger

from opitios.account.v1 import account_pb2, account_service_pb2
from opitios.account.v1.account_service_pb2_grpc import AccountServiceStub
from order_svc.content import OrderContent
from order_svc.identifiers import AccountId, OrderKey
from order_svc.ports import Authorization, Authorized, Balance, BalanceVerdict, NotAuthorized
from order_svc.refusals import AccountNotTradable, BalanceUnknown, InsufficientBalance
from runtime.channel import RetryPolicy, retry_policy
from runtime.clock import Clock
from runtime.status import from_rpc_error

AUTHORIZE_TIMEOUT_SECONDS: Final = 1.5
"""reliability.md, section 6."""

CHECK_TIMEOUT_SECONDS: Final = 2.0
"""As for any read."""
LITERAL: Final = "literal"
"""The mode in which an order's own cost does not count; any other is taken to count it."""

GUARD_RETRIES: Final[tuple[RetryPolicy, ...]] = (
    # Safe: hold_id makes a second call take no second hold.
    retry_policy(
        "opitios.account.v1.AccountService",
        ("AuthorizeOrder", "ReleaseHold", "CheckBalance"),
        codes=(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED),
    ),
)

_TYPES: Final = {
    account_pb2.ACCOUNT_TYPE_PAPER: "paper",
    account_pb2.ACCOUNT_TYPE_LIVE: "live",
}
_VERDICTS: Final = {
    account_pb2.BALANCE_VERDICT_ALLOWED: BalanceVerdict.ALLOWED,
    account_pb2.BALANCE_VERDICT_BELOW: BalanceVerdict.BELOW,
}
_KNOWN_REASONS: Final = frozenset(
    {InsufficientBalance.reason, BalanceUnknown.reason, AccountNotTradable.reason}
)


class AccountServiceGuard:
    """Asks account_svc; whatever is not a clear yes keeps the order in (promise I6)."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._stub = AccountServiceStub(channel)
        self._clock = clock

    async def authorize(self, key: OrderKey, content: OrderContent) -> Authorization:
        """The verdict; an account_svc that does not answer is a balance that is not known."""
        asked = self._clock.monotonic()
        try:
            answer = await self._stub.AuthorizeOrder(
                _question(key, content), timeout=AUTHORIZE_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            return _unanswered(from_rpc_error(error).message)
        return _authorization(answer, asked)

    async def check_balance(self, account_id: AccountId) -> Balance:
        """The account's figures; an account_svc that does not answer is a balance that is not known."""
        request = account_service_pb2.CheckBalanceRequest(account_id=account_id)
        try:
            answer = await self._stub.CheckBalance(request, timeout=CHECK_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Balance(
                verdict=BalanceVerdict.UNKNOWN, text=_unanswered(from_rpc_error(error).message).text
            )
        return _balance(answer)

    async def release(self, key: OrderKey, reason: str) -> None:
        """Tells account_svc; where it does not answer, it finds the truth at the broker by itself."""
        request = account_service_pb2.ReleaseHoldRequest(
            account_id=key.account_id, hold_id=key.client_order_id, reason=reason
        )
        try:
            await self._stub.ReleaseHold(request, timeout=AUTHORIZE_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            logger.warning(
                f"Hold of {key.client_order_id} in {key.account_id} not released, account_svc settles it: "
                f"{error.code().name}"
            )


def _question(key: OrderKey, content: OrderContent) -> account_service_pb2.AuthorizeOrderRequest:
    return account_service_pb2.AuthorizeOrderRequest(
        account_id=key.account_id,
        hold_id=key.client_order_id,
        symbol=content.symbol,
        side=content.side.value,
        order_type=content.order_type.value,
        qty=_text(content.qty),
        notional=_text(content.notional),
        limit_price=_text(content.limit_price),
        stop_price=_text(content.stop_price),
        closes_position=content.closes_position,
    )


def _authorization(answer: account_service_pb2.AuthorizeOrderResponse, asked: float) -> Authorization:
    account_type = _TYPES.get(answer.account_type, "")
    if answer.verdict == account_pb2.BALANCE_VERDICT_ALLOWED:
        return Authorized(
            account_number=answer.account_number,
            account_type=account_type,
            valid_until=asked + answer.valid_for_ms / 1000,
            hold_amount=Decimal(answer.hold_amount) if answer.hold_amount else None,
        )
    figures = {
        "cash": answer.cash,
        "holds": answer.holds_total,
        "minimum_balance": answer.minimum_balance,
    }
    return NotAuthorized(
        reason=answer.reason if answer.reason in _KNOWN_REASONS else BalanceUnknown.reason,
        text=answer.message or "the balance guard did not allow the order",
        metadata={name: value for name, value in figures.items() if value},
        account_number=answer.account_number,
        account_type=account_type,
    )


def _balance(answer: account_service_pb2.CheckBalanceResponse) -> Balance:
    return Balance(
        verdict=_VERDICTS.get(answer.verdict, BalanceVerdict.UNKNOWN),
        text=answer.reason,
        cash=_decimal(answer.cash),
        holds=_decimal(answer.holds_total),
        minimum=_decimal(answer.minimum_balance),
        counts_cost=answer.check_enabled and answer.mode != LITERAL,
        account_number=answer.account_number,
    )


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _unanswered(message: str) -> NotAuthorized:
    return NotAuthorized(
        reason=BalanceUnknown.reason,
        text=f"the balance could not be checked, so nothing was sent: account_svc: {message}",
    )


def _text(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")
