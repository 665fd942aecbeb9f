"""Requests for bars and chains read: every field that is wrong is named at once, with its path."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from broker.bars import MAX_BARS, BarsQuery, Timeframe
from broker.option_chain import ChainQuery
from broker.option_symbol import OptionRight, is_option_symbol
from broker.symbols import UnknownSymbol, check_symbol
from runtime.errors import FieldViolation, MalformedRequest

__all__ = ["BarsQuestion", "ChainQuestion", "bars_to_read", "chain_to_read"]

DEFAULT_BARS: Final = 100
DEFAULT_RANGE: Final = timedelta(days=30)

_TIMEFRAMES: Final = {one.value: one for one in Timeframe} | {"": Timeframe.DAY}
_RIGHTS: Final = {"call": OptionRight.CALL, "put": OptionRight.PUT, "": None}
_SHOWN: Final = 40


class BarsQuestion(Protocol):
    """The fields of a GetStockBarsRequest; empty and 0 stand for absent."""

    @property
    def symbol(self) -> str:
        """A stock."""
        ...

    @property
    def timeframe(self) -> str:
        """How much time one bar covers."""
        ...

    @property
    def limit(self) -> int:
        """At most so many."""
        ...

    @property
    def start(self) -> Timestamp:
        """The first moment."""
        ...

    @property
    def end(self) -> Timestamp:
        """The last moment."""
        ...


class ChainQuestion(Protocol):
    """The texts of a GetOptionChainRequest; empty stands for absent."""

    @property
    def underlying_symbol(self) -> str:
        """A stock or an index."""
        ...

    @property
    def expiration_date(self) -> str:
        """The only expiry that is wanted."""
        ...

    @property
    def option_type(self) -> str:
        """The only right that is wanted: call or put."""
        ...


def bars_to_read(request: BarsQuestion, *, now: datetime) -> BarsQuery:
    """The bars of a request: 100 of 1Day up to now unless it says otherwise; raises MalformedRequest."""
    violations = [*_stock_violations("symbol", request.symbol), *_bars_violations(request)]
    if violations:
        raise MalformedRequest(violations)
    end = _moment(request.end) or now
    return BarsQuery(
        symbol=request.symbol,
        timeframe=_TIMEFRAMES[request.timeframe],
        start=_moment(request.start) or end - DEFAULT_RANGE,
        end=end,
        limit=request.limit or DEFAULT_BARS,
    )


def chain_to_read(request: ChainQuestion) -> ChainQuery:
    """The chain of a request; raises MalformedRequest."""
    violations = [
        *_stock_violations("underlying_symbol", request.underlying_symbol),
        *_chain_violations(request),
    ]
    if violations:
        raise MalformedRequest(violations)
    return ChainQuery(
        underlying_symbol=request.underlying_symbol,
        expiration_date=_day(request.expiration_date),
        right=_RIGHTS[request.option_type],
    )


def _stock_violations(field: str, symbol: str) -> Iterator[FieldViolation]:
    try:
        check_symbol(symbol)
    except UnknownSymbol as error:
        yield FieldViolation(field=field, description=error.message)
        return
    if is_option_symbol(symbol) or "/" in symbol:
        yield _violation(field, symbol, "a stock symbol such as AAPL or BRK.B")


def _bars_violations(request: BarsQuestion) -> Iterator[FieldViolation]:
    if request.timeframe not in _TIMEFRAMES:
        yield _violation("timeframe", request.timeframe, "one of 1Min, 5Min, 15Min, 1Hour, 1Day")
    if not 0 <= request.limit <= MAX_BARS:
        yield FieldViolation(field="limit", description=f"is {request.limit}, not 0 to {MAX_BARS}")
    for field, stamp in (("start", request.start), ("end", request.end)):
        if _is_out_of_range(stamp):
            yield FieldViolation(field=field, description="is not a time of the years 1970 to 9999")


def _chain_violations(request: ChainQuestion) -> Iterator[FieldViolation]:
    try:
        _day(request.expiration_date)
    except ValueError:
        yield _violation("expiration_date", request.expiration_date, "a date as YYYY-MM-DD")
    if request.option_type not in _RIGHTS:
        yield _violation("option_type", request.option_type, "call or put")


def _violation(field: str, given: str, wanted: str) -> FieldViolation:
    shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
    return FieldViolation(field=field, description=f"{shown!r} is not {wanted}")


def _day(text: str) -> date | None:
    # fromisoformat alone would take 20301220 and 2030-W51-5 too.
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date() if text else None


def _moment(stamp: Timestamp) -> datetime | None:
    # The moment zero of protobuf is how an absent one reads; nothing was traded then.
    return stamp.ToDatetime(tzinfo=UTC) if stamp.seconds or stamp.nanos else None


def _is_out_of_range(stamp: Timestamp) -> bool:
    try:
        stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return True
    return stamp.seconds < 0
