"""What to do with each option position: a pure function of one observation and the policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TypeAlias

from sell_svc import rules
from sell_svc.cover import uncovered_qty
from sell_svc.exit_key import is_exit_key
from sell_svc.known import Known, Unknown
from sell_svc.observation import Holdings, Market, Observation, OpenOrders, OptionPosition, Quote
from sell_svc.permission import permitted
from sell_svc.policy import Policy
from sell_svc.price import MINIMUM_TICK, lacks_bid, mark
from sell_svc.rules import Case, Fired, Unjudged
from sell_svc.verdict import Hold, Judgement, Rule, Sell, Undecided


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A long position that nothing but its price and age speaks for or against."""

    position: OptionPosition
    market: Market
    permitted: Decimal


_Screened: TypeAlias = _Candidate | Hold | Undecided


def decide(seen: Observation, policy: Policy) -> tuple[Judgement, ...]:
    """One judgement for each option position of the account (S-05).

    Positions that are not known yield none: there is nothing to judge, and nothing to act on.
    """
    if isinstance(seen.holdings, Unknown):
        return ()
    holdings = seen.holdings.value
    unreadable = (
        Undecided(
            symbol=symbol, rule=Rule.POSITION_UNREADABLE, reason="the broker's answer could not be read"
        )
        for symbol in holdings.unreadable
    )
    return (
        *(_judge(one, seen, holdings, policy.of(one.contract)) for one in holdings.positions),
        *unreadable,
    )


def symbols_to_price(seen: Observation, policy: Policy) -> tuple[str, ...]:
    """The contracts whose quotes the decision needs; none outside the session."""
    if isinstance(seen.holdings, Unknown):
        return ()
    return tuple(
        one.symbol
        for one in seen.holdings.value.positions
        if isinstance(_screen(one, seen, policy.of(one.contract)), _Candidate)
    )


def _judge(position: OptionPosition, seen: Observation, holdings: Holdings, policy: Policy) -> Judgement:
    screened = _screen(position, seen, policy)
    if not isinstance(screened, _Candidate):
        return screened
    quote = _quote(seen, position.symbol)
    now, ages = screened.market.now, policy.price_ages
    price = mark(quote.value, now, ages) if isinstance(quote, Known) else quote
    no_bid = isinstance(quote, Known) and lacks_bid(quote.value, now, ages)
    case = Case(
        position=position,
        market=screened.market,
        lots=seen.lots,
        mark=price,
        no_bid=no_bid,
        permitted=screened.permitted,
    )
    fired = _first_rule(case, policy)
    if isinstance(fired, Fired):
        return _sell(fired, position, holdings, limit_price=MINIMUM_TICK if no_bid else None)
    if isinstance(fired, Unjudged):
        return Undecided(symbol=position.symbol, rule=fired.rule, reason=fired.reason)
    return Hold(symbol=position.symbol, rule=Rule.WITHIN_LIMITS, reason=_within(price))


def _screen(position: OptionPosition, seen: Observation, policy: Policy) -> _Screened:
    symbol = position.symbol
    if position.qty < 0:
        return Hold(
            symbol=symbol,
            rule=Rule.SHORT_POSITION,
            reason=f"short {-position.qty:f}; the monitor closes no shorts",
            alerts=True,
        )
    allowed = permitted(position, seen.lots, policy.auto_sell)
    if isinstance(allowed, Unknown):
        return Undecided(symbol=symbol, rule=Rule.LOTS_UNKNOWN, reason=allowed.reason)
    if allowed.qty <= 0:
        return Hold(
            symbol=symbol, rule=Rule.NOT_TRACKED, reason="no tracked buy allows the monitor to sell it"
        )
    if isinstance(seen.market, Unknown):
        return Undecided(symbol=symbol, rule=Rule.MARKET_UNKNOWN, reason=seen.market.reason)
    market = seen.market.value
    if position.contract.expiration_date < market.session_date:
        return Hold(symbol=symbol, rule=Rule.EXPIRED, reason=f"expired {position.contract.expiration_date}")
    if not market.is_open:
        return Hold(
            symbol=symbol, rule=Rule.MARKET_CLOSED, reason="options trade in the regular session only"
        )
    if isinstance(seen.orders, Unknown):
        return Undecided(symbol=symbol, rule=Rule.ORDERS_UNKNOWN, reason=seen.orders.reason)
    return _at_rest(position, seen.orders.value) or _Candidate(
        position=position, market=market, permitted=allowed.qty
    )


def _at_rest(position: OptionPosition, orders: OpenOrders) -> Hold | None:
    for order in orders.orders:
        if order.symbol == position.symbol and order.is_sell and is_exit_key(order.client_order_id):
            return Hold(
                symbol=position.symbol,
                rule=Rule.EXIT_WORKING,
                reason=f"{order.client_order_id} is open",
            )
    if position.qty_available < 1:
        return Hold(
            symbol=position.symbol,
            rule=Rule.NO_FREE_QTY,
            reason=f"{position.qty_available:f} of {position.qty:f} are free of open orders",
        )
    return None


def _first_rule(case: Case, policy: Policy) -> Fired | Unjudged | None:
    unjudged: Unjudged | None = None
    for rule in rules.IN_ORDER:
        answer = rule(case, policy)
        if isinstance(answer, Fired):
            return answer
        unjudged = answer or unjudged
    return unjudged


def _sell(
    fired: Fired, position: OptionPosition, holdings: Holdings, *, limit_price: Decimal | None
) -> Sell | Hold:
    free = uncovered_qty(position, holdings)
    qty = min(position.qty_available, fired.at_most, free).to_integral_value(ROUND_FLOOR)
    if qty >= 1:
        return Sell(
            symbol=position.symbol, rule=fired.rule, reason=fired.reason, qty=qty, limit_price=limit_price
        )
    if free < 1:
        return Hold(
            symbol=position.symbol,
            rule=Rule.COVERS_SHORT_LEG,
            reason=f"{fired.rule} fired ({fired.reason}), but a short leg of the account rests on it",
            alerts=True,
        )
    return Hold(
        symbol=position.symbol,
        rule=Rule.NO_FREE_QTY,
        reason=f"less than one contract of {fired.at_most:f} permitted and {position.qty_available:f} free",
    )


def _quote(seen: Observation, symbol: str) -> Known[Quote | None] | Unknown:
    quotes: Known[Mapping[str, Quote]] | Unknown = seen.quotes
    if isinstance(quotes, Unknown):
        return quotes
    return Known(value=quotes.value.get(symbol), at=quotes.at)


def _within(price: object) -> str:
    return f"price {price.value}" if isinstance(price, Known) else "no rule applies"
