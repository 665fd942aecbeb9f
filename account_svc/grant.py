"""What a claim on an account's cash can lead to."""

from dataclasses import dataclass
from decimal import Decimal

from account_svc.guard import Decision
from account_svc.hold import HeldCash, Hold
from account_svc.order_terms import HoldId


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an order asks for."""

    account_id: str
    hold_id: HoldId
    fingerprint: str
    symbol: str
    cost: Decimal | None
    """Worst cost in USD; `None`: not known, so all headroom is held."""
    minimum: Decimal
    """What has to remain on the account, USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The order may be sent, and what it can cost is set aside."""

    hold: Hold
    cash: Decimal | None
    """What the decision was made on, `None` where the guard did not ask."""
    held_by_others: Decimal
    """At the decision, USD."""
    minimum: Decimal
    """At the decision, USD."""
    valid_seconds: float
    """How long from now it may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The rule does not let the order out; nothing was set aside."""

    decision: Decision
    held: HeldCash
    """By other orders, at the decision."""
    retry_at: float | None
    """When cash asked for by then may change the answer, since only holds of ended orders are in the way."""


class Outdated:
    """The reading of the cash is too old, or older than the end of a hold, and must not be used; read again."""
