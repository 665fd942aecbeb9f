"""Tracked buys and what a sale does to them; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

__all__ = [
    "LotChange",
    "SalePlan",
    "TrackedLot",
    "TradeSource",
    "auto_sell_qty",
    "plan_sale",
    "plan_unfilled",
]


class TradeSource(Enum):
    """Who bought."""

    MANUAL = "manual"
    AUTOMATED = "automated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedLot:
    """What is left of one bought order, an active row of order_details."""

    stored_account_name: str
    """As the row has it; the former service stored what its caller wrote."""
    order_id: str
    symbol: str
    """Canonical: the compact OCC symbol."""
    qty: int
    """Contracts, above 0."""
    auto_sell_enabled: bool
    ordered_at: datetime | None
    """By the database's own clock and zone; for order only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LotChange:
    """A lot that shrinks, or closes."""

    lot: TrackedLot
    """As it was when the change was planned."""
    remaining_qty: int
    """0 closes it."""

    def __post_init__(self) -> None:
        if not 0 <= self.remaining_qty < self.lot.qty:
            raise ValueError(f"remaining {self.remaining_qty} is not from 0 to below {self.lot.qty}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SalePlan:
    """What a filled sale takes from the lots."""

    changes: tuple[LotChange, ...]
    untracked_qty: int
    """Contracts sold that no lot covers."""


def plan_sale(lots: Iterable[TrackedLot], filled_qty: int) -> SalePlan:
    """Takes the filled quantity from the lots of one symbol, oldest first; the last may stay in part (S-04)."""
    if filled_qty <= 0:
        raise ValueError(f"filled_qty {filled_qty} is not above 0")
    left, changes = filled_qty, []
    for lot in lots:
        if left == 0:
            break
        taken = min(left, lot.qty)
        changes.append(LotChange(lot=lot, remaining_qty=lot.qty - taken))
        left -= taken
    return SalePlan(changes=tuple(changes), untracked_qty=left)


def plan_unfilled(lot: TrackedLot, unfilled_qty: int) -> LotChange:
    """Takes from a lot what its order ended without buying."""
    return LotChange(lot=lot, remaining_qty=lot.qty - unfilled_qty)


def auto_sell_qty(lots: Sequence[TrackedLot]) -> int:
    """How many contracts of these lots may be sold automatically: each lot decides for itself (S-28)."""
    return sum(lot.qty for lot in lots if lot.auto_sell_enabled)
