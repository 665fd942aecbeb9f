"""Which orders GET /v2/orders lists: those in memory and those in the archive as one sorted sequence."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sandbox.calls import Call
from sandbox.errors import bad_field
from sandbox.instant import Instant
from sandbox.instruments import AssetClass, OptionContract
from sandbox.orders import Order, OrderId

_DEFAULT_PAGE, _LARGEST_PAGE = 50, 500

_Test = Callable[[Order], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Period:
    """Exclusive bounds on submitted_at, which no two orders of an exchange share."""

    after: Instant | None
    until: Instant | None

    def covers(self, order: Order) -> bool:
        at = order.submitted_at
        return (self.after is None or at > self.after) and (self.until is None or at < self.until)


def selected(call: Call, *, nested: bool) -> list[Order]:
    """The orders asked for, at most a page of them.

    Raises:
        AlpacaError: 422/40010001 for a parameter that makes no sense, 404 for an id to page from that is unknown.
    """
    status = call.word("status", ("open", "closed", "all"), "open")
    ascending = call.word("direction", ("asc", "desc"), "desc") == "asc"
    limit = call.whole("limit", _DEFAULT_PAGE, most=_LARGEST_PAGE)
    wanted = [_period(call).covers, *_tests(call)]
    if nested:
        wanted.append(lambda order: not order.is_leg)
    if status == "open":
        orders: Iterable[Order] = [*call.account.open_orders.values()]
        orders = orders if ascending else reversed([*call.account.open_orders.values()])
    else:
        orders = _all_orders(call, ascending=ascending)
        if status == "closed":
            wanted.append(lambda order: order.status.is_final)
    return [*islice((order for order in orders if all(test(order) for test in wanted)), limit)]


def _all_orders(call: Call, *, ascending: bool) -> Iterator[Order]:
    held = call.account.orders.values()
    archived = call.exchange.archive.orders_of(call.account.serial, newest_first=not ascending)
    return heapq.merge(
        held if ascending else reversed(held),
        archived,
        key=lambda order: order.submitted_at,
        reverse=not ascending,
    )


def _period(call: Call) -> _Period:
    after, until = call.moment("after"), call.moment("until")
    before_id, after_id = call.query.get("before_order_id"), call.query.get("after_order_id")
    if before_id and after_id:
        raise bad_field("only one of before_order_id and after_order_id is accepted")
    if (before_id or after_id) and (after is not None or until is not None):
        raise bad_field("before_order_id and after_order_id are not accepted with after or until")
    if before_id:
        until = call.exchange.find_order(call.account, OrderId(before_id)).submitted_at
    if after_id:
        after = call.exchange.find_order(call.account, OrderId(after_id)).submitted_at
    return _Period(after=after, until=until)


def _tests(call: Call) -> Iterator[_Test]:
    side = call.word("side", ("buy", "sell"), "") if call.query.get("side") else None
    symbols = frozenset(call.listed("symbols"))
    classes = frozenset(call.listed("asset_class"))
    if side is not None:
        yield lambda order: order.side.value == side
    if classes:
        yield lambda order: bool(classes & _classes_of(order))
    if symbols:
        underlyings = AssetClass.US_OPTION.value in classes
        yield lambda order: any(
            _named(each, symbols, underlyings=underlyings) for each in (order, *order.strategy_legs)
        )


def _classes_of(order: Order) -> set[str]:
    return {each.instrument.asset_class.value for each in (order, *order.strategy_legs)}


def _named(order: Order, symbols: frozenset[str], *, underlyings: bool) -> bool:
    if order.symbol in symbols:
        return True
    contract = order.instrument
    return underlyings and isinstance(contract, OptionContract) and contract.underlying_symbol in symbols
