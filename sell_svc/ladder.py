"""At which price an exit is asked for when nobody bids: a pure function of the last refusal."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sell_svc.price import MINIMUM_TICK

RUNGS: Final = (MINIMUM_TICK, Decimal("0.05"))
"""The lowest price of classes that trade in cents, then that of classes that trade in nickels.

Nothing tells which class a contract is in before it is refused; no rung is below a tick (S-24).
"""

# The broker has no code of its own for it, so its words decide; what they miss is tried at the market again.
_NO_BID: Final = re.compile(r"\bno (available )?(bid|quote|buyer)s?\b|\bno available\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerRefusal:
    """The last exit of a contract, which the broker refused."""

    message: str
    """The broker's words."""
    limit_price: Decimal | None
    """At which it was asked for; `None` at the market."""


def limit_price(wanted: Decimal | None, last: BrokerRefusal | None) -> Decimal | None:
    """What to ask for now, USD per unit; `None` for a market order, which `wanted` means too.

    A limit at the lowest tick still fetches the best bid where there is one after all.
    """
    if last is not None and last.limit_price in RUNGS:
        return RUNGS[(RUNGS.index(last.limit_price) + 1) % len(RUNGS)]
    if last is not None and wanted is None and _NO_BID.search(last.message):
        return RUNGS[0]
    return wanted
