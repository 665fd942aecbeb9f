"""One reading of an account's cash, with what was known of its orders before the cash was asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from account_svc.hold import Hold
from account_svc.order_terms import HoldId
from account_svc.settle import EndReason, SettleRules, Sighting, ending, settled_at
from broker.reports import AccountReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a decision may rest on; the orders were read first, so the cash is never older than they are."""

    snapshot_id: str
    account_id: str
    epoch: int
    """The account's epoch before anything was asked for."""
    reading: AccountReading
    usable_until: float
    """Until when a decision may rest on it, by the monotonic clock."""
    sightings: Mapping[HoldId, Sighting]
    rules: SettleRules

    @property
    def cash(self) -> Decimal:
        """USD; negative on margin."""
        return self.reading.cash

    @property
    def requested_at(self) -> float:
        """When the cash was asked for, by the monotonic clock."""
        return self.reading.requested_monotonic

    def ending_of(self, hold: Hold) -> EndReason | None:
        """Why the hold ends under this snapshot, `None` while it stays."""
        seen = self._sighting_of(hold)
        if seen is None:
            return None
        return ending(seen, cash_requested_at=self.requested_at, rules=self.rules)

    def settling(self, holds: Iterable[Hold]) -> dict[Hold, float]:
        """Those of the holds that only wait for the cash to show their order's end, and until when."""
        moments = ((hold, self._sighting_of(hold)) for hold in holds)
        return {
            hold: ready_at
            for hold, seen in moments
            if seen is not None and (ready_at := settled_at(seen, self.rules)) is not None
        }

    def _sighting_of(self, hold: Hold) -> Sighting | None:
        seen = self.sightings.get(hold.hold_id)
        return seen if seen is not None and seen.revision == hold.revision else None
