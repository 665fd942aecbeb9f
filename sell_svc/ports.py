"""What the monitor needs of the world outside: who may be watched, what they hold, what can be done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Protocol, TypeAlias

from sell_svc.known import Known
from sell_svc.observation import (
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    OpenOrder,
    OpenOrders,
    OrderId,
    Quote,
)


class Accounts(Protocol):
    """account_svc; every method raises ServiceError where the answer is not known."""

    async def list_accounts(self) -> tuple[AccountId, ...]:
        """Every enabled account, tradable or not: one that may not open orders still needs its stop losses (S-11)."""
        ...

    async def read_holdings(self, account_id: AccountId) -> Known[Holdings]:
        """The option positions of one account."""
        ...

    async def read_market(self) -> Known[Market]:
        """The broker's clock."""
        ...

    async def read_quotes(self, account_id: AccountId, symbols: Sequence[str]) -> Known[Mapping[str, Quote]]:
        """Quotes and last trades by symbol; a symbol without a quote is not in it."""
        ...


class ExitPhase(Enum):
    """How far an exit has come, as far as evidence goes."""

    OPEN = auto()
    """It can still sell: working, or on its way, or its answer was lost."""
    ENDED = auto()
    """It sells nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitReport:
    """One exit as order_svc has it."""

    client_order_id: ClientOrderId
    order_id: OrderId | None
    phase: ExitPhase
    state: str
    """order_svc's word, for example FILLED."""
    filled_qty: Decimal
    ended_at: datetime | None
    """The broker's time of the last fill or of the end."""
    reason: str
    """Why it was denied or rejected; empty otherwise."""
    accepted: bool
    """Whether the broker has acknowledged it."""
    is_refusal: bool = False
    """The broker never had it: order_svc may take a repeat of the same id as a new attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitOrder:
    """A day order that closes part of a long option position, and never more than that."""

    account_id: AccountId
    client_order_id: ClientOrderId
    symbol: str
    qty: Decimal
    limit_price: Decimal | None
    """USD per unit; `None` for a market order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing will be sold by this attempt: the guard denied it or the broker rejected it."""

    reason: str
    """UPPER_SNAKE."""
    message: str
    by_us: bool
    """Denied, as opposed to rejected by the broker."""
    by_guard: bool
    """Whether the account's cash is the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Whether anything happened is not known to us; reading by client_order_id tells."""

    reason: str
    message: str


PlaceOutcome: TypeAlias = ExitReport | Refused | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReport:
    """What a request to cancel came to."""

    outcome: str
    """requested, canceled, already final or unknown."""
    taken: bool
    """Whether the broker took it."""


class Orders(Protocol):
    """order_svc; reads raise ServiceError where the answer is not known."""

    async def list_open(self, account_id: AccountId) -> Known[OpenOrders]:
        """Every order that can still trade."""
        ...

    async def list_lots(self, account_id: AccountId) -> Known[tuple[Lot, ...]]:
        """What was bought through this system and is not yet sold."""
        ...

    async def find_exit(self, account_id: AccountId, client_order_id: ClientOrderId) -> ExitReport | None:
        """The exit with this id, `None` when there is none."""
        ...

    async def place_exit(self, order: ExitOrder) -> PlaceOutcome:
        """Sends it, or returns the first outcome of the same id; never raises for an outcome."""
        ...

    async def cancel(self, account_id: AccountId, order: OpenOrder, reason: str) -> CancelReport:
        """Asks the broker to cancel; raises ServiceError where it was not asked. Safe to repeat."""
        ...


class DesiredState(Protocol):
    """What was last asked for; survives the process."""

    async def read(self) -> bool | None:
        """Whether the monitor shall run; `None` when nobody has ever asked."""
        ...

    async def save(self, *, running: bool, at: datetime) -> None:
        """Durable when it returns. Raises StoreUnreachable."""
        ...
