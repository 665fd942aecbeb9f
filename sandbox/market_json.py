"""The JSON objects of the market-data API: one-letter keys, prices as JSON numbers."""

from decimal import Decimal

from sandbox.instant import Instant, rfc3339
from sandbox.quotes import Quote

Json = dict[str, object]


def stock_quote_json(quote: Quote, at: Instant) -> Json:
    """The best bid and ask of a stock; sizes are shares."""
    return {**_touch(quote, "V", at), "c": ["R"], "z": "C"}


def option_quote_json(quote: Quote, at: Instant) -> Json:
    """The best bid and ask of an option; sizes are contracts."""
    return {**_touch(quote, "A", at), "c": " "}


def stock_trade_json(quote: Quote, at: Instant) -> Json:
    """The last trade of a stock."""
    return {**_trade(quote, "V", at), "s": 100, "c": ["@"], "i": 1, "z": "C"}


def option_trade_json(quote: Quote, at: Instant) -> Json:
    """The last trade of an option."""
    return {**_trade(quote, "A", at), "s": 1, "c": "a"}


def stock_snapshot_json(quote: Quote, at: Instant) -> Json:
    """Quote and trade of a stock; there are no bars before trades are recorded, and Alpaca allows null."""
    return {
        "latestTrade": stock_trade_json(quote, at) if quote.last else None,
        "latestQuote": stock_quote_json(quote, at),
        "minuteBar": None,
        "dailyBar": None,
        "prevDailyBar": None,
    }


def option_snapshot_json(quote: Quote, at: Instant) -> Json:
    """Quote and trade of an option; absent parts are left out, as Alpaca does."""
    trade = {"latestTrade": option_trade_json(quote, at)} if quote.last else {}
    return {"latestQuote": option_quote_json(quote, at), **trade}


def _touch(quote: Quote, exchange: str, at: Instant) -> Json:
    return {
        "t": rfc3339(at),
        "bx": exchange if quote.bid else " ",
        "bp": _number(quote.bid),
        "bs": quote.bid_size if quote.bid else 0,
        "ax": exchange if quote.ask else " ",
        "ap": _number(quote.ask),
        "as": quote.ask_size if quote.ask else 0,
    }


def _trade(quote: Quote, exchange: str, at: Instant) -> Json:
    return {"t": rfc3339(at), "x": exchange, "p": _number(quote.last)}


def _number(price: Decimal) -> int | float:
    # A float only on the wire: JSON has no other number, and its shortest form gives the same digits back.
    return int(price) if price == price.to_integral_value() else float(price)
