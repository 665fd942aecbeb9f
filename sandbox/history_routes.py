"""The past of the market: bars, and one trade and one quote of every minute."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from itertools import islice

from sandbox import market_json
from sandbox.bars import BarSource, Timeframe, Unit, read_timeframe
from sandbox.calls import Call, Reply
from sandbox.errors import AlpacaError, bad_data_request
from sandbox.instant import SECOND, Instant, in_new_york, new_york_date
from sandbox.market_routes import option_symbols, stock_symbols
from sandbox.paging import read_offset, write_offset
from sandbox.price_history import MINUTE, Bar
from sandbox.quotes import Quote

Json = dict[str, object]

_DEFAULT_POINTS, _MOST_POINTS = 1_000, 10_000
_MINUTES = Timeframe(amount=1, unit=Unit.MINUTE)
_CENT = Decimal("0.01")
# How far the past goes back. Every minute of it is made up on demand, so that it must end somewhere.
_REACH = 2 * 366 * 86_400 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What a request for the past asks for."""

    symbols: tuple[str, ...]
    start: Instant
    end: Instant
    offset: int
    limit: int
    newest_first: bool


def stock_bars(call: Call) -> Reply:
    """GET /v2/stocks/bars."""
    return _many(call, stock_symbols(call), "bars", _bars(call))


def one_stock_bars(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/bars."""
    return _single(call, "bars", _bars(call))


def stock_trades(call: Call) -> Reply:
    """GET /v2/stocks/trades."""
    return _many(call, stock_symbols(call), "trades", _trades(call, market_json.stock_trade_json))


def one_stock_trades(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/trades."""
    return _single(call, "trades", _trades(call, market_json.stock_trade_json))


def stock_quotes(call: Call) -> Reply:
    """GET /v2/stocks/quotes."""
    return _many(call, stock_symbols(call), "quotes", _quotes(call))


def one_stock_quotes(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/quotes."""
    return _single(call, "quotes", _quotes(call))


def option_bars(call: Call) -> Reply:
    """GET /v1beta1/options/bars."""
    return _many(call, option_symbols(call), "bars", _bars(call))


def option_trades(call: Call) -> Reply:
    """GET /v1beta1/options/trades."""
    return _many(call, option_symbols(call), "trades", _trades(call, market_json.option_trade_json))


def latest_stock_bars(call: Call) -> Reply:
    """GET /v2/stocks/bars/latest: the minute under way, or the last one there was."""
    found = {
        symbol: market_json.bar_json(bar)
        for symbol in stock_symbols(call)
        if (bar := _latest(call, symbol)) is not None
    }
    return Reply(body={"bars": found})


def one_latest_stock_bar(call: Call) -> Reply:
    """GET /v2/stocks/{symbol}/bars/latest."""
    symbol = call.parts["symbol"]
    bar = _latest(call, symbol)
    if bar is None:
        raise AlpacaError(404, None, f"no data found for {symbol}")
    return Reply(body={"symbol": symbol, "bar": market_json.bar_json(bar)})


_Points = Callable[[str, Instant, Instant], Iterator[Json]]


def _latest(call: Call, symbol: str) -> Bar | None:
    if not call.exchange.history.knows(symbol):
        return None
    calendar = call.exchange.calendar
    return _source(call).last_minute(symbol, calendar.at_index(calendar.index_at(call.now)))


def _bars(call: Call) -> _Points:
    text = call.query.get("timeframe")
    if not text:
        raise bad_data_request("timeframe is required")
    try:
        timeframe = read_timeframe(text)
    except ValueError as error:
        raise bad_data_request(str(error)) from None
    source = _source(call)
    return lambda symbol, start, end: (
        market_json.bar_json(bar) for bar in source.bars(symbol, timeframe, start, end)
    )


def _trades(call: Call, shape: Callable[[Quote, Instant], Json]) -> _Points:
    source = _source(call)
    return lambda symbol, start, end: (
        shape(_quote_of(bar), at) for bar, at in _moments(source, symbol, start, end)
    )


def _quotes(call: Call) -> _Points:
    source = _source(call)
    return lambda symbol, start, end: (
        market_json.stock_quote_json(_quote_of(bar), at) for bar, at in _moments(source, symbol, start, end)
    )


def _moments(source: BarSource, symbol: str, start: Instant, end: Instant) -> Iterator[tuple[Bar, Instant]]:
    """The middle of every minute within a period that is over."""
    for bar in source.bars(symbol, _MINUTES, Instant(start - MINUTE), end):
        at = Instant(bar.at + MINUTE // 2)
        if start <= at <= min(end, source.now):
            yield bar, at


def _quote_of(bar: Bar) -> Quote:
    price = Decimal(str(bar.close))
    return Quote(bid=price - _CENT, ask=price + _CENT, last=price, at=bar.at)


def _source(call: Call) -> BarSource:
    return BarSource(history=call.exchange.history, calendar=call.exchange.calendar, now=call.now)


def _many(call: Call, symbols: tuple[str, ...], key: str, points: _Points) -> Reply:
    """A page of points, counted over all symbols together, in the order of symbol and time."""
    page = _read_page(call, symbols)
    found: dict[str, list[Json]] = {}
    taken = [*islice(_every(call, page, points), page.offset, page.offset + page.limit + 1)]
    for symbol, point in taken[: page.limit]:
        found.setdefault(symbol, []).append(point)
    token = write_offset(page.offset + page.limit) if len(taken) > page.limit else None
    return Reply(body={key: found, "next_page_token": token})


def _single(call: Call, key: str, points: _Points) -> Reply:
    symbol = call.parts["symbol"]
    answer = _many(call, (symbol,), key, points).body
    found, token = (answer[key], answer["next_page_token"]) if isinstance(answer, dict) else ({}, None)
    return Reply(body={"symbol": symbol, key: found.get(symbol, []), "next_page_token": token})


def _every(call: Call, page: _Page, points: _Points) -> Iterator[tuple[str, Json]]:
    for symbol in sorted(page.symbols):
        if call.exchange.history.knows(symbol):
            series = points(symbol, page.start, page.end)
            ordered = reversed([*series]) if page.newest_first else series
            yield from ((symbol, point) for point in ordered)


def _read_page(call: Call, symbols: tuple[str, ...]) -> _Page:
    """Without a start, the day begins it, as at Alpaca."""
    try:
        start, end = call.moment("start"), call.moment("end")
        limit = call.whole("limit", _DEFAULT_POINTS, most=_MOST_POINTS)
        newest_first = call.word("sort", ("asc", "desc"), "asc") == "desc"
        offset = read_offset(call.query.get("page_token"))
    except (AlpacaError, ValueError) as error:
        raise bad_data_request(getattr(error, "message", str(error))) from None
    earliest = Instant(call.now - _REACH)
    today = in_new_york(new_york_date(call.now), time(0))
    return _Page(
        symbols=symbols,
        start=today if start is None else max(start, earliest),
        end=call.now if end is None else min(end, call.now),
        offset=offset,
        limit=limit,
        newest_first=newest_first,
    )
