"""Which readings a snapshot needs to learn about the orders behind the open holds.

Nothing here asks what time an order was sent: holds are stamped by our clock, orders by the
broker's, and a list cut off by the wrong one would hide what it should show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from account_svc.hold import Hold
from account_svc.order_terms import HoldId
from account_svc.settle import Fate, SettleRules, Sighting, quarantine_ends_at

RECENT_SECONDS: Final = 900.0
"""Holds younger than this are looked for in a list; older ones, usually orders that rest, one by one."""
UNSEEN_SECONDS: Final = 5.0
"""How long a hold's order may be missing from the lists before it is asked for by its own id."""
REVISIT_SECONDS: Final = 30.0
"""How often an order is asked for. Between two looks its hold stays, which is always safe."""
MAX_SINGLE_LOOKUPS: Final = 4
"""Single requests in one snapshot, out of a budget of three a second."""

_SHORTEST_LIST: Final = 20
_LONGEST_LIST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupPlan:
    """What to read of an account's orders."""

    newest: int
    """Read the list of so many orders, the newest first; 0: no list is needed."""
    single: tuple[HoldId, ...]
    """Read these by client_order_id."""


def plan_lookups(
    holds: Sequence[Hold], sightings: Mapping[HoldId, Sighting], *, now: float, rules: SettleRules
) -> LookupPlan:
    """The readings that can end holds, few enough for the broker's budget; `now` is monotonic."""
    unsettled = [(hold, _sighting(hold, sightings)) for hold in holds]
    unsettled = [(hold, seen) for hold, seen in unsettled if seen is None or not seen.fate.has_ended]
    recent = sum(_is_recent(seen, now) for _, seen in unsettled)
    due = sorted(
        (seen.looked_at or 0.0, hold.hold_id)
        for hold, seen in unsettled
        if seen is not None and _needs_single_lookup(seen, now, rules)
    )
    return LookupPlan(
        # Twice as many as are wanted: others may trade on the account too.
        newest=min(_SHORTEST_LIST + 2 * recent, _LONGEST_LIST) if recent else 0,
        single=tuple(hold_id for _, hold_id in due[:MAX_SINGLE_LOOKUPS]),
    )


def _sighting(hold: Hold, sightings: Mapping[HoldId, Sighting]) -> Sighting | None:
    seen = sightings.get(hold.hold_id)
    return seen if seen is not None and seen.revision == hold.revision else None


def _is_recent(seen: Sighting | None, now: float) -> bool:
    return seen is None or now - seen.known_since < RECENT_SECONDS


def _needs_single_lookup(seen: Sighting, now: float, rules: SettleRules) -> bool:
    proof_due = quarantine_ends_at(seen, rules)
    if seen.fate is not Fate.OPEN and now >= proof_due and (seen.looked_at or 0.0) < proof_due:
        return True
    listed = seen.fate is Fate.OPEN and _is_recent(seen, now)
    young = now - seen.known_since < UNSEEN_SECONDS
    rested = seen.looked_at is None or now - seen.looked_at >= REVISIT_SECONDS
    return rested and not listed and not young
