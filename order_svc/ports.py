"""What this service needs of others, in its own words: the broker's accounts, the guard, the log."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Protocol

from alpaca.trading.enums import QueryOrderStatus

from broker.outcomes import CancelOutcome, Submission
from broker.rate_budget import Priority
from broker.reports import BrokerOrder, Listing
from broker.requests import OrderRequest
from broker.standing import Standing
from order_svc.content import OrderContent
from order_svc.identifiers import AccountId, OrderKey


class OrderClient(Protocol):
    """One account's orders at the broker, as far as the protocol of an order needs them; BrokerClient is one."""

    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        """What became of one POST, which starts within `start_within` seconds or never.

        Raises only RateBudgetExhausted, and then nothing was sent.
        """
        ...

    async def lists(self, symbol: str, *, timeout: float, priority: Priority = Priority.READ) -> bool:
        """Whether the broker knows something that can be traded under this symbol."""
        ...

    async def cancel_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.CANCEL
    ) -> CancelOutcome:
        """What became of one request to cancel."""
        ...

    async def find_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> BrokerOrder | None:
        """The order with the broker's id; `None` only where the broker says so."""
        ...

    async def find_order_by_client_order_id(
        self, client_order_id: str, *, timeout: float, priority: Priority = Priority.EXIT
    ) -> BrokerOrder | None:
        """The order with our id; `None` only where the broker says so."""
        ...

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus,
        limit: int,
        symbols: Sequence[str],
        timeout: float,
        priority: Priority = Priority.READ,
    ) -> Listing[BrokerOrder]:
        """One page of orders, newest first."""
        ...

    async def list_open_orders(
        self, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[BrokerOrder]:
        """Every open order."""
        ...


class TradingAccount(Protocol):
    """One account of the pool; AccountHandle is one."""

    @property
    def account_id(self) -> str:
        """The key in the configuration."""
        ...

    @property
    def client(self) -> OrderClient:
        """Its orders at the broker."""
        ...

    @property
    def standing(self) -> Standing:
        """Its number, type, and whether it may trade."""
        ...


class Accounts(Protocol):
    """The accounts of the configuration; AccountPool is one."""

    def resolve(self, text: str) -> TradingAccount:
        """The account with this id or name; raises AccountNotFound."""
        ...


class EveryAccount(Accounts, Protocol):
    """The accounts, also as a whole; AccountPool is one."""

    def all(self) -> Sequence[TradingAccount]:
        """Every enabled account, in the order of the configuration."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """The guard has set cash aside for the order and lets it out until `valid_until`."""

    account_number: str
    account_type: str
    valid_until: float
    """Monotonic seconds, counted from when the question was asked."""
    hold_amount: Decimal | None
    """USD set aside; `None` where the cost is not known and all headroom is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAuthorized:
    """The guard keeps the order in."""

    reason: str
    """INSUFFICIENT_BALANCE, BALANCE_UNKNOWN or ACCOUNT_NOT_TRADABLE."""
    text: str
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The figures: cash, holds, minimum_balance and so on."""
    account_number: str = ""
    account_type: str = ""


Authorization = Authorized | NotAuthorized


class BalanceVerdict(Enum):
    """What the guard says of an account, whatever the order."""

    ALLOWED = "allowed"
    BELOW = "below"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What the guard knows of an account; USD, `None` where it is not known."""

    verdict: BalanceVerdict
    text: str
    """Why, in words."""
    cash: Decimal | None = None
    holds: Decimal | None = None
    minimum: Decimal | None = None
    counts_cost: bool = False
    """Whether the order's own worst cost must be there too."""
    account_number: str = ""


class BalanceGuard(Protocol):
    """The guard where nothing is to be sent; account_svc is one."""

    async def check_balance(self, account_id: AccountId) -> Balance:
        """The account's figures now; takes no hold, and an unreachable guard is a balance that is not known."""
        ...


class Guard(Protocol):
    """The balance guard of FR-002; account_svc is one."""

    async def authorize(self, key: OrderKey, content: OrderContent) -> Authorization:
        """The verdict; takes the hold where it allows. Safe to repeat: one hold for one key."""
        ...

    async def release(self, key: OrderKey, reason: str) -> None:
        """Tells that the order will never use its hold. Safe to repeat; raises nothing that is not a bug."""
        ...
