"""What holds for every account that can be thought of."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.option_symbol import OptionRight
from config.selling import AutoSell, CancelScope
from fakes.sell_values import ACCOUNT, CLOSE, NOW, POLICY, contract, market_at, observation, order, quote
from fakes.sell_world import ManualClock, World
from sell_svc.act import Seller
from sell_svc.decide import decide
from sell_svc.known import Known, Unknown
from sell_svc.observation import Lot, Observation, OpenOrders, OptionPosition, Quote
from sell_svc.policy import Policy, StrategyOne
from sell_svc.stale import decide_cancels
from sell_svc.tally import Tally
from sell_svc.verdict import Cancel, Rule, Sell

# The machine of a test run is shared: how long one example takes says nothing.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LOST = Unknown(reason="lost")
TODAY = date(2026, 11, 24)

prices = st.decimals(min_value=0, max_value=50, places=2)
quantities = st.decimals(min_value=0, max_value=20, places=1)
contracts = st.builds(
    lambda root, expires, right, strike: contract(root, expires=expires, right=right, strike=strike),
    st.sampled_from(["AAPL", "AAPL1", "SPX", "SPXW"]),
    st.sampled_from([TODAY, TODAY - timedelta(days=1), date(2027, 1, 15)]),
    st.sampled_from(OptionRight),
    st.sampled_from(["100", "105.5"]),
)


@st.composite
def positions(draw: st.DrawFn) -> OptionPosition:
    qty = draw(quantities)
    free = draw(st.decimals(min_value=0, max_value=qty, places=1))
    return OptionPosition(
        contract=draw(contracts),
        qty=qty if draw(st.booleans()) else -qty,
        qty_available=free,
        avg_entry_price=draw(prices),
    )


books = st.builds(
    Quote,
    bid=st.none() | prices,
    ask=st.none() | prices,
    quoted_at=st.none() | st.sampled_from([NOW, NOW - timedelta(hours=1)]),
    last=st.none() | prices,
    last_at=st.none() | st.just(NOW),
)


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    held = draw(st.lists(positions(), max_size=4, unique_by=lambda one: one.symbol))
    lots = [
        Lot(
            symbol=one.symbol,
            remaining_qty=draw(quantities),
            auto_sell_enabled=draw(st.booleans()),
            filled_at=draw(st.none() | st.just(NOW - timedelta(hours=1))),
        )
        for one in held
        if draw(st.booleans())
    ]
    seen = observation(
        *held,
        market=market_at(
            draw(st.sampled_from([NOW, CLOSE - timedelta(minutes=5)])), is_open=draw(st.booleans())
        ),
        lots=tuple(lots),
        quotes={one.symbol: draw(books) for one in held},
    )
    return draw(st.sampled_from([*(5 * [seen]), *_with_a_part_lost(seen)]))


def _with_a_part_lost(seen: Observation) -> list[Observation]:
    return [
        replace(seen, market=LOST),
        replace(seen, orders=LOST),
        replace(seen, lots=LOST),
        replace(seen, quotes=LOST),
    ]


policies = st.builds(
    replace,
    st.just(POLICY),
    auto_sell=st.sampled_from(AutoSell),
    strategy=st.none() | st.just(POLICY.strategy),
    max_hold=st.none() | st.just(timedelta(minutes=30)),
    zero_day=st.booleans(),
)


def sales(seen: Observation, policy: Policy) -> dict[str, Sell]:
    judged = [one for one in decide(seen, policy) if isinstance(one, Sell)]
    made = {one.symbol: one for one in judged}
    assert len(made) == len(judged)
    return made


def held_in(seen: Observation) -> tuple[OptionPosition, ...]:
    assert isinstance(seen.holdings, Known)
    return seen.holdings.value.positions


@relaxed
@given(observations(), policies)
def test_a_sale_never_exceeds_the_free_quantity_and_is_always_of_whole_contracts(
    seen: Observation, policy: Policy
) -> None:
    """I9."""
    made = sales(seen, policy)

    for one in held_in(seen):
        if one.symbol in made:
            qty = made[one.symbol].qty
            assert 1 <= qty <= min(one.qty_available, one.qty)
            assert qty == int(qty)


@relaxed
@given(observations(), policies)
def test_nothing_is_sold_without_permission(seen: Observation, policy: Policy) -> None:
    policy = replace(policy, auto_sell=AutoSell.TRACKED)

    for symbol, sale in sales(seen, policy).items():
        assert isinstance(seen.lots, Known)
        allowed = [one for one in seen.lots.value if one.symbol == symbol and one.auto_sell_enabled]
        assert sale.qty <= sum(one.remaining_qty for one in allowed)


@relaxed
@given(observations(), policies)
def test_nothing_is_sold_while_the_session_or_the_open_orders_are_not_known(
    seen: Observation, policy: Policy
) -> None:
    """I10."""
    if sales(seen, policy):
        assert isinstance(seen.market, Known)
        assert seen.market.value.is_open
        assert isinstance(seen.orders, Known)


@relaxed
@given(observations(), policies)
def test_no_sale_raises_the_number_of_uncovered_shorts(seen: Observation, policy: Policy) -> None:
    before = held_in(seen)
    made = sales(seen, policy)
    after = [
        replace(one, qty=one.qty - made[one.symbol].qty) if one.symbol in made else one for one in before
    ]

    assert uncovered(after) <= uncovered(before)


def uncovered(held: list[OptionPosition] | tuple[OptionPosition, ...]) -> Decimal:
    """Short contracts that no long contract of the same underlying and right, living as long, is left for.

    Longs go to the shorts that live longest first, the most demanding ones, each to the shortest-lived
    long that will do: the best there is when all that matters is living long enough.
    """
    left = {one.symbol: one.qty for one in held if one.qty > 0}
    missing = Decimal(0)
    for short in sorted((one for one in held if one.qty < 0), key=_expiry, reverse=True):
        need = -short.qty
        for long in sorted((one for one in held if one.qty > 0 and _may_cover(one, short)), key=_expiry):
            taken = min(need, left[long.symbol])
            left[long.symbol] -= taken
            need -= taken
        missing += need
    return missing


def _expiry(one: OptionPosition) -> date:
    return one.contract.expiration_date


def _may_cover(long: OptionPosition, short: OptionPosition) -> bool:
    return (
        long.contract.root[:3] == short.contract.root[:3]
        and long.contract.right is short.contract.right
        and _expiry(long) >= _expiry(short)
    )


@relaxed
@given(
    entry=st.decimals(min_value="0.01", max_value=50, places=2),
    bid=st.decimals(min_value="0.01", max_value=100, places=2),
    more=st.decimals(min_value=0, max_value=50, places=2),
)
def test_a_higher_price_never_turns_a_profit_into_a_hold_nor_a_hold_into_a_loss(
    entry: Decimal, bid: Decimal, more: Decimal
) -> None:
    before, after = rule_at(entry, bid), rule_at(entry, bid + more)

    if before is Rule.TAKE_PROFIT:
        assert after is Rule.TAKE_PROFIT
    if before is Rule.WITHIN_LIMITS:
        assert after is not Rule.STOP_LOSS


@relaxed
@given(
    entry=st.decimals(min_value="0.01", max_value=50, places=4),
    rate=st.decimals(min_value="1.01", max_value=3, places=2),
)
def test_the_profit_threshold_itself_sells_and_anything_below_it_does_not(
    entry: Decimal, rate: Decimal
) -> None:
    """S-32."""
    policy = replace(POLICY, strategy=StrategyOne(profit_rate=rate, stop_loss_rate=Decimal("0.8")))

    assert rule_at(entry, entry * rate, policy) is Rule.TAKE_PROFIT
    assert rule_at(entry, entry * rate - Decimal("0.000001"), policy) is not Rule.TAKE_PROFIT


def rule_at(entry: Decimal, bid: Decimal, policy: Policy = POLICY) -> Rule:
    held = OptionPosition(
        contract=contract(), qty=Decimal(1), qty_available=Decimal(1), avg_entry_price=entry
    )
    book = replace(quote(ask=None), bid=bid)
    (judged,) = decide(observation(held, quotes={held.symbol: book}), policy)
    return judged.rule


@relaxed
@given(observations(), policies)
def test_the_same_observation_gives_the_same_exit_ids_and_sells_nothing_twice(
    seen: Observation, policy: Policy
) -> None:
    """Two replicas that see the same send the same orders, and order_svc takes each id once."""
    wishes = [one for one in decide(seen, policy) if isinstance(one, Sell)]
    if not isinstance(seen.market, Known):
        assert wishes == []
        return
    market = seen.market.value
    world = World(ACCOUNT)
    world.on_place = world.work
    replicas = [
        Seller(ACCOUNT, orders=world.orders, tally=Tally(), clock=ManualClock(), may_act=lambda: True)
        for _ in range(2)
    ]

    async def both() -> None:
        held = [one.symbol for one in held_in(seen)]
        await asyncio.gather(*(one.sell(wishes, market, positions=held) for one in replicas))

    asyncio.run(both())

    assert sorted(one.symbol for one in world.placed) == sorted(one.symbol for one in wishes)
    assert len({one.client_order_id for one in world.placed}) == len(world.placed)


@st.composite
def order_books(draw: st.DrawFn) -> OpenOrders:
    return OpenOrders(
        orders=tuple(
            order(
                f"o-{number}",
                age=draw(st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3))),
                is_option=draw(st.booleans()),
                placed_here=draw(st.booleans()),
                cancel_pending=draw(st.booleans()),
            )
            for number in range(draw(st.integers(0, 5)))
        )
    )


@relaxed
@given(order_books(), st.sampled_from(CancelScope))
def test_only_orders_known_to_be_old_enough_are_cancelled_and_all_of_them(
    book: OpenOrders, scope: CancelScope
) -> None:
    """I11."""
    seen = replace(observation(), orders=Known(value=book, at=NOW), holdings=LOST)

    found = {
        one.order.client_order_id
        for one in decide_cancels(seen, replace(POLICY, cancel_scope=scope))
        if isinstance(one, Cancel)
    }

    assert found == {
        one.client_order_id
        for one in book.orders
        if one.submitted_at is not None
        and NOW - one.submitted_at >= timedelta(minutes=3)
        and not one.cancel_pending
        and {CancelScope.ALL: True, CancelScope.OPTIONS: one.is_option, CancelScope.OWN: one.placed_here}[
            scope
        ]
    }
