"""Whatever a client sends gets Alpaca's error shape or a proper answer, never a failure of the exchange."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import (
    account_routes,
    activities,
    configuration_routes,
    corporate_actions,
    history_routes,
    market_routes,
    order_routes,
    portfolio,
    position_routes,
    watchlists,
)
from sandbox.calls import Call, Handler, Reply
from sandbox.errors import AlpacaError
from sandbox_desk import CALL, HIGHER_CALL, Desk, open_desk

_words = st.sampled_from(
    [
        "", "AAPL", "MSFT", CALL, HIGHER_CALL, "buy", "sell", "market", "limit", "stop", "trailing_stop", "day", "gtc",
        "bracket", "oco", "oto", "mleg", "simple", "1", "0", "-1", "1.5", "1e999", "NaN", "100", "200", "all", "true",
        "2026-11-20", "9999-12-31T23:59:59Z", "0001-01-01", "1Day", "1Min", "4W", "99D", "\x00", "é", "asc", "desc",
    ]
)  # fmt: skip
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 10**13),
    st.floats(allow_nan=False),
    _words,
    st.text(max_size=5),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["limit_price", "stop_price", "symbol", "side", "ratio_qty", "position_intent"]), inner, max_size=5)
    ),
    max_leaves=8,
)  # fmt: skip
_FIELDS = [
    "symbol", "side", "type", "time_in_force", "qty", "notional", "limit_price", "stop_price", "trail_price",
    "trail_percent", "extended_hours", "client_order_id", "position_intent", "order_class", "take_profit", "stop_loss",
    "legs", "trail", "name", "symbols", "no_shorting", "max_options_trading_level", "max_margin_multiplier",
]  # fmt: skip
_PARAMETERS = [
    "status", "limit", "after", "until", "direction", "nested", "symbols", "side", "asset_class", "before_order_id",
    "after_order_id", "client_order_id", "qty", "percentage", "cancel_orders", "page_token", "page_size", "category",
    "activity_types", "date", "period", "timeframe", "start", "end", "sort", "expiration_date", "strike_price_gte",
    "updated_since", "type", "ca_types", "since", "underlying_symbols", "style", "date_end", "name",
]  # fmt: skip
_order = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
_bodies = st.one_of(
    st.binary(max_size=20),
    st.builds(lambda value: json.dumps(value).encode(), _values),
    st.builds(
        lambda changes: json.dumps({**_order, **changes}).encode(),
        st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=4),
    ),
)
_HANDLERS: list[Handler] = [
    order_routes.place_order, order_routes.replace_order, order_routes.list_orders, order_routes.get_order,
    order_routes.cancel_order, order_routes.cancel_orders, order_routes.get_order_by_client_order_id,
    position_routes.close_position, position_routes.close_positions, position_routes.exercise,
    position_routes.do_not_exercise, account_routes.get_account, account_routes.list_positions,
    account_routes.list_assets, account_routes.list_contracts, account_routes.list_calendar, account_routes.get_asset,
    activities.list_activities, portfolio.portfolio_history, configuration_routes.set_configuration,
    watchlists.create_watchlist, watchlists.update_watchlist, watchlists.add_asset, market_routes.stock_snapshots,
    market_routes.option_chain, market_routes.option_snapshots, history_routes.stock_bars, history_routes.stock_trades,
    history_routes.option_bars, history_routes.latest_stock_bars, corporate_actions.list_announcements,
    corporate_actions.get_announcement,
]  # fmt: skip


def call_of(desk: Desk, body: bytes, query: dict[str, str], part: str) -> Call:
    names = ("order_id", "symbol_or_asset_id", "symbol_or_contract_id", "symbol_or_id", "symbol", "id")
    parts = dict.fromkeys((*names, "underlying_symbol", "watchlist_id", "activity_type"), part)
    return Call(
        exchange=desk.exchange, account=desk.account, now=desk.now, parts=parts, query=query, body=body
    )


def outcome(handler: Handler, call: Call) -> Reply | AlpacaError:
    try:
        return handler(call)
    except AlpacaError as error:
        return error


@pytest.fixture(scope="module")
def desk() -> Desk:
    return open_desk()


@pytest.mark.parametrize("handler", _HANDLERS, ids=lambda each: each.__name__)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=_bodies,
    query=st.dictionaries(st.sampled_from(_PARAMETERS), _words, max_size=4),
    part=st.one_of(_words, st.uuids().map(str)),
    use_order=st.booleans(),
)
def test_no_request_breaks_the_exchange(
    handler: Handler,
    desk: Desk,
    body: bytes,
    query: dict[str, str],
    part: str,
    use_order: bool,
) -> None:
    desk.wait(1)
    if use_order and desk.account.open_orders:
        part = next(iter(desk.account.open_orders))
    answer = outcome(handler, call_of(desk, body, query, part))

    if isinstance(answer, Reply):
        assert answer.status in (200, 204, 207)
        json.loads(answer.encoded() or b"null")
    else:
        shown: dict[str, Any] = answer.body()
        assert 400 <= answer.status < 500
        assert isinstance(shown["message"], str)
        assert shown["message"]
        assert isinstance(shown.get("code", 0), int)
        json.dumps(shown)
