"""Cash set aside for one order, and the sum of what an account has set aside."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from account_svc.order_terms import HoldId


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Cash that one order may still spend."""

    hold_id: HoldId
    account_id: str
    revision: int
    """Counts the authorisations given under this id; a later one starts the evidence afresh."""
    fingerprint: str
    """Which order it is for, see `OrderTerms.fingerprint`."""
    symbol: str
    amount: Decimal
    """USD; 0 for sells. For a hold on all headroom what that was when it was taken."""
    whole_headroom: bool
    """The order's cost is not known, so nothing is left for others while it is open."""
    held_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCash:
    """What the open holds of an account set aside together."""

    total: Decimal
    all_headroom_held: bool

    @classmethod
    def by(cls, holds: Iterable[Hold]) -> Self:
        """The sum of these holds."""
        listed = tuple(holds)
        return cls(
            total=sum((hold.amount for hold in listed), Decimal(0)),
            all_headroom_held=any(hold.whole_headroom for hold in listed),
        )
