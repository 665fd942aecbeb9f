from decimal import Decimal

from fakes.sell_values import AAPL, ACCOUNT, NOW
from sell_svc.decisions import Changes, Decision, Decisions, Verdict
from sell_svc.observation import AccountId, ClientOrderId, OrderId
from sell_svc.verdict import Rule


def decision(
    symbol: str = AAPL,
    verdict: Verdict = Verdict.HOLD,
    rule: Rule = Rule.WITHIN_LIMITS,
    *,
    account: AccountId = ACCOUNT,
    key: str | None = None,
) -> Decision:
    return Decision(
        account_id=account,
        symbol=symbol,
        verdict=verdict,
        rule=rule,
        reason="why",
        decided_at=NOW,
        client_order_id=None if key is None else ClientOrderId(key),
    )


def test_decisions_come_newest_first_and_old_ones_fall_out() -> None:
    decisions = Decisions(size=2)

    decisions.add([decision("A"), decision("B"), decision("C")])

    assert [one.symbol for one in decisions.newest(limit=10)] == ["C", "B"]


def test_decisions_are_found_by_account_and_symbol() -> None:
    decisions = Decisions()
    decisions.add([decision("A"), decision("B"), decision("A", account=AccountId("bob"))])

    assert [one.symbol for one in decisions.newest(limit=10, account_id=ACCOUNT)] == ["B", "A"]
    assert [one.account_id for one in decisions.newest(limit=10, symbol="A")] == ["bob", ACCOUNT]
    assert len(decisions.newest(limit=1)) == 1


def test_a_hold_is_news_once_until_its_rule_changes() -> None:
    changes = Changes()

    told = [
        len(changes.news([decision(rule=rule)]))
        for rule in (Rule.WITHIN_LIMITS, Rule.WITHIN_LIMITS, Rule.MARKET_CLOSED, Rule.WITHIN_LIMITS)
    ]

    assert told == [1, 0, 1, 1]


def test_every_action_is_news() -> None:
    changes = Changes()
    sale = decision(verdict=Verdict.SELL, rule=Rule.STOP_LOSS, key="exit-1")

    assert [len(changes.news([sale])) for _ in range(2)] == [1, 1]


def test_a_hold_after_a_sale_is_news() -> None:
    changes = Changes()
    changes.news([decision()])
    changes.news([decision(verdict=Verdict.SELL, rule=Rule.STOP_LOSS, key="exit-1")])

    assert len(changes.news([decision()])) == 1


def test_what_a_tick_no_longer_mentions_is_forgotten() -> None:
    changes = Changes()
    changes.news([decision()])
    changes.news([])

    assert len(changes.news([decision()])) == 1


def test_two_orders_of_one_symbol_are_two_subjects() -> None:
    changes = Changes()
    undecided = [
        decision(verdict=Verdict.UNDECIDED, rule=Rule.ORDER_AGE_UNKNOWN, key=key) for key in ("a", "b")
    ]

    assert len(changes.news(undecided)) == 2
    assert len(changes.news(undecided)) == 0


def test_a_line_has_every_figure() -> None:
    line = Decision(
        account_id=ACCOUNT,
        symbol=AAPL,
        verdict=Verdict.SELL,
        rule=Rule.STOP_LOSS,
        reason="price 0.80 (bid) <= 0.80 = entry 1.00 x 0.8",
        decided_at=NOW,
        qty=Decimal(2),
        client_order_id=ClientOrderId("exit-1"),
        order_id=OrderId("b-1"),
        outcome="accepted",
    ).line

    assert line == (
        "Sell: AAPL270115C00200000 | qty=2 | rule=STOP_LOSS | reason=price 0.80 (bid) <= 0.80 = entry 1.00 x 0.8"
        " | account=alice | client_order_id=exit-1 | order_id=b-1 | outcome=accepted"
    )
