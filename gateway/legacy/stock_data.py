"""Stock quotes and bars."""

from typing import Final

from gateway.legacy.bars_range import DEFAULT_TIMEFRAME, BarsRange, bars_range, known_timeframe
from gateway.legacy.bodies import DEFAULT_LIMIT
from gateway.legacy.clients import BARS_SECONDS, READ_SECONDS, Services, answer_of
from gateway.legacy.data_account import STOCK_ACCOUNT, DataAccount
from gateway.legacy.data_errors import DATA_PLAN_TOO_SMALL, Fields, data_problem, plan_too_small, unavailable
from gateway.legacy.errors import read_problem
from gateway.legacy.market_views import bar_view, stock_quote_view
from gateway.legacy.problem import legacy_problem
from opitios.account.v1 import market_data_service_pb2 as service
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.clock import Clock
from runtime.errors import ServiceError

MAX_SYMBOLS: Final = 20
MAX_BARS: Final = 10_000
BARS_UNAVAILABLE: Final = "STOCK_BARS_UNAVAILABLE"
_NO_BARS: Final = "No historical bar data available from Alpaca for this symbol and timeframe"


class StockDataRoutes:
    """Reads stock quotes and bars."""

    def __init__(self, services: Services, *, any_account: bool, clock: Clock) -> None:
        self._market = services.market_data
        self._account = DataAccount(STOCK_ACCOUNT, any_account=any_account)
        self._clock = clock

    async def get_quote(self, request: legacy.GetStockQuoteRequest) -> legacy.GetStockQuoteResponse:
        """One stock's quote; raises HttpProblem."""
        symbol = request.symbol.upper()
        found = await self._quotes([symbol], request.account_id)
        if not found.quotes:
            raise legacy_problem(400, f"No quote data found for {symbol}")
        return legacy.GetStockQuoteResponse(quote=stock_quote_view(found.quotes[0]))

    async def get_quotes(self, request: legacy.GetStockQuotesRequest) -> legacy.GetStockQuotesResponse:
        """Quotes in the order asked for, each symbol as often as it was; raises HttpProblem."""
        symbols = list(request.wanted.symbols)
        if not symbols:
            raise legacy_problem(400, "At least one symbol is required")
        if len(symbols) > MAX_SYMBOLS:
            raise legacy_problem(400, f"Maximum {MAX_SYMBOLS} symbols allowed per request")
        answer = await self._quotes(symbols, request.account_id)
        found = {quote.symbol: quote for quote in answer.quotes}
        entries = [
            legacy.StockQuoteEntry(quote=stock_quote_view(found[symbol]))
            if symbol in found
            else legacy.StockQuoteEntry(
                error=legacy.StockQuoteError(symbol=symbol, error=f"No quote data found for {symbol}")
            )
            for symbol in symbols
        ]
        return legacy.GetStockQuotesResponse(quotes=entries, count=len(entries), requested_symbols=symbols)

    async def get_bars(self, request: legacy.GetStockBarsRequest) -> legacy.GetStockBarsResponse:
        """The bars of one stock, oldest first; raises HttpProblem, also for none."""
        symbol, timeframe = request.symbol.upper(), request.timeframe or DEFAULT_TIMEFRAME
        fields: Fields = {"symbol": symbol, "timeframe": timeframe}
        span = bars_range(timeframe, request.start_date, request.end_date, self._clock.now())
        limit = min(request.limit if request.HasField("limit") else DEFAULT_LIMIT, MAX_BARS)
        asked = service.GetStockBarsRequest(symbol=symbol, timeframe=known_timeframe(timeframe), limit=limit)
        _set_span(asked, span, fields)
        found = await self._bars(asked, request.account_id, fields)
        if not found.bars:
            error = f"No bar data found for {symbol}"
            raise unavailable(error, code=BARS_UNAVAILABLE, fields=fields, message=_NO_BARS)
        return legacy.GetStockBarsResponse(
            symbol=symbol,
            timeframe=timeframe,
            start_date=span.start_date,
            end_date=span.end_date,
            bars_count=len(found.bars),
            bars=[bar_view(bar) for bar in found.bars],
        )

    async def _quotes(self, symbols: list[str], account_id: str) -> service.GetStockQuotesResponse:
        async def ask(account: str) -> service.GetStockQuotesResponse:
            asked = service.GetStockQuotesRequest(symbols=symbols, account_id=account)
            return await answer_of(self._market.GetStockQuotes(asked, timeout=READ_SECONDS))

        try:
            return await self._account.read(account_id, ask)
        except ServiceError as error:
            raise read_problem(error, account_id) from error

    async def _bars(
        self, asked: service.GetStockBarsRequest, account_id: str, fields: Fields
    ) -> service.GetStockBarsResponse:
        async def ask(account: str) -> service.GetStockBarsResponse:
            asked.account_id = account
            return await answer_of(self._market.GetStockBars(asked, timeout=BARS_SECONDS))

        try:
            return await self._account.read(account_id, ask)
        except ServiceError as error:
            if error.reason == DATA_PLAN_TOO_SMALL:
                raise plan_too_small(error, fields) from error
            raise data_problem(
                error, account_id, code=BARS_UNAVAILABLE, fields=fields, message=_NO_BARS
            ) from error


def _set_span(asked: service.GetStockBarsRequest, span: BarsRange, fields: Fields) -> None:
    try:
        asked.start.FromDatetime(span.start)
        asked.end.FromDatetime(span.end)
    except ValueError as error:
        raise unavailable(str(error), code=BARS_UNAVAILABLE, fields=fields, message=_NO_BARS) from None
