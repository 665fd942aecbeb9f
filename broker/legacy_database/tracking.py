"""The rows of order_details: written once a buy, found whatever their spelling, closed once by quantity.

The table has no key that is known to be unique and no column for a sale, so nothing in it can say that
a sale has been booked. Booking is therefore split: `list_lots` and `lots.plan_sale` say what would change,
the caller stores that plan with the order it belongs to, and `apply` carries it out, once however often
it is called. One account's sales of one symbol must be planned and applied one after another.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Final

from sqlalchemy import ColumnElement, RowMapping, Table, and_, func, insert, or_, select, update

from broker.legacy_database.database import LegacyDatabase, Session
from broker.legacy_database.lots import LotChange, TrackedLot, TradeSource
from broker.legacy_database.tables import LegacyTable
from broker.option_symbol import OptionSymbol, UnknownOptionSymbol, parse
from runtime.clock import Clock
from runtime.errors import Aborted

__all__ = ["LotChanged", "OrderTracking", "TrackedBuy"]

_BROKER: Final = "alpaca"
"""The table is shared with another broker's program."""
_BUY, _OPTION, _ACTIVE, _CLOSED = "BUY", "option", "active", "closed"
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)
_LETTERS: Final = re.compile(r"[A-Z]+")


class LotChanged(Aborted):
    """A row is neither as it was planned nor as it was to become; nothing was changed, plan again."""

    reason: ClassVar[str] = "TRACKED_LOT_CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedBuy:
    """A bought order to be tracked."""

    account_id: str
    """The resolved id, not what the caller wrote (S-29)."""
    order_id: str
    """The broker's."""
    symbol: OptionSymbol
    qty: int
    limit_price: Decimal | None
    paper_trading: bool
    """What the account really is (S-30)."""
    trade_source: TradeSource
    auto_sell_enabled: bool


class OrderTracking:
    """The tracked option buys of every account; each method is safe to repeat.

    All raise LegacyDatabaseUnreachable and LegacySchemaMismatch.
    """

    def __init__(self, database: LegacyDatabase, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, buy: TrackedBuy) -> bool:
        """Writes the buy as an active row; `False` where its order has one already, open or closed.

        Two calls for one order at the same time may both write: an order has one owner.
        """
        return await self._database.run(lambda session: self._record(session, buy))

    async def list_lots(self, account_id: str, symbol: OptionSymbol | None = None) -> tuple[TrackedLot, ...]:
        """The account's open lots, of one contract or of all, oldest first.

        Finds rows of the former service, too, whose account differs in case and whose symbol is padded.
        Rows that name no option, no order or no quantity are left out: nobody knows what they track.
        """
        return await self._database.run(lambda session: _list_lots(session, account_id, symbol))

    async def apply(self, changes: Iterable[LotChange]) -> None:
        """Carries out a plan whole, or, where it has been carried out before, nothing. Raises LotChanged."""
        planned = tuple(changes)

        def change_all(session: Session) -> None:
            for one in planned:
                _apply(session, one)

        await self._database.run(change_all)

    def _record(self, session: Session, buy: TrackedBuy) -> bool:
        orders = session.table(LegacyTable.ORDERS)
        same = and_(orders.c.broker == _BROKER, orders.c.order_id == buy.order_id)
        accounts = session.connection.execute(select(orders.c.account_name).where(same)).scalars()
        if any(name is not None and _same(name, buy.account_id) for name in accounts):
            return False
        session.connection.execute(insert(orders).values(self._row(orders, buy)))
        return True

    def _row(self, orders: Table, buy: TrackedBuy) -> dict[str, object]:
        row: dict[str, object] = {
            "account_name": buy.account_id,
            "broker": _BROKER,
            "order_id": buy.order_id,
            "symbol": str(buy.symbol),
            "asset_type": _OPTION,
            "underlying_symbol": _underlying(buy.symbol),
            "action": _BUY,
            "quantity": buy.qty,
            "limit_price": buy.limit_price if buy.limit_price is not None else Decimal(0),
            "paper_trading": buy.paper_trading,
            "trade_source": buy.trade_source.value,
            "auto_sell_enabled": buy.auto_sell_enabled,
            "status": _ACTIVE,
        }
        # The database's own default, where it has one, keeps one clock for all rows of the column.
        if not orders.c.order_time.info["default"]:
            row["order_time"] = self._clock.now().astimezone(UTC).replace(tzinfo=None)
        return row


def _list_lots(session: Session, account_id: str, symbol: OptionSymbol | None) -> tuple[TrackedLot, ...]:
    orders = session.table(LegacyTable.ORDERS)
    where: list[ColumnElement[bool]] = [
        # Both, since SQLite's lower() knows ASCII only.
        or_(orders.c.account_name == account_id, func.lower(orders.c.account_name) == account_id.lower()),
        orders.c.broker == _BROKER,
        orders.c.action == _BUY,
        orders.c.status == _ACTIVE,
    ]
    if symbol is not None:
        where.append(func.upper(func.replace(orders.c.symbol, " ", "")) == str(symbol))
    rows = session.connection.execute(select(orders).where(*where)).mappings()
    lots: dict[str, TrackedLot] = {}
    for row in rows:
        lot = _lot(row)
        # Exactly, once more: databases differ in what they take for equal.
        if lot is None or not _same(lot.stored_account_name, account_id):
            continue
        if symbol is None or lot.symbol == str(symbol):
            lots.setdefault(lot.order_id, lot)
    return tuple(sorted(lots.values(), key=_age))


def _lot(row: RowMapping) -> TrackedLot | None:
    if not row["order_id"] or not row["quantity"] or row["quantity"] < 0:
        return None
    try:
        symbol = str(parse("".join((row["symbol"] or "").split()).upper()))
    except UnknownOptionSymbol:
        return None
    return TrackedLot(
        stored_account_name=row["account_name"],
        order_id=row["order_id"],
        symbol=symbol,
        qty=row["quantity"],
        auto_sell_enabled=bool(row["auto_sell_enabled"]),
        ordered_at=row["order_time"],
    )


def _age(lot: TrackedLot) -> tuple[datetime, str]:
    return (lot.ordered_at or _OLDEST).replace(tzinfo=None), lot.order_id


def _apply(session: Session, change: LotChange) -> None:
    orders = session.table(LegacyTable.ORDERS)
    row = and_(
        orders.c.account_name == change.lot.stored_account_name,
        orders.c.broker == _BROKER,
        orders.c.order_id == change.lot.order_id,
        orders.c.action == _BUY,
    )
    as_planned = and_(row, orders.c.status == _ACTIVE, orders.c.quantity == change.lot.qty)
    # A closed row keeps its quantity, as the former service left it.
    after = {"quantity": change.remaining_qty} if change.remaining_qty else {"status": _CLOSED}
    if session.connection.execute(update(orders).where(as_planned).values(after)).rowcount > 0:
        return
    for now in session.connection.execute(select(orders.c.status, orders.c.quantity).where(row)):
        if change.remaining_qty and now.status == _ACTIVE and now.quantity == change.remaining_qty:
            return
        if not change.remaining_qty and now.status == _CLOSED:
            return
    raise LotChanged(f"the tracked lot of order {change.lot.order_id} is no longer as it was planned")


def _same(stored: str, account_id: str) -> bool:
    return stored.casefold() == account_id.casefold()


def _underlying(symbol: OptionSymbol) -> str:
    letters = _LETTERS.match(symbol.root)
    return letters.group() if letters else symbol.root
