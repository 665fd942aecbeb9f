"""Which strategy permits an order, and that no text gets around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.legacy_database.trade_modes import (
    Permissions,
    StrategyNotPermitted,
    TradeMode,
    check_permission,
    mode_of,
)
from broker.reports import AssetClass, OrderSide

EVERYTHING = frozenset(TradeMode)
STOCK, OPTION, CRYPTO = AssetClass.US_EQUITY, AssetClass.US_OPTION, AssetClass.CRYPTO
BUY, SELL = OrderSide.BUY, OrderSide.SELL


def check(modes: frozenset[TradeMode], asset: AssetClass, side: OrderSide, name: str | None) -> TradeMode:
    permissions = Permissions(account_id="alice", modes=modes)
    return check_permission(permissions, asset_class=asset, side=side, strategy_name=name)


@pytest.mark.parametrize(
    ("asset", "side", "mode"),
    [
        pytest.param(STOCK, BUY, TradeMode.STOCK, id="stock buy"),
        pytest.param(STOCK, SELL, TradeMode.STOCK, id="stock sell"),
        pytest.param(CRYPTO, BUY, TradeMode.STOCK, id="coin"),
        pytest.param(OPTION, BUY, TradeMode.DAY, id="option buy"),
        pytest.param(OPTION, SELL, TradeMode.OPTION, id="option sell"),
    ],
)
@pytest.mark.parametrize("name", [None, ""], ids=["no name", "empty name"])
def test_an_order_needs_the_usual_strategy_where_none_is_named(
    asset: AssetClass, side: OrderSide, mode: TradeMode, name: str | None
) -> None:
    assert mode_of(asset, side) is mode
    assert check(frozenset({mode}), asset, side, name) is mode
    with pytest.raises(
        StrategyNotPermitted, match=f"Strategy '{mode.value}' is not active for account 'alice'"
    ):
        check(EVERYTHING - {mode}, asset, side, name)


def test_an_option_may_be_bought_under_the_option_strategy_when_that_is_named_and_held() -> None:
    assert check(frozenset({TradeMode.OPTION}), OPTION, BUY, "MODE_OPTION_TRADE") is TradeMode.OPTION
    with pytest.raises(StrategyNotPermitted):
        check(frozenset({TradeMode.DAY}), OPTION, BUY, "MODE_OPTION_TRADE")


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        pytest.param(OPTION, "MODE_STOCK_TRADE", id="option"),
        pytest.param(STOCK, "MODE_OPTION_TRADE", id="stock"),
    ],
)
def test_the_right_to_trade_one_kind_permits_no_other(asset: AssetClass, name: str) -> None:
    for side in OrderSide:
        with pytest.raises(StrategyNotPermitted):
            check(EVERYTHING, asset, side, name)


@pytest.mark.parametrize(
    "name",
    ["enabled", "paper_trading", "user_uuid", "mode_stock_trade", "MODE_STOCK_TRADE ", "STOCK", " ", "None"],
)
def test_a_name_that_is_no_strategy_permits_nothing(name: str) -> None:
    with pytest.raises(StrategyNotPermitted) as raised:
        check(EVERYTHING, STOCK, BUY, name)

    assert raised.value.reason == "STRATEGY_NOT_PERMITTED"


@given(
    modes=st.frozensets(st.sampled_from(TradeMode)),
    asset=st.sampled_from(AssetClass),
    side=st.sampled_from(OrderSide),
    name=st.none() | st.text() | st.sampled_from([mode.value for mode in TradeMode]),
)
def test_what_is_permitted_is_always_held(
    modes: frozenset[TradeMode], asset: AssetClass, side: OrderSide, name: str | None
) -> None:
    try:
        permitted_by = check(modes, asset, side, name)
    except StrategyNotPermitted:
        return

    assert permitted_by in modes
    assert name in {None, "", permitted_by.value}
