"""Answers written: domain values to messages, decimals as text, moments as Timestamps."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from google.protobuf.timestamp_pb2 import Timestamp

from account_svc.accounts import Listed
from account_svc.balance_report import BalanceReport
from account_svc.hold import Hold
from account_svc.market_data import Chain, Prices
from account_svc.positions import HeldPositions
from account_svc.verdict import Authorisation, Verdict
from broker.account_type import AccountType, VerdictSource
from broker.bars import Bar
from broker.option_chain import Greeks, OptionSnapshot
from broker.option_symbol import OptionRight
from broker.reports import AccountReading, BrokerPosition, MarketClock, PositionSide, Quote, Trade
from opitios.account.v1 import (
    account_pb2,
    account_service_pb2,
    market_data_pb2,
    market_data_service_pb2,
)

_TYPES = MappingProxyType(
    {
        None: account_pb2.ACCOUNT_TYPE_UNSPECIFIED,
        AccountType.PAPER: account_pb2.ACCOUNT_TYPE_PAPER,
        AccountType.LIVE: account_pb2.ACCOUNT_TYPE_LIVE,
    }
)
_SOURCES = MappingProxyType(
    {
        None: account_pb2.ACCOUNT_TYPE_SOURCE_UNSPECIFIED,
        VerdictSource.DETECTED: account_pb2.ACCOUNT_TYPE_SOURCE_DETECTED,
        VerdictSource.OVERRIDDEN: account_pb2.ACCOUNT_TYPE_SOURCE_OVERRIDDEN,
    }
)
_VERDICTS = MappingProxyType(
    {
        Verdict.ALLOWED: account_pb2.BALANCE_VERDICT_ALLOWED,
        Verdict.BELOW: account_pb2.BALANCE_VERDICT_BELOW,
        Verdict.UNKNOWN: account_pb2.BALANCE_VERDICT_UNKNOWN,
    }
)


def authorisation(answer: Authorisation) -> account_service_pb2.AuthorizeOrderResponse:
    """The guard's answer to one order."""
    hold = answer.hold
    return account_service_pb2.AuthorizeOrderResponse(
        verdict=_VERDICTS[answer.verdict],
        account_id=answer.standing.account_id,
        account_number=answer.standing.account_number or "",
        account_type=_TYPES[answer.standing.account_type],
        cash=_text(answer.cash),
        holds_total=_text(answer.held_by_others),
        minimum_balance=_text(answer.minimum),
        reason="" if answer.reason is None else answer.reason.value,
        message=answer.message,
        hold_amount="" if hold is None or hold.whole_headroom else _text(hold.amount),
        valid_for_ms=int(answer.valid_seconds * 1000),
    )


def balance(report: BalanceReport) -> account_service_pb2.CheckBalanceResponse:
    """Every figure of an account's guard."""
    return account_service_pb2.CheckBalanceResponse(
        account_id=report.standing.account_id,
        account_number=report.standing.account_number or "",
        account_type=_TYPES[report.standing.account_type],
        verdict=_VERDICTS[report.verdict],
        reason=report.reason,
        cash=_text(report.cash),
        holds_total=_text(report.held.total),
        minimum_balance=_text(report.minimum.amount),
        minimum_balance_key=report.minimum.key,
        headroom=_text(report.headroom),
        read_at=_stamp(report.read_at),
        holds=[_hold(hold) for hold in report.holds],
        mode=report.policy.mode.value,
        check_enabled=report.policy.enabled,
    )


def account(listed: Listed) -> account_pb2.Account:
    """What is known of an account without asking the broker again."""
    return account_pb2.Account(
        account_id=listed.account_id,
        name=listed.name,
        account_number=listed.account_number or "",
        account_type=_TYPES[listed.account_type],
        account_type_source=_SOURCES[listed.source],
        enabled=listed.enabled,
        tradable=listed.tradable,
        reason=listed.reason,
        minimum_balance=_text(listed.minimum.amount),
        paper_trading=listed.paper_trading,
    )


def snapshot(listed: Listed, reading: AccountReading) -> account_pb2.AccountSnapshot:
    """An account as the broker reported it."""
    return account_pb2.AccountSnapshot(
        account=account(listed),
        status=reading.status,
        cash=_text(reading.cash),
        buying_power=_text(reading.buying_power),
        options_buying_power=_text(reading.options_buying_power),
        equity=_text(reading.equity),
        last_equity=_text(reading.last_equity),
        portfolio_value=_text(reading.portfolio_value),
        multiplier=_text(reading.multiplier),
        currency=reading.currency,
        trading_blocked=reading.trading_blocked,
        account_blocked=reading.account_blocked,
        trade_suspended_by_user=reading.trade_suspended_by_user,
        options_trading_level=reading.options_trading_level or 0,
        pattern_day_trader=False,
        read_at=_stamp(reading.requested_at),
    )


def positions(entries: Sequence[HeldPositions]) -> account_service_pb2.ListPositionsResponse:
    """One entry an account, with its positions or why they are not known."""
    return account_service_pb2.ListPositionsResponse(accounts=[_positions(entry) for entry in entries])


def stock_quotes(symbols: Sequence[str], prices: Prices) -> market_data_service_pb2.GetStockQuotesResponse:
    """The quotes in the order asked for, and the symbols without one."""
    return market_data_service_pb2.GetStockQuotesResponse(
        quotes=_quotes(symbols, prices), missing=_missing(symbols, prices)
    )


