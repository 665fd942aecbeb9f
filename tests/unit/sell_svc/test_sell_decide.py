from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from broker.option_symbol import OptionRight
from config.selling import AutoSell
from fakes.sell_values import (
    AAPL,
    ACCOUNT,
    CLOSE,
    NOW,
    POLICY,
    contract,
    lot,
    market_at,
    observation,
    order,
    position,
    quote,
)
from sell_svc.decide import decide, symbols_to_price
from sell_svc.exit_key import exit_key
from sell_svc.known import Known, Unknown
from sell_svc.observation import Lot, Market, Observation, OptionPosition, Quote
from sell_svc.policy import Policy
from sell_svc.verdict import Hold, Judgement, Rule, Sell, Undecided

TODAY = date(2026, 11, 24)
TRACKED = replace(POLICY, auto_sell=AutoSell.TRACKED)
LOST = Unknown(reason="lost")


def judge(seen: Observation, policy: Policy = POLICY) -> Judgement:
    (judged,) = decide(seen, policy)
    return judged


def priced(held: OptionPosition, *, bid: str) -> Observation:
    return observation(held, quotes={held.symbol: quote(bid)})


@pytest.mark.parametrize(
    ("entry", "bid", "rule"),
    [
        pytest.param("1.00", "1.10", Rule.TAKE_PROFIT, id="S-32 exactly ten percent up sells"),
        pytest.param("1.00", "1.09", Rule.WITHIN_LIMITS, id="one tick below ten percent up holds"),
        pytest.param("3.70", "4.07", Rule.TAKE_PROFIT, id="S-32 exactly ten percent up of 3.70, 4.07, sells"),
        pytest.param("3.70", "4.06", Rule.WITHIN_LIMITS, id="one tick below 4.07 holds"),
        pytest.param("0.3333", "0.36663", Rule.TAKE_PROFIT, id="an average entry price with four decimals"),
        pytest.param("1.00", "0.80", Rule.STOP_LOSS, id="exactly twenty percent down sells"),
        pytest.param("1.00", "0.81", Rule.WITHIN_LIMITS, id="one tick above twenty percent down holds"),
        pytest.param("1.00", "1.00", Rule.WITHIN_LIMITS, id="the entry price holds"),
    ],
)
def test_thresholds_of_strategy_one_are_inclusive_and_exact(entry: str, bid: str, rule: Rule) -> None:
    judged = judge(priced(position(entry=entry), bid=bid))

    assert judged.rule is rule


def test_a_sale_says_its_figures_and_takes_every_free_contract_at_the_market() -> None:
    judged = judge(priced(position("7", available="5"), bid="1.20"))

    assert judged == Sell(
        symbol=AAPL,
        rule=Rule.TAKE_PROFIT,
        reason="price 1.20 (bid) >= 1.100 = entry 1.00 x 1.1",
        qty=Decimal(5),
        limit_price=None,
    )


@pytest.mark.parametrize(
    ("held", "lots", "policy", "rule", "qty"),
    [
        pytest.param("2", (), TRACKED, Rule.NOT_TRACKED, None, id="S-06 a position nobody tracked is kept"),
        pytest.param("2", (lot("2", auto=False),), TRACKED, Rule.NOT_TRACKED, None, id="a manual lot is kept"),
        pytest.param("2", (lot("2"),), TRACKED, Rule.TAKE_PROFIT, 2, id="an automated lot is sold"),
        pytest.param("9", (lot("4"),), TRACKED, Rule.TAKE_PROFIT, 4, id="only the tracked part is sold"),
        pytest.param("3", (lot("4"),), TRACKED, Rule.TAKE_PROFIT, 3, id="no more than is held is sold"),
        pytest.param(
            "5", (lot("2"), lot("3", auto=False)), TRACKED, Rule.TAKE_PROFIT, 2,
            id="S-28 a later manual lot neither blocks nor joins the automated one",
        ),
        pytest.param(
            "5", (lot("2"), lot("1")), TRACKED, Rule.TAKE_PROFIT, 3, id="automated lots add up",
        ),
        pytest.param(
            "2", (lot("2", symbol=str(contract("MSFT"))),), TRACKED, Rule.NOT_TRACKED, None,
            id="the lot of another contract does not count",
        ),
        pytest.param("2", (), POLICY, Rule.TAKE_PROFIT, 2, id="auto_sell all asks for no lot"),
    ],
)  # fmt: skip
def test_permission_comes_from_tracked_lots_by_quantity(
    held: str, lots: tuple[Lot, ...], policy: Policy, rule: Rule, qty: int | None
) -> None:
    judged = judge(observation(position(held), lots=lots, quotes={AAPL: quote("2.00", "2.10")}), policy)

    assert judged.rule is rule
    assert (judged.qty if isinstance(judged, Sell) else None) == qty


