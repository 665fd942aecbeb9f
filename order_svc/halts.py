"""What a halt of trading stops, and what is told to those it stops; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from order_svc.content import OrderContent
from order_svc.identifiers import AccountId
from order_svc.records import Refusal
from order_svc.refusals import ReduceOnly, TradingHalted


class HaltMode(Enum):
    """What a halt lets through; cancellations always pass."""

    HALTED = "halted"
    """No new order."""
    REDUCE_ONLY = "reduce_only"
    """Only orders whose position intent closes a position: the broker holds them to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """One halt in force."""

    account_id: AccountId | None
    """`None` for the whole system."""
    mode: HaltMode
    requested_by: str
    reason: str
    halted_at: datetime

    def covers(self, account_id: AccountId) -> bool:
        """Whether orders of this account are in its scope."""
        return self.account_id is None or self.account_id == account_id

    def stops(self, account_id: AccountId, content: OrderContent) -> bool:
        """Whether it keeps this order in."""
        if not self.covers(account_id):
            return False
        return self.mode is HaltMode.HALTED or not content.closes_position


def check_halts(halts: Iterable[Halt], account_id: AccountId, content: OrderContent) -> Refusal | None:
    """Denies an order that a halt stops, and says who ordered it, when and why; the first one is named."""
    for halt in halts:
        if halt.stops(account_id, content):
            return _refusal(halt)
    return None


def scope_of(halt: Halt) -> str:
    """Whose trading it stops, in words."""
    return "the whole system" if halt.account_id is None else f"account {halt.account_id}"


def _refusal(halt: Halt) -> Refusal:
    is_full = halt.mode is HaltMode.HALTED
    what = "trading is halted" if is_full else "only orders that close a position are taken"
    return Refusal(
        reason=TradingHalted.reason if is_full else ReduceOnly.reason,
        text=f"{what} for {scope_of(halt)}, by {halt.requested_by} at "
        f"{halt.halted_at.isoformat(timespec='seconds')}: {halt.reason}; nothing was sent",
        metadata={
            "halt_mode": halt.mode.name,
            "halt_scope": halt.account_id or "system",
            "halted_by": halt.requested_by,
            "halted_at": halt.halted_at.isoformat(),
            "halt_reason": halt.reason,
        },
    )
