"""Which orders there are: the open ones by symbol, the closed ones in memory up to a number, the rest in the archive."""

import json
from collections import deque

from sandbox.accounts import Account, cash_json
from sandbox.archive import Archive
from sandbox.orders import Order, OrderId

# Closed orders go to the archive in lots: one transaction for many is what makes it cheap.
_LOT = 1_000


class OrderBooks:
    """Every order of the exchange, found by id or by the symbols whose quotes it waits for."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._open: dict[OrderId, Order] = {}
        self._by_symbol: dict[str, dict[OrderId, Order]] = {}
        self._closed: deque[tuple[Account, Order]] = deque()
        self._owners: dict[OrderId, Account] = {}

    def add(self, account: Account, order: Order) -> None:
        """Take in an accepted order. Legs of a strategy trade with it and watch no quotes themselves."""
        self._open[order.order_id] = order
        self._owners[order.order_id] = account
        if order.strategy is None:
            for symbol in order.watched_symbols:
                self._by_symbol.setdefault(symbol, {})[order.order_id] = order

    def close(self, order: Order) -> None:
        """Move an order that is final from the open to the closed ones."""
        if self._open.pop(order.order_id, None) is None:
            return
        for symbol in order.watched_symbols:
            watching = self._by_symbol.get(symbol)
            if watching is not None:
                watching.pop(order.order_id, None)
                if not watching:
                    del self._by_symbol[symbol]
        self._closed.append((self._owners.pop(order.order_id), order))
        if len(self._closed) > self._archive.keep_orders + _LOT:
            self._spill()

    def find(self, order_id: OrderId) -> Order | None:
        """The open order of an id."""
        return self._open.get(order_id)

    def open_orders(self) -> list[Order]:
        """Every open order in the order of acceptance."""
        return [*self._open.values()]

    def all_orders(self) -> list[Order]:
        """Every order in memory, open and closed, in the order of acceptance."""
        closed = (order for _, order in self._closed)
        return sorted([*self._open.values(), *closed], key=lambda order: order.sequence)

    def find_any(self, order_id: OrderId) -> Order | None:
        """The order of an id, open or closed but not archived."""
        return self._open.get(order_id) or next(
            (order for _, order in self._closed if order.order_id == order_id), None
        )

    def watching(self, symbol: str) -> list[Order]:
        """The open orders that a symbol's quote may fill."""
        return [*self._by_symbol.get(symbol, {}).values()]

    def _spill(self) -> None:
        """Put the oldest closed orders away, but none whose group or replacement is still at work."""
        lot: list[tuple[Account, Order]] = []
        for _ in range(_LOT):
            account, order = self._closed.popleft()
            if _is_settled(order):
                lot.append((account, order))
            else:
                self._closed.append((account, order))
        self._archive.put_orders([(account.serial, order) for account, order in lot])
        for account, order in lot:
            account.forget(order)
        for account in {account.serial: account for account, _ in lot}.values():
            entries = account.take_cash_entries(self._archive.keep_orders)
            texts = ((number, json.dumps(cash_json(entry))) for number, entry in entries)
            self._archive.put_texts(account.cash_kind, texts)


def _is_settled(order: Order) -> bool:
    if order.successor is not None and not order.successor.status.is_final:
        return False
    members = order.group.members.values() if order.group else ()
    return all(member.status.is_final for member in members)