@pytest.mark.parametrize(
    ("held", "market", "policy", "rule"),
    [
        pytest.param(
            position(of=contract(expires=TODAY)), market_at(NOW), POLICY, Rule.ZERO_DAY,
            id="a contract that expires today is sold in the session",
        ),
        pytest.param(
            position(of=contract(expires=date(2026, 11, 25))), market_at(NOW), POLICY, Rule.WITHIN_LIMITS,
            id="one that expires tomorrow is kept",
        ),
        pytest.param(
            position(of=contract(expires=date(2026, 11, 25))),
            market_at(datetime(2026, 11, 25, 1, tzinfo=UTC), close=datetime(2026, 11, 25, 2, tzinfo=UTC)),
            POLICY,
            Rule.WITHIN_LIMITS,
            id="S-07 today is New York's date, not that of UTC",
        ),
        pytest.param(
            position(of=contract(expires=TODAY)), market_at(NOW), replace(POLICY, zero_day=False),
            Rule.WITHIN_LIMITS, id="S-06 zero_day_handling false leaves it to the other rules",
        ),
        pytest.param(
            position(of=contract("AAPL1", expires=TODAY)), market_at(NOW), POLICY, Rule.ZERO_DAY,
            id="S-08 an adjusted root with a digit in it expires too",
        ),
        pytest.param(
            position(of=contract(expires=date(2026, 11, 23))), market_at(NOW), POLICY, Rule.EXPIRED,
            id="a contract that has expired is left to settlement",
        ),
        pytest.param(
            position(of=contract(expires=TODAY)),
            market_at(CLOSE - timedelta(minutes=60)),
            replace(POLICY, zero_day_before_close=timedelta(minutes=50)),
            Rule.WITHIN_LIMITS,
            id="a configured wait is waited",
        ),
        pytest.param(
            position(of=contract(expires=TODAY)),
            market_at(CLOSE - timedelta(minutes=50)),
            replace(POLICY, zero_day_before_close=timedelta(minutes=50)),
            Rule.ZERO_DAY,
            id="a configured wait ends on the minute",
        ),
    ],
)  # fmt: skip
def test_zero_day(held: OptionPosition, market: Known[Market], policy: Policy, rule: Rule) -> None:
    seen = observation(held, market=market, quotes={held.symbol: quote(at=market.value.now)})

    assert judge(seen, policy).rule is rule


EARLY_CLOSE = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before_close", "close", "policy", "rule"),
    [
        pytest.param("0:10:01", CLOSE, POLICY, Rule.WITHIN_LIMITS, id="a second before the window holds"),
        pytest.param("0:10:00", CLOSE, POLICY, Rule.CLOSE_WINDOW, id="the window opens ten minutes ahead"),
        pytest.param("0:00:01", CLOSE, POLICY, Rule.CLOSE_WINDOW, id="the last second sells"),
        pytest.param("0:00:00", CLOSE, POLICY, Rule.WITHIN_LIMITS, id="S-18 the close itself is outside"),
        pytest.param("0:05:00", EARLY_CLOSE, POLICY, Rule.CLOSE_WINDOW, id="S-18 an early close moves it"),
        pytest.param(
            "0:05:00", CLOSE, replace(POLICY, close_window=timedelta(0)), Rule.WITHIN_LIMITS, id="zero is off"
        ),
    ],
)
def test_close_window(before_close: str, close: datetime, policy: Policy, rule: Rule) -> None:
    hours, minutes, seconds = map(int, before_close.split(":"))
    now = close - timedelta(hours=hours, minutes=minutes, seconds=seconds)
    held = position(of=contract(expires=date(2027, 1, 15)))
    seen = observation(held, market=market_at(now, close=close), quotes={held.symbol: quote(at=now)})

    assert judge(seen, policy).rule is rule


