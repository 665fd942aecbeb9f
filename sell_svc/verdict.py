"""What a decision says: hold, undecided, sell or cancel, each with its rule and the figures behind it."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum, auto
from typing import TypeAlias

from sell_svc.observation import ClientOrderId, OpenOrder


class Rule(StrEnum):
    """Every reason a decision can have, as callers read it."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004 - enum's own signature
        return name

    # Sold.
    TIME_LIMIT = auto()
    ZERO_DAY = auto()
    TAKE_PROFIT = auto()
    STOP_LOSS = auto()
    CLOSE_WINDOW = auto()
    # Cancelled.
    STALE_ORDER = auto()
    # Held.
    WITHIN_LIMITS = auto()
    NOT_TRACKED = auto()
    MARKET_CLOSED = auto()
    EXPIRED = auto()
    SHORT_POSITION = auto()
    COVERS_SHORT_LEG = auto()
    NO_FREE_QTY = auto()
    EXIT_WORKING = auto()
    EXIT_SETTLING = auto()
    EXIT_BACKOFF = auto()
    # Undecided.
    MARKET_UNKNOWN = auto()
    ORDERS_UNKNOWN = auto()
    LOTS_UNKNOWN = auto()
    PRICE_UNKNOWN = auto()
    ENTRY_TIME_UNKNOWN = auto()
    POSITION_UNREADABLE = auto()
    EXIT_UNKNOWN = auto()
    ORDER_AGE_UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The position is kept."""

    symbol: str
    rule: Rule
    reason: str
    alerts: bool = False
    """Whether an operator should look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """Something needed is not known, so nothing is done; always worth a look."""

    symbol: str
    rule: Rule
    reason: str
    client_order_id: ClientOrderId | None = None
    """Of the order it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sell:
    """The position is sold."""

    symbol: str
    rule: Rule
    reason: str
    qty: Decimal
    """Whole contracts, above zero, never more than are free."""
    limit_price: Decimal | None
    """USD per unit; `None` sells at the market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The order is cancelled."""

    order: OpenOrder
    rule: Rule
    reason: str

    @property
    def symbol(self) -> str:
        """The order's symbol."""
        return self.order.symbol


Judgement: TypeAlias = Hold | Undecided | Sell
"""About one position."""
