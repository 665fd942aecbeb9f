"""Market data: latest quotes, latest trades and snapshots of stocks and options."""

import re
from collections.abc import Callable

from sandbox import market_json
from sandbox.calls import Call, Reply
from sandbox.contract_filter import read_contract_filter
from sandbox.errors import AlpacaError, bad_data_request
from sandbox.instant import Instant
from sandbox.option_symbol import find_option_symbol
from sandbox.paging import page_of
from sandbox.quotes import Quote

Json = dict[str, object]
_Shape = Callable[[Quote, Instant], Json]

_STOCK_SYMBOL = re.compile(r"[A-Z]{1,6}([./][A-Z]{1,4})?")
_MOST_OPTION_SYMBOLS = 100
_DEFAULT_CHAIN, _MOST_CHAIN = 100, 1_000


def stock_quotes(call: Call) -> Reply:
    """GET /v2/stocks/quotes/latest."""
    return Reply(body={"quotes": _of_stocks(call, market_json.stock_quote_json)})


def stock_trades(call: Call) -> Reply:
    """GET /v2/stocks/trades/latest."""
    return Reply(body={"trades": _of_stocks(call, market_json.stock_trade_json, traded=True)})


def stock_snapshots(call: Call) -> Reply:
    """GET /v2/stocks/snapshots: the map itself, without a wrapping key."""
    return Reply(body=_of_stocks(call, market_json.stock_snapshot_json))


def stock_quote(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/quotes/latest."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, "quote": market_json.stock_quote_json(quote, _stamp(call, quote))})


def stock_trade(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/trades/latest."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, "trade": market_json.stock_trade_json(quote, _stamp(call, quote))})


def stock_snapshot(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/snapshot."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, **market_json.stock_snapshot_json(quote, _stamp(call, quote))})


def option_quotes(call: Call) -> Reply:
    """GET /v1beta1/options/quotes/latest."""
    return Reply(body={"quotes": _of_options(call, market_json.option_quote_json)})


def option_trades(call: Call) -> Reply:
    """GET /v1beta1/options/trades/latest."""
    return Reply(body={"trades": _of_options(call, market_json.option_trade_json, traded=True)})


def option_snapshots(call: Call) -> Reply:
    """GET /v1beta1/options/snapshots."""
    found = _of_options(call, market_json.option_snapshot_json)
    return Reply(body={"snapshots": found, "next_page_token": None})


def option_chain(call: Call) -> Reply:
    """GET /v1beta1/options/snapshots/{underlying_symbol}, filtered and paged."""
    limit, quotes = _limit(call), call.exchange.quotes
    try:
        wanted = read_contract_filter(call.query, frozenset({call.parts["underlying_symbol"]}))
        contracts = call.exchange.catalogue.contracts()
        symbols = sorted(each.symbol for each in contracts if each.symbol in quotes and wanted.matches(each))
        page, token = page_of(symbols, call.query.get("page_token"), limit)
    except ValueError as error:
        raise bad_data_request(str(error)) from None
    shown = {symbol: _shown(call, market_json.option_snapshot_json, quotes[symbol]) for symbol in page}
    return Reply(body={"snapshots": shown, "next_page_token": token})


def _of_stocks(call: Call, shape: _Shape, *, traded: bool = False) -> Json:
    symbols = _symbols(call)
    for symbol in symbols:
        _check_stock_symbol(symbol)
    return _shaped(call, symbols, shape, traded=traded)


def _of_options(call: Call, shape: _Shape, *, traded: bool = False) -> Json:
    symbols = _symbols(call)
    if len(symbols) > _MOST_OPTION_SYMBOLS:
        raise bad_data_request(
            f"too many symbols: {len(symbols)}, at most {_MOST_OPTION_SYMBOLS} are allowed"
        )
    for symbol in symbols:
        if find_option_symbol(symbol) is None:
            raise bad_data_request(f"invalid symbol: {symbol}")
    return _shaped(call, symbols, shape, traded=traded)


def _shaped(call: Call, symbols: tuple[str, ...], shape: _Shape, *, traded: bool) -> Json:
    """Symbols without a quote are simply absent, as at Alpaca."""
    quotes = call.exchange.quotes
    return {
        symbol: _shown(call, shape, quotes[symbol])
        for symbol in symbols
        if symbol in quotes and (quotes[symbol].last or not traded)
    }


def _shown(call: Call, shape: _Shape, quote: Quote) -> Json:
    return shape(quote, _stamp(call, quote))


def _stamp(call: Call, quote: Quote) -> Instant:
    calendar = call.exchange.calendar
    is_open, last_close = calendar.is_open(call.now), calendar.last_close(call.now)
    return quote.stamp(call.now, market_is_open=is_open, last_close=last_close)


def _symbols(call: Call) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(call.listed("symbols")))
    if not symbols:
        raise bad_data_request("symbols is required")
    return symbols


def _check_stock_symbol(symbol: str) -> None:
    if _STOCK_SYMBOL.fullmatch(symbol) is None:
        raise bad_data_request(f"invalid symbol: {symbol}")


def _one_stock(call: Call) -> tuple[str, Quote]:
    symbol = call.parts["symbol"]
    _check_stock_symbol(symbol)
    quote = call.exchange.quotes.get(symbol)
    if quote is None:
        raise AlpacaError(404, None, f"no data found for {symbol}")
    return symbol, quote


def _limit(call: Call) -> int:
    try:
        return call.whole("limit", _DEFAULT_CHAIN, most=_MOST_CHAIN)
    except AlpacaError as error:
        raise bad_data_request(error.message) from None