@pytest.mark.parametrize(
    ("lots", "auto_sell", "rule", "qty"),
    [
        pytest.param((lot("2", filled_at=NOW - timedelta(minutes=30)),), AutoSell.TRACKED, Rule.TIME_LIMIT, 2,
                     id="held for exactly the limit sells"),
        pytest.param((lot("2", filled_at=NOW - timedelta(minutes=29, seconds=59)),), AutoSell.TRACKED,
                     Rule.WITHIN_LIMITS, None, id="a second less holds"),
        pytest.param((lot("1", filled_at=NOW - timedelta(hours=2)), lot("1", filled_at=NOW)),
                     AutoSell.TRACKED, Rule.TIME_LIMIT, 1,
                     id="S-22 a contract bought again does not inherit the age of the old one"),
        pytest.param((lot("2", filled_at=None),), AutoSell.TRACKED, Rule.ENTRY_TIME_UNKNOWN, None,
                     id="without a fill time the rule cannot tell"),
        pytest.param((), AutoSell.ALL, Rule.ENTRY_TIME_UNKNOWN, None,
                     id="without a lot the rule cannot tell"),
    ],
)  # fmt: skip
def test_position_time_limit(lots: tuple[Lot, ...], auto_sell: AutoSell, rule: Rule, qty: int | None) -> None:
    policy = replace(POLICY, auto_sell=auto_sell, max_hold=timedelta(minutes=30))

    judged = judge(observation(position("2"), lots=lots, quotes={AAPL: quote()}), policy)

    assert judged.rule is rule
    assert (judged.qty if isinstance(judged, Sell) else None) == qty


def test_without_a_time_limit_in_the_configuration_the_other_rules_work() -> None:
    """S-02: its absence used to hold every position."""
    assert judge(priced(position(), bid="1.10")).rule is Rule.TAKE_PROFIT


def test_an_unknown_entry_time_leaves_the_other_rules_alone() -> None:
    policy = replace(POLICY, max_hold=timedelta(minutes=30))

    judged = judge(observation(position(), lots=(), quotes={AAPL: quote("0.80")}), policy)

    assert judged.rule is Rule.STOP_LOSS


def test_the_order_of_the_rules_is_time_limit_zero_day_profit_and_each_position_is_sold_once() -> None:
    """S-05: time limit and zero day used to sell the same contracts twice."""
    held = position("2", of=contract(expires=TODAY))
    policy = replace(POLICY, max_hold=timedelta(minutes=30))
    seen = observation(
        held, lots=(lot("2", symbol=held.symbol),), quotes={held.symbol: quote("2.00", "2.10")}
    )

    assert [one.rule for one in decide(seen, policy)] == [Rule.TIME_LIMIT]
    assert [one.rule for one in decide(seen, POLICY)] == [Rule.ZERO_DAY]


@pytest.mark.parametrize("bid", [pytest.param("2.00", id="profit"), pytest.param("0.10", id="loss")])
def test_strategy_one_disabled_switches_profit_and_loss_off(bid: str) -> None:
    """S-23."""
    judged = judge(priced(position(), bid=bid), replace(POLICY, strategy=None))

    assert judged.rule is Rule.WITHIN_LIMITS


def test_outside_the_session_nothing_is_sold_and_no_quote_is_asked_for() -> None:
    """S-17."""
    seen = observation(position(), market=market_at(NOW, is_open=False), quotes={AAPL: quote("2.00", "2.10")})

    assert judge(seen).rule is Rule.MARKET_CLOSED
    assert symbols_to_price(seen, POLICY) == ()


