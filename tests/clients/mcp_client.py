"""Run by test_sandbox_clients with alpaca-mcp-server 2.4 in an environment of its own: calls tools, prints what they gave.

The server takes the market-data URL from its environment; the trading URL it has no variable for, so that one
entry of its table of URLs is set.
"""

import asyncio
import json
import os
import sys
from typing import Any

from alpaca_mcp_server import server  # type: ignore[import-not-found,unused-ignore] # in the client's own environment
from fastmcp import Client  # type: ignore[import-not-found,unused-ignore] # in the client's own environment
from fastmcp.exceptions import ToolError  # type: ignore[import-not-found,unused-ignore] # in the client's own environment

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_account_info", {}),
    ("get_account_config", {}),
    ("get_clock", {}),
    ("get_calendar", {"start": "2026-11-23", "end": "2026-11-30"}),
    ("get_all_assets", {}),
    ("get_asset", {"symbol_or_asset_id": "AAPL"}),
    ("get_option_contracts", {"underlying_symbols": "AAPL", "expiration_date_gte": "2030-01-01"}),
    ("place_stock_order", {"symbol": "AAPL", "side": "buy", "qty": "2", "type": "market", "time_in_force": "day"}),
    (
        "place_option_order",
        {
            "type": "market", "time_in_force": "day", "qty": "1", "symbol": "AAPL301220C00200000", "side": "buy",
            "position_intent": "buy_to_open",
        },
    ),
    ("get_orders", {"status": "all"}),
    ("get_all_positions", {}),
    ("get_open_position", {"symbol_or_asset_id": "AAPL"}),
    ("get_account_activities", {}),
    ("get_portfolio_history", {"period": "1D"}),
    ("get_stock_bars", {"symbols": "AAPL", "timeframe": "1Day", "start": "2026-11-16", "end": "2026-11-20"}),
    ("get_stock_latest_quote", {"symbols": "AAPL"}),
    ("get_stock_latest_trade", {"symbols": "AAPL"}),
    ("get_stock_latest_bar", {"symbols": "AAPL"}),
    ("get_stock_snapshot", {"symbols": "AAPL"}),
    ("get_option_snapshot", {"symbols": "AAPL301220C00200000"}),
    ("get_option_chain", {"underlying_symbol": "AAPL"}),
    ("get_option_latest_quote", {"symbols": "AAPL301220C00200000"}),
    ("create_watchlist", {"name": "mcp", "symbols": ["AAPL"]}),
    ("get_watchlists", {}),
    ("close_position", {"symbol_or_asset_id": "AAPL"}),
    ("cancel_all_orders", {}),
    ("close_all_positions", {"cancel_orders": True}),
]  # fmt: skip


async def main() -> None:
    """Call every tool; a tool that fails is reported as its error."""
    server.TRADING_API_BASE_URLS["paper"] = os.environ["SANDBOX_URL"]
    seen: dict[str, Any] = {}
    async with Client(server.build_server()) as client:
        known = {tool.name for tool in await client.list_tools()}
        for name, arguments in CALLS:
            if name not in known:
                seen[name] = {"unknown": sorted(known)}
                continue
            try:
                result = await client.call_tool(name, arguments)
                seen[name] = result.structured_content
            except ToolError as error:
                seen[name] = {"error": str(error)}
    json.dump(seen, sys.stdout)


asyncio.run(main())
