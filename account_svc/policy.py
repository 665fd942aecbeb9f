"""What the configuration says of the guard."""

from dataclasses import dataclass

from account_svc.guard import GuardMode
from account_svc.minimums import Minimums
from account_svc.order_terms import OrderTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """Which orders are judged, and by which rule."""

    enabled: bool
    mode: GuardMode
    exits_exempt: bool
    minimums: Minimums

    def judges(self, order: OrderTerms) -> bool:
        """Whether the order needs cash above the minimum to leave."""
        return self.enabled and not (self.exits_exempt and order.closes_position)
