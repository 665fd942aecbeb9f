"""The listed contracts of one underlying with their prices, from as many pages as Alpaca needs."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from alpaca.data.requests import OptionChainRequest
from alpaca.trading.enums import ContractType

from broker import report_parsing
from broker.caller import Caller, plain
from broker.option_symbol import OptionRight, OptionSymbol, UnknownOptionSymbol, parse
from broker.rate_budget import Priority
from broker.raw_json import JsonObject, UnreadableAnswer, as_object, optional_decimal
from broker.reports import Listing, Quote, Trade
from broker.symbols import path_segment

__all__ = ["ChainQuery", "Greeks", "OptionSnapshot", "parse_chain", "read_chain"]

_WORDS = {OptionRight.CALL: ContractType.CALL, OptionRight.PUT: ContractType.PUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeks:
    """Sensitivities of an option's price; `None` where the broker tells none."""

    delta: Decimal | None
    gamma: Decimal | None
    theta: Decimal | None
    vega: Decimal | None
    rho: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionSnapshot:
    """One contract and what is known of its price."""

    contract: OptionSymbol
    quote: Quote | None
    trade: Trade | None
    implied_volatility: Decimal | None
    """A fraction."""
    greeks: Greeks | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainQuery:
    """Which contracts are wanted."""

    underlying_symbol: str
    expiration_date: date | None = None
    """Only this expiry; `None` for every one."""
    right: OptionRight | None = None
    """Only calls or only puts; `None` for both."""


async def read_chain(
    caller: Caller,
    ask: Callable[[OptionChainRequest], object],
    query: ChainQuery,
    *,
    priority: Priority,
    timeout: float,
) -> Listing[OptionSnapshot]:
    """Every contract by expiry, strike and right, none left out for want of a price.

    `ask` is alpaca-py's call, which follows the pages; `timeout` covers them all.
    """
    request = OptionChainRequest(
        underlying_symbol=path_segment(query.underlying_symbol),
        expiration_date=query.expiration_date,
        type=None if query.right is None else _WORDS[query.right],
    )
    entries = await caller.read(
        lambda: ask(request),
        plain(lambda raw: as_object(raw, "the map of snapshots")),
        priority=priority,
        timeout=timeout,
    )
    # Ten thousand contracts take a second: on the event loop, every order of every account would wait for it.
    return await asyncio.to_thread(parse_chain, entries)


def parse_chain(entries: JsonObject) -> Listing[OptionSnapshot]:
    """Alpaca's map of snapshots by contract; a contract that cannot be read is named in `unreadable`."""
    found: list[OptionSnapshot] = []
    unreadable: list[str] = []
    for symbol, entry in entries.items():
        try:
            found.append(_snapshot(symbol, entry))
        except (UnreadableAnswer, UnknownOptionSymbol) as error:
            unreadable.append(f"{symbol}: {error.message}")
    found.sort(key=_order)
    return Listing(items=tuple(found), unreadable=tuple(unreadable))


def _order(snapshot: OptionSnapshot) -> tuple[date, Decimal, str, str]:
    contract = snapshot.contract
    return contract.expiration_date, contract.strike_price, contract.right.value, contract.root


def _snapshot(symbol: str, entry: object) -> OptionSnapshot:
    contract = parse(symbol)
    raw = as_object(entry, f"the snapshot of {symbol}")
    quote, trade = raw.get("latestQuote"), raw.get("latestTrade")
    greeks = raw.get("greeks")
    return OptionSnapshot(
        contract=contract,
        quote=None if quote is None else report_parsing.quote(symbol, quote),
        trade=None if trade is None else report_parsing.trade(symbol, trade),
        implied_volatility=optional_decimal(raw, "impliedVolatility"),
        greeks=None if greeks is None else _greeks(as_object(greeks, f"the greeks of {symbol}")),
    )


def _greeks(raw: JsonObject) -> Greeks:
    return Greeks(
        delta=optional_decimal(raw, "delta"),
        gamma=optional_decimal(raw, "gamma"),
        theta=optional_decimal(raw, "theta"),
        vega=optional_decimal(raw, "vega"),
        rho=optional_decimal(raw, "rho"),
    )
