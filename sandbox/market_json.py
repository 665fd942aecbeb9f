"""The JSON objects of the market-data API: one-letter keys, prices as JSON numbers."""

from decimal import Decimal

from sandbox.greeks import Greeks
from sandbox.instant import Instant, rfc3339
from sandbox.price_history import Bar
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


def bar_json(bar: Bar) -> Json:
    """A bar."""
    return {
        "t": rfc3339(bar.at),
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "n": bar.trades,
        "vw": bar.vwap,
    }


def greeks_json(greeks: Greeks) -> Json:
    """Greeks and the volatility they are at, as an option snapshot holds them."""
    return {
        "greeks": {
            "delta": greeks.delta,
            "gamma": greeks.gamma,
            "theta": greeks.theta,
            "vega": greeks.vega,
            "rho": greeks.rho,
        },
        "impliedVolatility": greeks.implied_volatility,
    }


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