@pytest.mark.parametrize(
    ("seen", "policy", "rule"),
    [
        pytest.param(replace(observation(position()), market=LOST), POLICY, Rule.MARKET_UNKNOWN, id="market"),
        pytest.param(
            replace(observation(position()), orders=LOST), POLICY, Rule.ORDERS_UNKNOWN, id="open orders"
        ),
        pytest.param(
            replace(observation(position()), lots=LOST), TRACKED, Rule.LOTS_UNKNOWN, id="tracked lots"
        ),
        pytest.param(
            replace(observation(position()), quotes=LOST), POLICY, Rule.PRICE_UNKNOWN, id="S-19 quotes"
        ),
        pytest.param(
            observation(position(), quotes={}), POLICY, Rule.PRICE_UNKNOWN, id="S-19 a symbol without a quote"
        ),
    ],
)
def test_what_is_not_known_is_undecided_never_sold_and_never_held_in_silence(
    seen: Observation, policy: Policy, rule: Rule
) -> None:
    judged = judge(seen, policy)

    assert isinstance(judged, Undecided)
    assert judged.rule is rule


def test_unknown_positions_yield_no_decision_at_all() -> None:
    """S-12: a failed read used to read as no positions."""
    seen = replace(observation(), holdings=LOST)

    assert decide(seen, POLICY) == ()
    assert symbols_to_price(seen, POLICY) == ()


def test_a_position_that_cannot_be_read_is_named() -> None:
    judged = judge(observation(unreadable=("AAPL  XX",)))

    assert judged == Undecided(
        symbol="AAPL  XX",
        rule=Rule.POSITION_UNREADABLE,
        reason="the broker's answer could not be read",
    )


def test_an_unknown_price_leaves_the_rules_that_need_none() -> None:
    held = position(of=contract(expires=TODAY))

    judged = judge(observation(held, quotes={}))

    assert isinstance(judged, Sell)
    assert (judged.rule, judged.limit_price) == (Rule.ZERO_DAY, None)


EXIT = exit_key(account_id=ACCOUNT, symbol=AAPL, session=TODAY, generation=3)


@pytest.mark.parametrize(
    ("client_order_id", "is_sell", "symbol", "rule"),
    [
        pytest.param(EXIT, True, AAPL, Rule.EXIT_WORKING, id="an exit of ours holds the position"),
        pytest.param("by-hand", True, AAPL, Rule.TAKE_PROFIT, id="a sell order of the owner's does not"),
        pytest.param(EXIT, True, str(contract("MSFT")), Rule.TAKE_PROFIT, id="nor one of another contract"),
        pytest.param("by-hand", False, AAPL, Rule.TAKE_PROFIT, id="nor a buy order"),
    ],
)
def test_an_exit_under_way_is_waited_for(
    client_order_id: str, is_sell: bool, symbol: str, rule: Rule
) -> None:
    """S-05, S-38."""
    under_way = order(client_order_id, is_sell=is_sell, symbol=symbol)
    seen = observation(position(), orders=(under_way,), quotes={AAPL: quote("2.00", "2.10")})

    assert judge(seen).rule is rule


@pytest.mark.parametrize(
    "available", [pytest.param("0", id="nothing"), pytest.param("0.5", id="half a contract")]
)
def test_without_a_whole_free_contract_the_position_is_held_quietly(available: str) -> None:
    """S-38."""
    judged = judge(observation(position("2", available=available), quotes={AAPL: quote("2.00", "2.10")}))

    assert isinstance(judged, Hold)
    assert (judged.rule, judged.alerts) == (Rule.NO_FREE_QTY, False)


def test_fractions_of_a_contract_stay() -> None:
    judged = judge(observation(position("2.7"), quotes={AAPL: quote("2.00", "2.10")}))

    assert isinstance(judged, Sell)
    assert judged.qty == 2


@pytest.mark.parametrize("right", list(OptionRight))
def test_a_short_position_is_reported_and_left_alone(right: OptionRight) -> None:
    """S-09, S-10: closing shorts by force would break spreads and covered calls."""
    short = position("-2", of=contract(right=right))

    judged = judge(priced(short, bid="9.00"))

    assert isinstance(judged, Hold)
    assert (judged.rule, judged.alerts) == (Rule.SHORT_POSITION, True)


