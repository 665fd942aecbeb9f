"""Quotes, bars and chains as account_svc would answer them."""

from typing import Any

from opitios.account.v1 import market_data_pb2 as market
from opitios.account.v1 import market_data_service_pb2 as service

CALL = "AAPL301220C00200000"
PUT = "AAPL301220P00190000"
LATER = "AAPL310117C00150500"
QUOTED = "2025-09-18T19:53:53.783132Z"


def quote(symbol: str, **changes: Any) -> market.Quote:
    """A quote of 19:53:53 UTC, which is 15:53:53 in summer's New York."""
    values: dict[str, Any] = {"bid_price": "190", "ask_price": "190.02", "bid_size": "3", "ask_size": "5"}
    found = market.Quote(
        symbol=symbol, **{name: value for name, value in {**values, **changes}.items() if value is not None}
    )
    found.quoted_at.FromJsonString(QUOTED)
    return found


def stock_quotes(*quotes: market.Quote, missing: tuple[str, ...] = ()) -> service.GetStockQuotesResponse:
    return service.GetStockQuotesResponse(quotes=quotes, missing=missing)


def option_quotes(*quotes: market.Quote, missing: tuple[str, ...] = ()) -> service.GetOptionQuotesResponse:
    return service.GetOptionQuotesResponse(quotes=quotes, missing=missing)


def bars() -> service.GetStockBarsResponse:
    """Two bars, one in each half of the New York year."""
    summer = market.Bar(
        open="238.97",
        high="240.1",
        low="237.7",
        close="239",
        volume="46508017",
        trade_count=531245,
        vwap="239.5",
    )
    summer.started_at.FromJsonString("2025-09-17T04:00:00Z")
    winter = market.Bar(open="1", high="2", low="0.5", close="1.5", volume="10")
    winter.started_at.FromJsonString("2025-12-17T05:00:00Z")
    return service.GetStockBarsResponse(symbol="AAPL", bars=[summer, winter])


def contract(symbol: str, **changes: Any) -> market.OptionContractQuote:
    """A contract of which nothing is known but its terms."""
    terms = {
        CALL: ("200.000", "2030-12-20", "call"),
        PUT: ("190.000", "2030-12-20", "put"),
        LATER: ("150.500", "2031-01-17", "call"),
    }
    strike, expiry, right = terms[symbol]
    return market.OptionContractQuote(
        symbol=symbol,
        underlying_symbol="AAPL",
        strike_price=strike,
        expiration_date=expiry,
        option_type=right,
        **changes,
    )


def chain(
    *contracts: market.OptionContractQuote, price: str | None = "190.02"
) -> service.GetOptionChainResponse:
    return service.GetOptionChainResponse(
        underlying_symbol="AAPL", underlying_price=price, contracts=contracts
    )
