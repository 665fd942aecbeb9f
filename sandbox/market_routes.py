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
from sandbox.snapshots import option_snapshot_of, stamp_of, stock_snapshot_of

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
    symbols = stock_symbols(call)
    quotes = call.exchange.quotes
    found = {
        symbol: stock_snapshot_of(call, symbol, quotes[symbol]) for symbol in symbols if symbol in quotes
    }
    return Reply(body=found)


def stock_quote(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/quotes/latest."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, "quote": market_json.stock_quote_json(quote, stamp_of(call, quote))})


def stock_trade(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/trades/latest."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, "trade": market_json.stock_trade_json(quote, stamp_of(call, quote))})


def stock_snapshot(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/snapshot."""
    symbol, quote = _one_stock(call)
    return Reply(body={"symbol": symbol, **stock_snapshot_of(call, symbol, quote)})


def option_quotes(call: Call) -> Reply:
    """GET /v1beta1/options/quotes/latest."""
    return Reply(body={"quotes": _of_options(call, market_json.option_quote_json)})


def option_trades(call: Call) -> Reply:
    """GET /v1beta1/options/trades/latest."""
    return Reply(body={"trades": _of_options(call, market_json.option_trade_json, traded=True)})


def option_snapshots(call: Call) -> Reply:
    """GET /v1beta1/options/snapshots."""
    symbols, limit, quotes = option_symbols(call), _limit(call), call.exchange.quotes
    try:
        page, token = page_of(
            [symbol for symbol in symbols if symbol in quotes], call.query.get("page_token"), limit
        )
    except ValueError as error:
        raise bad_data_request(str(error)) from None
    found = {symbol: option_snapshot_of(call, symbol, quotes[symbol]) for symbol in page}
    return Reply(body={"snapshots": found, "next_page_token": token})


def option_exchanges(_: Call) -> Reply:
    """GET /v1beta1/options/meta/exchanges: the codes in use here."""
    return Reply(body={"A": "AMEX - NYSE American"})


def option_chain(call: Call) -> Reply:
    """GET /v1beta1/options/snapshots/{underlying_symbol}, filtered and paged."""
    limit, quotes = _limit(call), call.exchange.quotes
    try:
        wanted = read_contract_filter(call.query, frozenset({call.parts["underlying_symbol"]}))
        contracts = call.exchange.catalogue.contracts()
        since = call.moment("updated_since")
        symbols = sorted(
            each.symbol
            for each in contracts
            if each.symbol in quotes
            and wanted.matches(each)
            and (since is None or stamp_of(call, quotes[each.symbol]) >= since)
        )
        page, token = page_of(symbols, call.query.get("page_token"), limit)
    except ValueError as error:
        raise bad_data_request(str(error)) from None
    shown = {symbol: option_snapshot_of(call, symbol, quotes[symbol]) for symbol in page}
    return Reply(body={"snapshots": shown, "next_page_token": token})


def _of_stocks(call: Call, shape: _Shape, *, traded: bool = False) -> Json:
    return _shaped(call, stock_symbols(call), shape, traded=traded)


def _of_options(call: Call, shape: _Shape, *, traded: bool = False) -> Json:
    return _shaped(call, option_symbols(call), shape, traded=traded)


def option_symbols(call: Call) -> tuple[str, ...]:
    """The option symbols of a query; one that is malformed spoils them all."""
    symbols = _symbols(call)
    if len(symbols) > _MOST_OPTION_SYMBOLS:
        raise bad_data_request(
            f"too many symbols: {len(symbols)}, at most {_MOST_OPTION_SYMBOLS} are allowed"
        )
    for symbol in symbols:
        if find_option_symbol(symbol) is None:
            raise bad_data_request(f"invalid symbol: {symbol}")
    return symbols


def _shaped(call: Call, symbols: tuple[str, ...], shape: _Shape, *, traded: bool) -> Json:
    """Symbols without a quote are simply absent, as at Alpaca."""
    quotes = call.exchange.quotes
    return {
        symbol: _shown(call, shape, quotes[symbol])
        for symbol in symbols
        if symbol in quotes and (quotes[symbol].last or not traded)
    }


def _shown(call: Call, shape: _Shape, quote: Quote) -> Json:
    return shape(quote, stamp_of(call, quote))


def _symbols(call: Call) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(call.listed("symbols")))
    if not symbols:
        raise bad_data_request("symbols is required")
    return symbols


def stock_symbols(call: Call) -> tuple[str, ...]:
    """The stock symbols of a query; one that is malformed spoils them all."""
    symbols = _symbols(call)
    for symbol in symbols:
        _check_stock_symbol(symbol)
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
