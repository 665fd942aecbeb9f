"""Quotes, bars and chains as the former service showed them; pure."""

from collections.abc import Sequence
from datetime import UTC
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from broker.option_symbol import OptionRight, OptionSymbol
from gateway.legacy.numbers import number, number_or_none
from gateway.legacy.time_formats import eastern_with_zone
from opitios.account.v1.market_data_pb2 import Bar, Greeks, OptionContractQuote, Quote
from opitios.account.v1.market_data_service_pb2 import GetOptionChainResponse
from opitios.legacy.v1 import legacy_api_pb2 as legacy

SHOWN_CONTRACTS: Final = 100
"""A chain's first so many; the count tells of the others."""

_RIGHT_WORDS: Final = {OptionRight.CALL: "call", OptionRight.PUT: "put"}


def stock_quote_view(quote: Quote) -> legacy.StockQuoteView:
    """A stock's best bid and ask."""
    return legacy.StockQuoteView(
        symbol=quote.symbol,
        bid_price=number_or_none(quote.bid_price),
        ask_price=number_or_none(quote.ask_price),
        bid_size=number(quote.bid_size),
        ask_size=number(quote.ask_size),
        timestamp=_eastern(quote.quoted_at) if quote.HasField("quoted_at") else None,
    )


def option_quote_view(symbol: str, contract: OptionSymbol, quote: Quote) -> legacy.OptionQuoteView:
    """A contract's best bid and ask, under its symbol as it was asked for."""
    return legacy.OptionQuoteView(
        symbol=symbol,
        underlying_symbol=contract.root,
        strike_price=float(contract.strike_price),
        expiration_date=contract.expiration_date.isoformat(),
        option_type=_RIGHT_WORDS[contract.right],
        bid_price=number_or_none(quote.bid_price),
        ask_price=number_or_none(quote.ask_price),
        bid_size=number(quote.bid_size),
        ask_size=number(quote.ask_size),
        timestamp=_eastern(quote.quoted_at),
    )


def bar_view(bar: Bar) -> legacy.BarView:
    """One price bar."""
    return legacy.BarView(
        timestamp=_eastern(bar.started_at),
        open=number(bar.open),
        high=number(bar.high),
        low=number(bar.low),
        close=number(bar.close),
        volume=number(bar.volume),
        trade_count=bar.trade_count if bar.HasField("trade_count") else None,
        vwap=number_or_none(bar.vwap),
    )


def chain_view(chain: GetOptionChainResponse) -> legacy.OptionChainView:
    """A chain: its expiries, how many contracts it has, and the first of them."""
    contracts: Sequence[OptionContractQuote] = chain.contracts
    return legacy.OptionChainView(
        underlying_symbol=chain.underlying_symbol,
        underlying_price=number_or_none(chain.underlying_price),
        expiration_dates=sorted({one.expiration_date for one in contracts}),
        options_count=len(contracts),
        quote_failures=sum(not one.HasField("quote") for one in contracts),
        options=[_contract_view(one) for one in contracts[:SHOWN_CONTRACTS]],
    )


def _contract_view(contract: OptionContractQuote) -> legacy.ChainOptionView:
    quote = contract.quote if contract.HasField("quote") else None
    return legacy.ChainOptionView(
        symbol=contract.symbol,
        underlying_symbol=contract.underlying_symbol,
        strike_price=number(contract.strike_price),
        expiration_date=contract.expiration_date,
        option_type=contract.option_type,
        bid_price=None if quote is None else number_or_none(quote.bid_price),
        ask_price=None if quote is None else number_or_none(quote.ask_price),
        bid_size=None if quote is None else number(quote.bid_size),
        ask_size=None if quote is None else number(quote.ask_size),
        last_price=None if quote is None else number_or_none(quote.last_price),
        implied_volatility=number_or_none(contract.implied_volatility),
        greeks=_greeks_view(contract.greeks) if contract.HasField("greeks") else None,
    )


def _greeks_view(greeks: Greeks) -> legacy.GreeksView:
    return legacy.GreeksView(
        delta=number_or_none(greeks.delta),
        gamma=number_or_none(greeks.gamma),
        theta=number_or_none(greeks.theta),
        vega=number_or_none(greeks.vega),
        rho=number_or_none(greeks.rho),
    )


def _eastern(moment: Timestamp) -> str:
    return eastern_with_zone(moment.ToDatetime(tzinfo=UTC))
