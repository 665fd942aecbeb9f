"""Price bars of one stock, read with what the account's data plan allows."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Final

from alpaca.common.enums import Sort
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from broker.caller import Caller, plain
from broker.faults import BrokerRefused, CredentialsRefused
from broker.rate_budget import Priority
from broker.raw_json import (
    UnreadableAnswer,
    as_object,
    decimal,
    optional_decimal,
    stamp,
)
from broker.symbols import check_symbol
from runtime.errors import FailedPrecondition, FieldViolation, MalformedRequest

__all__ = ["MAX_BARS", "Bar", "BarsQuery", "DataPlanTooSmall", "Timeframe", "parse_bars", "read_bars"]

MAX_BARS: Final = 10_000
"""Alpaca's largest page of bars; a caller who wants more asks again from where it ended."""

_NOT_IN_PLAN: Final = "subscription"


class Timeframe(Enum):
    """How much time one bar covers."""

    MINUTE = "1Min"
    FIVE_MINUTES = "5Min"
    FIFTEEN_MINUTES = "15Min"
    HOUR = "1Hour"
    DAY = "1Day"


_ALPACA: Final[Mapping[Timeframe, TimeFrame]] = MappingProxyType(
    {
        Timeframe.MINUTE: TimeFrame(1, TimeFrameUnit.Minute),
        Timeframe.FIVE_MINUTES: TimeFrame(5, TimeFrameUnit.Minute),
        Timeframe.FIFTEEN_MINUTES: TimeFrame(15, TimeFrameUnit.Minute),
        Timeframe.HOUR: TimeFrame(1, TimeFrameUnit.Hour),
        Timeframe.DAY: TimeFrame(1, TimeFrameUnit.Day),
    }
)


class DataPlanTooSmall(FailedPrecondition):
    """The account's data plan does not cover what was asked for; another account's may."""

    reason = "DATA_PLAN_TOO_SMALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The trades of one stretch of time; prices in USD."""

    started_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int | None
    vwap: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsQuery:
    """Which bars are wanted; raises MalformedRequest naming every field that is wrong."""

    symbol: str
    timeframe: Timeframe
    start: datetime
    """The first moment, included."""
    end: datetime
    """The last moment, included."""
    limit: int
    """The first so many of the range; 1 to MAX_BARS."""

    def __post_init__(self) -> None:
        check_symbol(self.symbol)
        violations = []
        if not 1 <= self.limit <= MAX_BARS:
            violations.append(
                FieldViolation(field="limit", description=f"is {self.limit}, not 1 to {MAX_BARS}")
            )
        if self.end < self.start:
            violations.append(FieldViolation(field="end", description="is before start"))
        if violations:
            raise MalformedRequest(violations)


async def read_bars(
    caller: Caller,
    ask: Callable[[StockBarsRequest], object],
    query: BarsQuery,
    *,
    paper: bool,
    priority: Priority,
    timeout: float,
) -> tuple[Bar, ...]:
    """The bars, oldest first, unadjusted; none where nothing was traded.

    `ask` is alpaca-py's call, which follows the pages. A paper account reads the feed that every
    plan has, a live one the consolidated feed. Raises DataPlanTooSmall beside a read's errors.
    """
    request = StockBarsRequest(
        symbol_or_symbols=query.symbol,
        timeframe=_ALPACA[query.timeframe],
        start=query.start,
        end=query.end,
        limit=query.limit,
        adjustment=Adjustment.RAW,
        feed=DataFeed.IEX if paper else DataFeed.SIP,
        sort=Sort.ASC,
    )
    try:
        entries = await caller.read(
            lambda: ask(request),
            plain(lambda raw: _entries(query.symbol, raw)),
            priority=priority,
            timeout=timeout,
        )
    except (CredentialsRefused, BrokerRefused) as error:
        # Alpaca answers this without a code of its own, and with 403 as for keys that it refuses.
        told = error.metadata.get("broker_message", "")
        if _NOT_IN_PLAN not in told.lower():
            raise
        raise DataPlanTooSmall(
            f"the account's data plan does not cover this: {told}", metadata=error.metadata
        ) from error
    # Off the event loop: a page of ten thousand bars would keep every other call waiting.
    return await asyncio.to_thread(parse_bars, entries)


def parse_bars(entries: Sequence[object]) -> tuple[Bar, ...]:
    """Bars as Alpaca writes them; raises UnreadableAnswer."""
    return tuple(_bar(entry) for entry in entries)


def _entries(symbol: str, raw: object) -> Sequence[object]:
    """The bars of one symbol in Alpaca's map by symbol."""
    entries = as_object(raw, "the map of bars").get(symbol)
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise UnreadableAnswer(f"the bars of {symbol} are not a list")
    return entries


def _bar(entry: object) -> Bar:
    raw = as_object(entry, "the bar")
    trades = optional_decimal(raw, "n")
    return Bar(
        started_at=stamp(raw, "t"),
        open=decimal(raw, "o"),
        high=decimal(raw, "h"),
        low=decimal(raw, "l"),
        close=decimal(raw, "c"),
        volume=decimal(raw, "v"),
        trade_count=None if trades is None else int(trades),
        vwap=optional_decimal(raw, "vw"),
    )
