"""`sell_module`: what the sell monitor watches for and when it acts."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.fields import Minutes, Seconds
from runtime.settings import Section


class AutoSell(StrEnum):
    """Which long option positions may be sold without asking."""

    TRACKED = "tracked"
    """Those whose tracked buy says so."""
    ALL = "all"


class CancelScope(StrEnum):
    """Which stale orders are cancelled."""

    OPTIONS = "options"
    """Option orders of both sides, whatever their origin."""
    ALL = "all"
    OWN = "own"
    """Orders placed through this system."""


class StrategyOneSettings(Section):
    """`sell_module.strategy_one`: sell at these multiples of the average entry price, both inclusive."""

    enabled: bool = True
    profit_rate: Annotated[Decimal, Field(ge=1)] = Decimal("1.1")
    stop_loss_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.8")

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        if self.profit_rate <= self.stop_loss_rate:
            raise ValueError(
                f"profit_rate must be above stop_loss_rate, got {self.profit_rate} and {self.stop_loss_rate}"
            )
        return self


class PositionTimeLimitSettings(Section):
    """`sell_module.position_time_limit`: sell what has been held too long; off when absent."""

    enabled: bool = False
    max_hold_minutes: Minutes | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.enabled and self.max_hold_minutes is None:
            raise ValueError("needs max_hold_minutes when enabled")
        return self

    @property
    def max_hold(self) -> timedelta | None:
        """How long a position may be held; `None` when the rule is off."""
        if not self.enabled or self.max_hold_minutes is None:
            return None
        return timedelta(minutes=self.max_hold_minutes)


class PolicyOverrideSettings(Section):
    """What differs for one account or one underlying; an absent key is as it is for everyone."""

    auto_sell: AutoSell | None = None
    strategy_enabled: bool | None = None
    profit_rate: Annotated[Decimal, Field(ge=1)] | None = None
    stop_loss_rate: Annotated[Decimal, Field(ge=0, le=1)] | None = None
    max_hold_minutes: Annotated[float, Field(ge=0, le=525_600)] | None = None
    """Zero switches the time limit off."""
    zero_day_handling: bool | None = None
    zero_day_minutes_before_close: Annotated[int, Field(ge=0)] | None = None
    close_window_minutes: Annotated[int, Field(ge=0)] | None = None
    order_cancel_minutes: Minutes | None = None
    """For accounts only."""


def _upper_keys(value: object) -> object:
    return {str(key).upper(): one for key, one in value.items()} if isinstance(value, Mapping) else value


class SellModuleSettings(Section):
    """`sell_module`: the monitor of FR-006; `enabled` decides only until the first start or stop call."""

    enabled: bool = False
    check_interval: Seconds = 5.0
    order_cancel_minutes: Minutes = 3.0
    zero_day_handling: bool = True
    strategy_one: StrategyOneSettings = StrategyOneSettings()
    position_time_limit: PositionTimeLimitSettings = PositionTimeLimitSettings()
    auto_sell: AutoSell = AutoSell.TRACKED
    cancel_scope: CancelScope = CancelScope.OPTIONS
    close_shorts: bool = False
    close_window_minutes: Annotated[int, Field(ge=0)] = 10
    zero_day_minutes_before_close: Annotated[int, Field(ge=0)] | None = None
    """Absent: sold as soon as the session is open."""
    account_policies: Annotated[Mapping[str, PolicyOverrideSettings], AfterValidator(MappingProxyType)] = (
        Field(default_factory=lambda: MappingProxyType({}))
    )
    """By account; wins over `underlying_policies`."""
    underlying_policies: Annotated[
        Mapping[str, PolicyOverrideSettings], BeforeValidator(_upper_keys), AfterValidator(MappingProxyType)
    ] = Field(default_factory=lambda: MappingProxyType({}))
    """By underlying, such as AAPL or SPX."""

    @model_validator(mode="after")
    def _cancels_by_account(self) -> Self:
        for name, one in self.underlying_policies.items():
            if one.order_cancel_minutes is not None:
                raise ValueError(f"underlying_policies.{name}.order_cancel_minutes is for accounts only")
        return self

    @property
    def cancel_after(self) -> timedelta:
        """The age at which an open order is cancelled."""
        return timedelta(minutes=self.order_cancel_minutes)