def option_quotes(symbols: Sequence[str], prices: Prices) -> market_data_service_pb2.GetOptionQuotesResponse:
    """The quotes in the order asked for, and the contracts without one."""
    return market_data_service_pb2.GetOptionQuotesResponse(
        quotes=_quotes(symbols, prices), missing=_missing(symbols, prices)
    )


def stock_bars(symbol: str, bars: Sequence[Bar]) -> market_data_service_pb2.GetStockBarsResponse:
    """The bars of one stock, oldest first."""
    return market_data_service_pb2.GetStockBarsResponse(symbol=symbol, bars=[_bar(bar) for bar in bars])


def option_chain(chain: Chain) -> market_data_service_pb2.GetOptionChainResponse:
    """The contracts of one underlying with what is known of their prices."""
    return market_data_service_pb2.GetOptionChainResponse(
        underlying_symbol=chain.underlying_symbol,
        underlying_price=_optional(chain.underlying_price),
        contracts=[_contract(chain.underlying_symbol, one) for one in chain.contracts],
    )


def market_clock(clock: MarketClock) -> market_data_service_pb2.GetMarketClockResponse:
    """The broker's clock."""
    return market_data_service_pb2.GetMarketClockResponse(
        now=_stamp(clock.at),
        is_open=clock.is_open,
        next_open=_stamp(clock.next_open),
        next_close=_stamp(clock.next_close),
    )


def _positions(entry: HeldPositions) -> account_pb2.AccountPositions:
    listing = entry.listing
    return account_pb2.AccountPositions(
        account_id=entry.account_id,
        positions=() if listing is None else [_position(entry.account_id, one) for one in listing.items],
        error=entry.problem,
        read_at=_stamp(entry.read_at),
        unreadable=() if listing is None else listing.unreadable,
    )


def _position(account_id: str, position: BrokerPosition) -> account_pb2.Position:
    sign = -1 if position.side is PositionSide.SHORT else 1
    available = position.qty_available
    return account_pb2.Position(
        account_id=account_id,
        asset_id=position.asset_id,
        symbol=position.symbol,
        asset_class=position.asset_class,
        qty=_text(sign * position.qty),
        qty_available=_text(None if available is None else sign * available),
        side=position.side.value,
        avg_entry_price=_text(position.avg_entry_price),
        current_price=_optional(position.current_price),
        market_value=_optional(position.market_value),
        cost_basis=_optional(position.cost_basis),
        unrealized_pl=_optional(position.unrealized_pl),
        unrealized_plpc=_optional(position.unrealized_plpc),
        lastday_price=_optional(position.lastday_price),
    )


def _quotes(symbols: Sequence[str], prices: Prices) -> list[market_data_pb2.Quote]:
    return [
        _quote(prices.quotes[symbol], prices.trades.get(symbol))
        for symbol in symbols
        if symbol in prices.quotes
    ]


def _missing(symbols: Sequence[str], prices: Prices) -> list[str]:
    return [symbol for symbol in symbols if symbol not in prices.quotes]


def _quote(quote: Quote, trade: Trade | None) -> market_data_pb2.Quote:
    return market_data_pb2.Quote(
        symbol=quote.symbol,
        bid_price=_price(quote.bid),
        ask_price=_price(quote.ask),
        bid_size=_text(quote.bid_size),
        ask_size=_text(quote.ask_size),
        quoted_at=_stamp(quote.at),
        last_price=None if trade is None else _text(trade.price),
        last_at=None if trade is None else _stamp(trade.at),
    )


def _bar(bar: Bar) -> market_data_pb2.Bar:
    return market_data_pb2.Bar(
        started_at=_stamp(bar.started_at),
        open=_text(bar.open),
        high=_text(bar.high),
        low=_text(bar.low),
        close=_text(bar.close),
        volume=_text(bar.volume),
        trade_count=bar.trade_count,
        vwap=_optional(bar.vwap),
    )


def _contract(underlying_symbol: str, snapshot: OptionSnapshot) -> market_data_pb2.OptionContractQuote:
    contract, greeks = snapshot.contract, snapshot.greeks
    return market_data_pb2.OptionContractQuote(
        symbol=str(contract),
        underlying_symbol=underlying_symbol,
        strike_price=_text(contract.strike_price),
        expiration_date=contract.expiration_date.isoformat(),
        option_type="call" if contract.right is OptionRight.CALL else "put",
        quote=None if snapshot.quote is None else _quote(snapshot.quote, snapshot.trade),
        implied_volatility=_optional(snapshot.implied_volatility),
        greeks=None if greeks is None else _greeks(greeks),
    )


def _greeks(greeks: Greeks) -> market_data_pb2.Greeks:
    return market_data_pb2.Greeks(
        delta=_optional(greeks.delta),
        gamma=_optional(greeks.gamma),
        theta=_optional(greeks.theta),
        vega=_optional(greeks.vega),
        rho=_optional(greeks.rho),
    )


def _hold(hold: Hold) -> account_pb2.Hold:
    return account_pb2.Hold(
        hold_id=hold.hold_id,
        amount=_text(hold.amount),
        held_at=_stamp(hold.held_at),
        symbol=hold.symbol,
        whole_headroom=hold.whole_headroom,
    )


def _price(price: Decimal) -> str | None:
    # The broker writes 0 for "nobody bids"; as a price it would be wrong.
    return None if price <= 0 else _text(price)


def _text(value: Decimal | None) -> str:
    return "" if value is None else f"{value:f}"


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else _text(value)


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
