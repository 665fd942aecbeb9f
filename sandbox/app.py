"""Builds the web application: which path leads to which handler."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import WSCloseCode, web

from sandbox import (
    account_routes,
    activities,
    configuration_routes,
    control_market,
    control_records,
    control_streams,
    corporate_actions,
    history_routes,
    market_routes,
    order_routes,
    portfolio,
    position_routes,
    watchlists,
)
from sandbox.calls import Call, Handler, Reply
from sandbox.control import ControlHandler, control_endpoint
from sandbox.data_stream import announce_quotes, data_stream
from sandbox.errors import not_found
from sandbox.front_door import Budget, endpoint
from sandbox.pacemaker import keep_pace
from sandbox.state import Sandbox
from sandbox.stream_hub import StreamKind
from sandbox.trade_stream import announce_orders, trade_stream

_STOCK_FEEDS = "/v2/{feed:sip|iex|delayed_sip|otc|boats|overnight|test}"
_OPTION_FEEDS = "/v1beta1/{feed:opra|indicative}"

_TRADING: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v2/account", account_routes.get_account),
    ("GET", "/v2/account/configurations", configuration_routes.get_configuration),
    ("PATCH", "/v2/account/configurations", configuration_routes.set_configuration),
    ("GET", "/v2/account/activities", activities.list_activities),
    ("GET", "/v2/account/activities/{activity_type}", activities.list_activities_of_type),
    ("GET", "/v2/account/portfolio/history", portfolio.portfolio_history),
    ("GET", "/v2/watchlists", watchlists.list_watchlists),
    ("POST", "/v2/watchlists", watchlists.create_watchlist),
    ("GET", "/v2/watchlists:by_name", watchlists.get_watchlist),
    ("PUT", "/v2/watchlists:by_name", watchlists.update_watchlist),
    ("POST", "/v2/watchlists:by_name", watchlists.add_asset),
    ("DELETE", "/v2/watchlists:by_name", watchlists.delete_watchlist),
    ("GET", "/v2/watchlists/{watchlist_id}", watchlists.get_watchlist),
    ("PUT", "/v2/watchlists/{watchlist_id}", watchlists.update_watchlist),
    ("POST", "/v2/watchlists/{watchlist_id}", watchlists.add_asset),
    ("DELETE", "/v2/watchlists/{watchlist_id}", watchlists.delete_watchlist),
    ("DELETE", "/v2/watchlists/{watchlist_id}/{symbol}", watchlists.remove_asset),
    ("GET", "/v2/positions", account_routes.list_positions),
    ("DELETE", "/v2/positions", position_routes.close_positions),
    ("GET", "/v2/positions/{symbol_or_asset_id}", account_routes.get_position),
    ("DELETE", "/v2/positions/{symbol_or_asset_id}", position_routes.close_position),
    ("POST", "/v2/positions/{symbol_or_contract_id}/exercise", position_routes.exercise),
    ("POST", "/v2/positions/{symbol_or_contract_id}/do-not-exercise", position_routes.do_not_exercise),
    ("POST", "/v2/orders", order_routes.place_order),
    ("GET", "/v2/orders", order_routes.list_orders),
    ("DELETE", "/v2/orders", order_routes.cancel_orders),
    ("GET", "/v2/orders:by_client_order_id", order_routes.get_order_by_client_order_id),
    ("GET", "/v2/orders/{order_id}", order_routes.get_order),
    ("PATCH", "/v2/orders/{order_id}", order_routes.replace_order),
    ("DELETE", "/v2/orders/{order_id}", order_routes.cancel_order),
    ("GET", "/v2/assets", account_routes.list_assets),
    ("GET", "/v2/assets/{symbol_or_asset_id}", account_routes.get_asset),
    ("GET", "/v2/options/contracts", account_routes.list_contracts),
    ("GET", "/v2/options/contracts/{symbol_or_id}", account_routes.get_contract),
    ("GET", "/v2/clock", account_routes.get_clock),
    ("GET", "/v2/calendar", account_routes.list_calendar),
    ("GET", "/v2/corporate_actions/announcements", corporate_actions.list_announcements),
    ("GET", "/v2/corporate_actions/announcements/{id}", corporate_actions.get_announcement),
)

_DATA: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v2/stocks/quotes/latest", market_routes.stock_quotes),
    ("GET", "/v2/stocks/trades/latest", market_routes.stock_trades),
    ("GET", "/v2/stocks/snapshots", market_routes.stock_snapshots),
    ("GET", "/v2/stocks/bars/latest", history_routes.latest_stock_bars),
    ("GET", "/v2/stocks/bars", history_routes.stock_bars),
    ("GET", "/v2/stocks/trades", history_routes.stock_trades),
    ("GET", "/v2/stocks/quotes", history_routes.stock_quotes),
    ("GET", "/v2/stocks/{symbol}/bars/latest", history_routes.one_latest_stock_bar),
    ("GET", "/v2/stocks/{symbol}/bars", history_routes.one_stock_bars),
    ("GET", "/v2/stocks/{symbol}/trades", history_routes.one_stock_trades),
    ("GET", "/v2/stocks/{symbol}/quotes", history_routes.one_stock_quotes),
    ("GET", "/v2/stocks/{symbol}/quotes/latest", market_routes.stock_quote),
    ("GET", "/v2/stocks/{symbol}/trades/latest", market_routes.stock_trade),
    ("GET", "/v2/stocks/{symbol}/snapshot", market_routes.stock_snapshot),
    ("GET", "/v1beta1/options/bars", history_routes.option_bars),
    ("GET", "/v1beta1/options/trades", history_routes.option_trades),
    ("GET", "/v1beta1/options/meta/exchanges", market_routes.option_exchanges),
    ("GET", "/v1beta1/options/quotes/latest", market_routes.option_quotes),
    ("GET", "/v1beta1/options/trades/latest", market_routes.option_trades),
    ("GET", "/v1beta1/options/snapshots", market_routes.option_snapshots),
    ("GET", "/v1beta1/options/snapshots/{underlying_symbol}", market_routes.option_chain),
)

_CONTROL: tuple[tuple[str, str, ControlHandler], ...] = (
    ("GET", "/_sandbox/health", control_records.show_health),
    ("GET", "/_sandbox/ledger", control_records.show_ledger),
    ("GET", "/_sandbox/requests", control_records.show_requests),
    ("GET", "/_sandbox/wait", control_records.wait_for_requests),
    ("POST", "/_sandbox/faults", control_records.add_fault),
    ("DELETE", "/_sandbox/faults", control_records.clear_faults),
    ("GET", "/_sandbox/quotes", control_market.show_quotes),
    ("POST", "/_sandbox/quotes", control_market.set_quotes),
    ("GET", "/_sandbox/clock", control_market.show_clock),
    ("POST", "/_sandbox/clock", control_market.set_clock),
    ("POST", "/_sandbox/matching", control_market.set_matching),
    ("POST", "/_sandbox/rate_limit", control_market.set_rate_limit),
    ("POST", "/_sandbox/accounts", control_market.add_account),
    ("PATCH", "/_sandbox/accounts/{name}", control_market.change_account),
    ("POST", "/_sandbox/orders/{order_id}/fill", control_market.fill_order),
    ("POST", "/_sandbox/orders/{order_id}/reject", control_market.reject_order),
    ("GET", "/_sandbox/streams", control_streams.show_streams),
    ("POST", "/_sandbox/streams", control_streams.add_stream_fault),
    ("DELETE", "/_sandbox/streams", control_streams.clear_stream_faults),
)


def create_app(sandbox: Sandbox) -> web.Application:
    """The application that serves a sandbox. Serve it with `handler_cancellation`, which ends hanging requests."""
    app = web.Application()
    for method, path, control in _CONTROL:
        app.router.add_route(method, path, control_endpoint(sandbox, control))
    for budget, table in ((Budget.TRADING, _TRADING), (Budget.DATA, _DATA)):
        for method, path, handler in table:
            app.router.add_route(method, path, endpoint(sandbox, handler, budget))
    app.router.add_get("/stream", trade_stream(sandbox))
    app.router.add_get(_STOCK_FEEDS, data_stream(sandbox, StreamKind.STOCKS))
    app.router.add_get(_OPTION_FEEDS, data_stream(sandbox, StreamKind.OPTIONS))
    app.router.add_route("*", "/{tail:.*}", endpoint(sandbox, _no_endpoint, Budget.TRADING))
    sandbox.exchange.on_order.append(announce_orders(sandbox))
    sandbox.exchange.on_quote.append(announce_quotes(sandbox))
    app.cleanup_ctx.append(_ends_unfinished(sandbox))
    app.on_shutdown.append(_ends_streams(sandbox))
    return app


def _no_endpoint(_: Call) -> Reply:
    raise not_found("endpoint not found.")


def _ends_unfinished(sandbox: Sandbox) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_: web.Application) -> AsyncIterator[None]:
        sandbox.unfinished.add(asyncio.create_task(keep_pace(sandbox)))
        yield
        for task in sandbox.unfinished:
            task.cancel()
        await asyncio.gather(*sandbox.unfinished, return_exceptions=True)
        sandbox.exchange.archive.close()

    return context


def _ends_streams(sandbox: Sandbox) -> Callable[[web.Application], Awaitable[None]]:
    async def end(_: web.Application) -> None:
        for connection in sandbox.streams.connections(None, None):
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)

    return end
