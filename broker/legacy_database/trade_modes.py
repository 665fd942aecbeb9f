"""Which strategy an order needs, and whether its account has it; pure."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from broker.reports import AssetClass, OrderSide
from runtime.errors import PermissionDenied, Resource

__all__ = ["Permissions", "StrategyNotPermitted", "TradeMode", "check_permission", "mode_of"]


class TradeMode(Enum):
    """A rule of the table trading_rules that an administrator switches on for a user."""

    STOCK = "MODE_STOCK_TRADE"
    DAY = "MODE_DAY_TRADE"
    OPTION = "MODE_OPTION_TRADE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What one account may trade."""

    account_id: str
    modes: frozenset[TradeMode]


class StrategyNotPermitted(PermissionDenied):
    """The account has no permission for the strategy of the order; nothing was sent."""

    reason: ClassVar[str] = "STRATEGY_NOT_PERMITTED"


def mode_of(asset_class: AssetClass, side: OrderSide) -> TradeMode:
    """The strategy an order needs where its caller names none (legacy-config.md, section 3)."""
    if asset_class is not AssetClass.US_OPTION:
        return TradeMode.STOCK
    return TradeMode.DAY if side is OrderSide.BUY else TradeMode.OPTION


def check_permission(
    permissions: Permissions, *, asset_class: AssetClass, side: OrderSide, strategy_name: str | None = None
) -> TradeMode:
    """The strategy that permits the order; raises StrategyNotPermitted.

    A caller may name another than the usual one, but only of the three, only one that fits the order, and
    only one that the account has. The former service took any text for a key of the account's record, so
    that "enabled" permitted everything, and let the right to trade stocks permit options.
    """
    if not strategy_name:
        mode = mode_of(asset_class, side)
    else:
        named = next((one for one in TradeMode if one.value == strategy_name), None)
        if named is None or not _fits(named, asset_class):
            raise _denied(permissions.account_id, strategy_name)
        mode = named
    if mode not in permissions.modes:
        raise _denied(permissions.account_id, mode.value)
    return mode


def _fits(mode: TradeMode, asset_class: AssetClass) -> bool:
    if mode is TradeMode.DAY:
        return True
    return (mode is TradeMode.OPTION) == (asset_class is AssetClass.US_OPTION)


def _denied(account_id: str, strategy: str) -> StrategyNotPermitted:
    # The former service's own words, which its callers may look for.
    return StrategyNotPermitted(
        f"Strategy '{strategy[:64]}' is not active for account '{account_id}'. "
        "Please activate the strategy before placing orders.",
        metadata={"strategy": strategy[:64]},
        resource=Resource(type="account", name=account_id),
    )
