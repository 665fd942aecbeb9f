"""What was decided lately and why, for whoever asks."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from itertools import islice
from typing import Final

from sell_svc.observation import AccountId, ClientOrderId, OrderId
from sell_svc.verdict import Rule

RING_SIZE: Final = 10_000


class Verdict(Enum):
    """What a decision says."""

    HOLD = auto()
    SELL = auto()
    CANCEL = auto()
    UNDECIDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision about a position or an order, with what came of it."""

    account_id: AccountId
    symbol: str
    verdict: Verdict
    rule: Rule
    reason: str
    decided_at: datetime
    alerts: bool = False
    """Whether an operator should look."""
    qty: Decimal | None = None
    client_order_id: ClientOrderId | None = None
    order_id: OrderId | None = None
    outcome: str = ""
    failed: bool = False
    """Whether an action was wanted and did not come about."""

    @property
    def line(self) -> str:
        """The decision as the log has it."""
        fields = [f"{self.verdict.name.capitalize()}: {self.symbol}"]
        if self.qty is not None:
            fields.append(f"qty={self.qty:f}")
        fields += [f"rule={self.rule}", f"reason={self.reason}", f"account={self.account_id}"]
        if self.client_order_id is not None:
            fields.append(f"client_order_id={self.client_order_id}")
        if self.order_id is not None:
            fields.append(f"order_id={self.order_id}")
        if self.outcome:
            fields.append(f"outcome={self.outcome}")
        return " | ".join(fields)


class Decisions:
    """The newest decisions, in memory; older ones fall out."""

    def __init__(self, size: int = RING_SIZE) -> None:
        self._ring: deque[Decision] = deque(maxlen=size)
        self.on_decision: Callable[[Decision], None] | None = None
        """Hears each one as it is added; must neither wait nor fail."""

    def add(self, decisions: Iterable[Decision]) -> None:
        """Adds in the order in which they were made."""
        for one in decisions:
            self._ring.appendleft(one)
            if self.on_decision is not None:
                self.on_decision(one)

    def newest(self, *, limit: int, account_id: str = "", symbol: str = "") -> tuple[Decision, ...]:
        """At most `limit`, newest first; empty text means any."""
        matching = (
            one for one in self._ring if account_id in {"", one.account_id} and symbol in {"", one.symbol}
        )
        return tuple(islice(matching, limit))


class Changes:
    """Lets through what differs from the tick before: a position held for the same rule is news only once."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, ClientOrderId | None], tuple[Verdict, Rule]] = {}

    def news(self, decisions: Iterable[Decision]) -> tuple[Decision, ...]:
        """The new ones of a whole tick; subjects that the tick does not mention are forgotten."""
        before, self._last = self._last, {}
        fresh = []
        for one in decisions:
            subject = (one.symbol, one.client_order_id if one.verdict is not Verdict.SELL else None)
            self._last[subject] = (one.verdict, one.rule)
            if one.verdict in _ACTIONS or before.get(subject) != (one.verdict, one.rule):
                fresh.append(one)
        return tuple(fresh)


_ACTIONS: Final = frozenset({Verdict.SELL, Verdict.CANCEL})
