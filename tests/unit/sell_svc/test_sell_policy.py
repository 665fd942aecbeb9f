from datetime import timedelta
from decimal import Decimal

import pytest

from config.selling import PositionTimeLimitSettings, SellModuleSettings, StrategyOneSettings
from runtime.errors import StartupError
from sell_svc.policy import Policy


def test_the_defaults_are_those_of_the_configuration() -> None:
    policy = Policy.from_settings(SellModuleSettings())

    assert policy.cancel_after == timedelta(minutes=3)
    assert policy.close_window == timedelta(minutes=10)
    assert policy.strategy is not None
    assert policy.strategy.profit_rate == Decimal("1.1")
    assert policy.max_hold is None
    assert policy.zero_day_before_close is None
    assert policy.needs_lots


def test_strategy_one_disabled_leaves_no_thresholds() -> None:
    """S-23."""
    policy = Policy.from_settings(SellModuleSettings(strategy_one=StrategyOneSettings(enabled=False)))

    assert policy.strategy is None


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param(10, 50, id="a wait past the broker's own liquidation ends before it"),
        pytest.param(50, 50, id="the shortest wait that is kept"),
        pytest.param(120, 120, id="a shorter wait is kept"),
        pytest.param(0, 50, id="zero minutes before the close"),
    ],
)
def test_a_zero_day_wait_never_passes_the_brokers_own_liquidation(minutes: int, expected: int) -> None:
    policy = Policy.from_settings(SellModuleSettings(zero_day_minutes_before_close=minutes))

    assert policy.zero_day_before_close == timedelta(minutes=expected)


def test_a_time_limit_needs_lots_even_when_everything_may_be_sold() -> None:
    limit = PositionTimeLimitSettings(enabled=True, max_hold_minutes=30)

    assert Policy.from_settings(
        SellModuleSettings.model_validate({"auto_sell": "all", "position_time_limit": limit})
    ).needs_lots
    assert not Policy.from_settings(SellModuleSettings.model_validate({"auto_sell": "all"})).needs_lots


def test_a_setting_that_cannot_be_honoured_stops_the_start() -> None:
    """S-10."""
    with pytest.raises(StartupError, match=r"sell_module\.close_shorts"):
        Policy.from_settings(SellModuleSettings(close_shorts=True))