LONG = contract(strike="200")
SHORT = contract(strike="210")


@pytest.mark.parametrize(
    ("held", "short", "rule", "qty"),
    [
        pytest.param("2", position("-2", of=SHORT), Rule.COVERS_SHORT_LEG, None, id="a vertical"),
        pytest.param("5", position("-2", of=SHORT), Rule.TAKE_PROFIT, 3, id="only what is not needed"),
        pytest.param(
            "2", position("-2", of=contract("MSFT")), Rule.TAKE_PROFIT, 2, id="another underlying needs nothing"
        ),
        pytest.param(
            "2", position("-2", of=contract(right=OptionRight.PUT)), Rule.TAKE_PROFIT, 2,
            id="a put is not covered by a call",
        ),
        pytest.param(
            "2", position("-2", of=contract(expires=date(2027, 1, 14))), Rule.COVERS_SHORT_LEG, None,
            id="a calendar: the short leg expires first",
        ),
        pytest.param(
            "2", position("-2", of=contract(expires=date(2027, 1, 16))), Rule.TAKE_PROFIT, 2,
            id="a short leg that outlives the long one is not covered by it",
        ),
        pytest.param(
            "2", position("-2", of=contract("AAPL1")), Rule.COVERS_SHORT_LEG, None,
            id="an adjusted contract has the same underlying",
        ),
    ],
)  # fmt: skip
def test_a_long_leg_that_covers_a_short_one_is_not_sold_alone(
    held: str, short: OptionPosition, rule: Rule, qty: int | None
) -> None:
    long = position(held, of=LONG)
    seen = observation(long, short, quotes={long.symbol: quote("2.00", "2.10")})

    judged, _ = decide(seen, POLICY)

    assert judged.rule is rule
    assert (judged.qty if isinstance(judged, Sell) else None) == qty
    assert isinstance(judged, Sell) or (isinstance(judged, Hold) and judged.alerts)


def test_a_position_that_cannot_be_read_may_be_the_short_leg() -> None:
    seen = observation(position(of=LONG), unreadable=(str(SHORT),), quotes={str(LONG): quote("2.00", "2.10")})

    judged, _ = decide(seen, POLICY)

    assert judged.rule is Rule.COVERS_SHORT_LEG


@pytest.mark.parametrize(
    ("book", "rule", "limit"),
    [
        pytest.param(quote(None, "0.05"), Rule.STOP_LOSS, Decimal("0.01"), id="no bid: lowest tick"),
        pytest.param(quote("0.00", "0.05"), Rule.STOP_LOSS, Decimal("0.01"), id="a bid of zero is none"),
        pytest.param(quote("0.02", "0.05"), Rule.STOP_LOSS, None, id="a bid: at the market"),
        pytest.param(
            quote(None, "0.05", at=NOW - timedelta(hours=1), last="0.50"), Rule.STOP_LOSS, None,
            id="S-24 an old quote proves no missing bid",
        ),
        pytest.param(
            quote(None, None, last="0.30"), Rule.STOP_LOSS, Decimal("0.01"), id="neither side, but a trade"
        ),
        pytest.param(quote(None, "9.00"), Rule.WITHIN_LIMITS, None, id="a profit nobody bids for is none"),
        pytest.param(
            quote(None, None, last="9.00"), Rule.WITHIN_LIMITS, None, id="nor one that was traded once"
        ),
    ],
)  # fmt: skip
def test_the_form_of_the_exit_follows_the_bid(book: Quote, rule: Rule, limit: Decimal | None) -> None:
    judged = judge(observation(position(), quotes={AAPL: book}))

    assert judged.rule is rule
    assert (judged.limit_price if isinstance(judged, Sell) else None) == limit


def test_quotes_are_asked_for_only_where_a_decision_needs_them() -> None:
    free = position(of=contract("MSFT"))
    seen = observation(position(), free, position("-1", of=contract("NVDA")), lots=(lot(symbol=free.symbol),))

    assert symbols_to_price(seen, TRACKED) == (free.symbol,)
