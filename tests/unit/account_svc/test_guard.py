from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_svc.guard import Allowed, Denied, GuardMode, Undecided, judge

usd = st.decimals(min_value=-(10**9), max_value=10**9, places=2)
amount = st.decimals(min_value=0, max_value=10**9, places=4)
mode = st.sampled_from(GuardMode)


def decide(
    cash: str,
    *,
    holds: str = "0",
    minimum: str = "5000",
    cost: str | None = "600",
    mode: GuardMode = GuardMode.LITERAL,
    all_headroom_held: bool = False,
) -> Allowed | Denied | Undecided:
    return judge(
        cash=Decimal(cash),
        holds=Decimal(holds),
        minimum=Decimal(minimum),
        order_cost=None if cost is None else Decimal(cost),
        mode=mode,
        all_headroom_held=all_headroom_held,
    )


@pytest.mark.parametrize(
    ("cash", "holds", "expected"),
    [
        pytest.param("5000", "0", Allowed(headroom=Decimal(0)), id="exactly the minimum is enough"),
        pytest.param("4999.99", "0", Denied(shortfall=Decimal("0.01")), id="a cent below is not"),
        pytest.param("7000", "1800", Allowed(headroom=Decimal(200)), id="holds leave enough"),
        pytest.param("7000", "2400", Denied(shortfall=Decimal(400)), id="holds leave too little"),
        pytest.param("-100", "0", Denied(shortfall=Decimal(5100)), id="margin debt"),
    ],
)
def test_the_literal_rule_compares_cash_before_the_order(
    cash: str, holds: str, expected: Allowed | Denied
) -> None:
    assert decide(cash, holds=holds) == expected


@pytest.mark.parametrize(
    ("cash", "cost", "expected"),
    [
        pytest.param("5600", "600", Allowed(headroom=Decimal(600)), id="the minimum is left exactly"),
        pytest.param("5599.99", "600", Denied(shortfall=Decimal("0.01")), id="a cent too little is left"),
        pytest.param("5000", "0", Allowed(headroom=Decimal(0)), id="a sell costs nothing"),
    ],
)
def test_the_projected_rule_compares_what_the_order_leaves(
    cash: str, cost: str, expected: Allowed | Denied
) -> None:
    assert decide(cash, cost=cost, mode=GuardMode.PROJECTED) == expected


def test_the_literal_rule_does_not_ask_for_the_cost() -> None:
    assert decide("5000", cost=None) == Allowed(headroom=Decimal(0))


def test_the_projected_rule_decides_nothing_about_an_order_of_unknown_cost() -> None:
    assert isinstance(decide("1000000", cost=None, mode=GuardMode.PROJECTED), Undecided)


@pytest.mark.parametrize("rule", GuardMode, ids=lambda rule: rule.value)
def test_nothing_is_left_while_an_order_of_unknown_cost_is_in_flight(rule: GuardMode) -> None:
    assert decide("1000000", mode=rule, all_headroom_held=True) == Denied(shortfall=Decimal(0))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("figure", ["cash", "holds", "minimum", "cost"])
def test_a_figure_that_is_no_finite_number_never_lets_an_order_out(text: str, figure: str) -> None:
    figures: dict[str, str] = {"cash": "7000", "holds": "0", "minimum": "5000", "cost": "1", figure: text}

    decision = judge(
        cash=Decimal(figures["cash"]),
        holds=Decimal(figures["holds"]),
        minimum=Decimal(figures["minimum"]),
        order_cost=Decimal(figures["cost"]),
        mode=GuardMode.LITERAL,
    )

    assert isinstance(decision, Undecided)


@given(cash=usd, holds=amount, minimum=amount, cost=st.none() | amount, rule=mode, unpriced=st.booleans())
def test_an_allowed_account_is_never_below_its_minimum(
    cash: Decimal, holds: Decimal, minimum: Decimal, cost: Decimal | None, rule: GuardMode, unpriced: bool
) -> None:
    decision = judge(
        cash=cash, holds=holds, minimum=minimum, order_cost=cost, mode=rule, all_headroom_held=unpriced
    )

    if isinstance(decision, Allowed):
        assert cash - holds >= minimum
        assert not unpriced
        assert rule is GuardMode.LITERAL or (cost is not None and cash - holds - cost >= minimum)


@given(cash=usd, holds=amount, minimum=amount, cost=st.none() | amount, rule=mode, deposit=amount)
def test_more_cash_never_turns_an_allowed_account_into_a_denied_one(
    cash: Decimal, holds: Decimal, minimum: Decimal, cost: Decimal | None, rule: GuardMode, deposit: Decimal
) -> None:
    before = judge(cash=cash, holds=holds, minimum=minimum, order_cost=cost, mode=rule)
    after = judge(cash=cash + deposit, holds=holds, minimum=minimum, order_cost=cost, mode=rule)

    assert isinstance(after, Allowed) or not isinstance(before, Allowed)


@given(cash=usd, holds=amount, minimum=amount, cost=st.none() | amount, rule=mode, more=amount)
def test_a_higher_minimum_or_hold_never_lets_more_out(
    cash: Decimal, holds: Decimal, minimum: Decimal, cost: Decimal | None, rule: GuardMode, more: Decimal
) -> None:
    before = judge(cash=cash, holds=holds, minimum=minimum, order_cost=cost, mode=rule)
    dearer = judge(cash=cash, holds=holds, minimum=minimum + more, order_cost=cost, mode=rule)
    fuller = judge(cash=cash, holds=holds + more, minimum=minimum, order_cost=cost, mode=rule)

    if not isinstance(before, Allowed):
        assert not isinstance(dearer, Allowed)
        assert not isinstance(fuller, Allowed)


@given(cash=usd, holds=amount, minimum=amount, cost=amount)
def test_the_projected_rule_is_never_looser_than_the_literal_one(
    cash: Decimal, holds: Decimal, minimum: Decimal, cost: Decimal
) -> None:
    projected = judge(cash=cash, holds=holds, minimum=minimum, order_cost=cost, mode=GuardMode.PROJECTED)
    literal = judge(cash=cash, holds=holds, minimum=minimum, order_cost=cost, mode=GuardMode.LITERAL)

    assert isinstance(literal, Allowed) or not isinstance(projected, Allowed)
