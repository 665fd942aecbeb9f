"""Run by test_sandbox_clients with alpaca-trade-api 3.2 in an environment of its own: trades, and prints what it saw.

The URLs come from the environment variables that the client itself reads.
"""

import json
import sys
import warnings
from typing import Any

# The client is of 2023; what it does with today's pandas and setuptools is its own affair.
warnings.simplefilter("ignore")

from alpaca_trade_api.rest import (  # type: ignore[import-not-found,unused-ignore] # noqa: E402 - in the client's own environment, after its warnings
    REST,
    APIError,
    TimeFrame,
)


def main() -> None:
    """Every kind of call this client has for stocks and accounts."""
    api = REST(api_version="v2")
    seen: dict[str, Any] = {}
    account = api.get_account()
    seen["account"] = [account.account_number, account.status]
    seen["clock"] = api.get_clock().is_open
    days = api.get_calendar(start="2026-11-23", end="2026-11-30")
    seen["calendar"] = [str(day.date.date()) for day in days]
    seen["assets"] = sorted(asset.symbol for asset in api.list_assets(status="active"))
    seen["asset"] = api.get_asset("AAPL").symbol
    order = api.submit_order("AAPL", 2, "buy", "market", "day", client_order_id="old-1")
    seen["order"] = [
        order.status,
        api.get_order(order.id).status,
        api.get_order_by_client_order_id("old-1").id == order.id,
    ]
    position = api.get_position("AAPL")
    seen["position"] = [position.qty, len(api.list_positions())]
    bracket = api.submit_order(
        "MSFT",
        1,
        "buy",
        "limit",
        "gtc",
        limit_price="250",
        order_class="bracket",
        take_profit={"limit_price": "350"},
        stop_loss={"stop_price": "200", "limit_price": "199"},
    )
    seen["bracket"] = [leg["type"] for leg in bracket._raw["legs"]]
    # A read first: an order cannot be replaced while it is pending.
    seen["open"] = len(api.list_orders(status="open", nested=True))
    replaced = api.replace_order(bracket.id, limit_price="251")
    seen["replaced"] = [replaced.replaces == bracket.id, api.get_order(bracket.id).status]
    api.cancel_order(replaced.id)
    seen["cancelled"] = api.get_order(replaced.id).status
    api.submit_order("MSFT", 1, "buy", "limit", "day", limit_price="1")
    api.cancel_all_orders()
    seen["left"] = len(api.list_orders())
    closed = api.close_position("AAPL", qty=1)
    seen["closed"] = [closed.side, closed.qty]
    api.get_clock()
    seen["closed_all"] = len(api.close_all_positions())
    seen["fills"] = [activity.side for activity in api.get_activities(activity_types="FILL", direction="asc")]
    bars = api.get_bars("AAPL", TimeFrame.Day, "2026-11-16", "2026-11-20")
    seen["bars"] = len(bars)
    seen["latest"] = [api.get_latest_quote("AAPL").ap, api.get_latest_trade("AAPL").p]
    seen["snapshot"] = api.get_snapshot("AAPL").latest_quote.bp
    seen["many"] = sorted(api.get_latest_quotes(["AAPL", "MSFT"]))
    watchlist = api.create_watchlist("mine", ["AAPL"])
    api.add_to_watchlist(watchlist.id, "MSFT")
    seen["watchlist"] = [asset["symbol"] for asset in api.get_watchlist(watchlist.id).assets]
    api.delete_watchlist(watchlist.id)
    seen["configurations"] = api.update_account_configurations(no_shorting=True).no_shorting
    api.update_account_configurations(no_shorting=False)
    try:
        api.submit_order("AAPL", 1, "buy", "market", "day", client_order_id="old-1")
    except APIError as error:
        seen["duplicate"] = [error.status_code, error.code]
    json.dump(seen, sys.stdout)


main()
