"""What the owner wants sold and cancelled: `sell_module` as the rules need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Self

from broker.option_symbol import OptionSymbol
from config.selling import AutoSell, CancelScope, SellModuleSettings
from runtime.errors import StartupError
from sell_svc.price import PriceAges
from sell_svc.underlying import underlying

LIQUIDATION_BEFORE_CLOSE: Final = timedelta(minutes=45)
"""The broker sells expiring contracts itself from 15:15 on a day that closes at 16:00 (reliability.md 5)."""

_AHEAD_OF_LIQUIDATION: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyOne:
    """Thresholds as multiples of the average entry price, both inclusive."""

    profit_rate: Decimal
    stop_loss_rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules' parameters."""

    auto_sell: AutoSell
    cancel_scope: CancelScope
    cancel_after: timedelta
    strategy: StrategyOne | None
    """`None` switches take profit and stop loss off (S-23)."""
    max_hold: timedelta | None
    """`None` switches the time limit off (S-02)."""
    zero_day: bool
    zero_day_before_close: timedelta | None
    """`None` sells on the expiry day as soon as the session is open."""
    close_window: timedelta
    """Zero switches the close window off."""
    price_ages: PriceAges = field(default_factory=PriceAges)
    by_underlying: "Mapping[str, Policy]" = field(default_factory=lambda: MappingProxyType({}))
    """What holds instead for some underlyings of the account."""

    @property
    def needs_lots(self) -> bool:
        """Whether a decision can depend on tracked lots."""
        if self.auto_sell is AutoSell.TRACKED or self.max_hold is not None:
            return True
        return any(one.needs_lots for one in self.by_underlying.values())

    def of(self, contract: OptionSymbol) -> "Policy":
        """The policy for one contract."""
        return self.by_underlying.get(underlying(contract), self) if self.by_underlying else self

    @classmethod
    def from_settings(cls, settings: SellModuleSettings) -> Self:
        """The policy a configuration asks for.

        Raises StartupError for a setting that cannot be honoured, rather than ignoring it.
        """
        if settings.close_shorts:
            raise StartupError("sell_module.close_shorts: true is not supported; shorts are reported only")
        one = settings.strategy_one
        return cls(
            auto_sell=settings.auto_sell,
            cancel_scope=settings.cancel_scope,
            cancel_after=settings.cancel_after,
            strategy=StrategyOne(profit_rate=one.profit_rate, stop_loss_rate=one.stop_loss_rate)
            if one.enabled
            else None,
            max_hold=settings.position_time_limit.max_hold,
            zero_day=settings.zero_day_handling,
            zero_day_before_close=_before_close(settings.zero_day_minutes_before_close),
            close_window=timedelta(minutes=settings.close_window_minutes),
        )


def _before_close(minutes: int | None) -> timedelta | None:
    if minutes is None:
        return None
    # A longer wait would leave the sale to the broker, at its price.
    return max(timedelta(minutes=minutes), LIQUIDATION_BEFORE_CLOSE + _AHEAD_OF_LIQUIDATION)
