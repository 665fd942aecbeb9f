"""The rule of FR-002: whether an account may send an order now."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import assert_never


class GuardMode(Enum):
    """Which cash has to stay above the minimum; the values are those of the configuration."""

    LITERAL = "literal"
    """What is there before the order."""
    PROJECTED = "projected"
    """What is left if the order costs what it can at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The order may leave."""

    headroom: Decimal
    """Cash above the minimum that no order in flight may spend, USD, at least 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The account has less than its minimum."""

    shortfall: Decimal
    """What is missing, USD; 0 when nothing is left for certain because an order of unknown cost is in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """The figures do not settle the question, so no order leaves (I6)."""

    problem: str


Decision = Allowed | Denied | Undecided


def judge(
    *,
    cash: Decimal,
    holds: Decimal,
    minimum: Decimal,
    order_cost: Decimal | None,
    mode: GuardMode,
    all_headroom_held: bool = False,
) -> Decision:
    """Whether an account may send an order now (FR-002, I5); amounts in USD.

    `holds` is what other orders in flight may still spend, so that two orders arriving
    together cannot both count on the same cash; `all_headroom_held` says that one of them
    may spend any amount. `order_cost` is the order's worst cost, `None` where nobody can
    say; only `projected` asks for it.
    """
    known = (cash, holds, minimum, *(() if order_cost is None else (order_cost,)))
    if not all(figure.is_finite() for figure in known):
        return Undecided(problem="a figure is not a finite number")
    # Alpaca's `cash`, not `buying_power`: margin would hide an account below its minimum.
    headroom = cash - holds - minimum
    match mode:
        case GuardMode.LITERAL:
            needed = Decimal(0)
        case GuardMode.PROJECTED if order_cost is None:
            return Undecided(problem="the order's cost is not known and balance_check_mode is projected")
        case GuardMode.PROJECTED:
            needed = order_cost
        case _:
            assert_never(mode)
    if headroom < needed or all_headroom_held:
        return Denied(shortfall=max(needed - headroom, Decimal(0)))
    return Allowed(headroom=headroom)
