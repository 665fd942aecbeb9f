"""Values of the sell monitor with everything that a test does not care about filled in."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from broker.option_symbol import OptionRight, OptionSymbol
from config.selling import AutoSell, CancelScope
from sell_svc.known import Known, Seen
from sell_svc.observation import (
    NOT_READ,
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    Observation,
    OpenOrder,
    OpenOrders,
    OptionPosition,
    OrderId,
    Quote,
)
from sell_svc.policy import Policy, StrategyOne

ACCOUNT = AccountId("alice")
NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
"""10:30 in New York on a Tuesday."""
CLOSE = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
FAR = date(2027, 1, 15)

OPEN_MARKET = Market(now=NOW, is_open=True, next_close=CLOSE)
POLICY = Policy(
    auto_sell=AutoSell.ALL,
    cancel_scope=CancelScope.OPTIONS,
    cancel_after=timedelta(minutes=3),
    strategy=StrategyOne(profit_rate=Decimal("1.1"), stop_loss_rate=Decimal("0.8")),
    max_hold=None,
    zero_day=True,
    zero_day_before_close=None,
    close_window=timedelta(minutes=10),
)


def contract(
    root: str = "AAPL",
    *,
    expires: date = FAR,
    right: OptionRight = OptionRight.CALL,
    strike: str = "200",
) -> OptionSymbol:
    return OptionSymbol(root=root, expiration_date=expires, right=right, strike_price=Decimal(strike))


AAPL = str(contract())


def position(
    qty: str = "2",
    *,
    of: OptionSymbol | None = None,
    available: str | None = None,
    entry: str = "1.00",
) -> OptionPosition:
    return OptionPosition(
        contract=of or contract(),
        qty=Decimal(qty),
        qty_available=Decimal(available if available is not None else qty),
        avg_entry_price=Decimal(entry),
    )


def quote(
    bid: str | None = "1.00",
    ask: str | None = "99",
    *,
    at: datetime | None = NOW,
    last: str | None = None,
    last_at: datetime | None = NOW,
) -> Quote:
    return Quote(
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
        quoted_at=at,
        last=None if last is None else Decimal(last),
        last_at=last_at,
    )


def lot(
    qty: str = "2",
    *,
    symbol: str = AAPL,
    auto: bool = True,
    filled_at: datetime | None = NOW - timedelta(hours=1),
) -> Lot:
    return Lot(symbol=symbol, remaining_qty=Decimal(qty), auto_sell_enabled=auto, filled_at=filled_at)


def order(
    client_order_id: str = "mine-1",
    *,
    symbol: str = AAPL,
    is_option: bool = True,
    is_sell: bool = False,
    placed_here: bool = True,
    cancel_pending: bool = False,
    age: timedelta | None = timedelta(minutes=5),
    now: datetime = NOW,
) -> OpenOrder:
    return OpenOrder(
        client_order_id=ClientOrderId(client_order_id),
        order_id=OrderId(f"broker-{client_order_id}"),
        symbol=symbol,
        is_option=is_option,
        is_sell=is_sell,
        placed_here=placed_here,
        cancel_pending=cancel_pending,
        submitted_at=None if age is None else now - age,
    )


def observation(
    *positions: OptionPosition,
    market: Seen[Market] = Known(value=OPEN_MARKET, at=NOW),  # noqa: B008 - immutable
    orders: tuple[OpenOrder, ...] = (),
    lots: tuple[Lot, ...] | None = None,
    quotes: Mapping[str, Quote] | None = None,
    unreadable: tuple[str, ...] = (),
) -> Observation:
    return Observation(
        account_id=ACCOUNT,
        market=market,
        holdings=Known(value=Holdings(positions=positions, unreadable=unreadable), at=NOW),
        orders=Known(value=OpenOrders(orders=orders), at=NOW),
        lots=NOT_READ if lots is None else Known(value=lots, at=NOW),
        quotes=NOT_READ if quotes is None else Known(value=quotes, at=NOW),
    )


def market_at(now: datetime, *, is_open: bool = True, close: datetime = CLOSE) -> Known[Market]:
    return Known(value=replace(OPEN_MARKET, now=now, is_open=is_open, next_close=close), at=now)
