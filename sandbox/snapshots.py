"""Snapshots: the latest of everything about a symbol at once."""

from sandbox import market_json
from sandbox.bars import BarSource
from sandbox.calls import Call
from sandbox.greeks import OptionTerms, find_greeks
from sandbox.instant import SECOND, Instant
from sandbox.instruments import OptionContract
from sandbox.option_symbol import OptionType
from sandbox.price_history import Bar
from sandbox.quotes import Quote

Json = dict[str, object]

_YEAR_S = 365 * 86_400


def stock_snapshot_of(call: Call, symbol: str, quote: Quote) -> Json:
    """Quote, trade and bars of a stock; what there is none of is null."""
    at = stamp_of(call, quote)
    bars = _bars(call, symbol)
    return {
        "latestTrade": market_json.stock_trade_json(quote, at) if quote.last else None,
        "latestQuote": market_json.stock_quote_json(quote, at),
        **{name: market_json.bar_json(bar) if bar is not None else None for name, bar in bars.items()},
    }


def option_snapshot_of(call: Call, symbol: str, quote: Quote) -> Json:
    """Quote, trade, bars and greeks of an option; what there is none of is left out, as Alpaca does."""
    at = stamp_of(call, quote)
    shown: Json = {"latestQuote": market_json.option_quote_json(quote, at)}
    if quote.last:
        shown["latestTrade"] = market_json.option_trade_json(quote, at)
    for name, bar in _bars(call, symbol).items():
        if bar is not None:
            shown[name] = market_json.bar_json(bar)
    contract = call.exchange.instrument(symbol)
    if isinstance(contract, OptionContract):
        shown |= _greeks_of(call, contract, quote)
    return shown


def stamp_of(call: Call, quote: Quote) -> Instant:
    """The time stamp a quote is shown with."""
    calendar = call.exchange.calendar
    is_open, last_close = calendar.is_open(call.now), calendar.last_close(call.now)
    return quote.stamp(call.now, market_is_open=is_open, last_close=last_close)


def _bars(call: Call, symbol: str) -> dict[str, Bar | None]:
    calendar = call.exchange.calendar
    source = BarSource(history=call.exchange.history, calendar=calendar, now=call.now)
    today = calendar.index_at(call.now)
    if not call.exchange.history.knows(symbol):
        return {"minuteBar": None, "dailyBar": None, "prevDailyBar": None}
    session, before = calendar.at_index(today), calendar.at_index(max(today - 1, 0))
    return {
        "minuteBar": source.last_minute(symbol, session),
        "dailyBar": source.day(symbol, session),
        "prevDailyBar": source.day(symbol, before),
    }


def _greeks_of(call: Call, contract: OptionContract, quote: Quote) -> Json:
    spot = call.exchange.quotes.get(contract.underlying_symbol)
    if spot is None or not (quote.bid and quote.ask):
        return {}
    ends = call.exchange.calendar.last_on_or_before(contract.expiration_date).close
    terms = OptionTerms(
        is_call=contract.option_type is OptionType.CALL,
        spot=float(spot.mark),
        strike=float(contract.strike_price),
        years=(ends - call.now) / SECOND / _YEAR_S,
    )
    greeks = find_greeks(terms, float((quote.bid + quote.ask) / 2))
    return {} if greeks is None else market_json.greeks_json(greeks)
