from datetime import UTC, datetime
from decimal import Decimal

from account_svc.hold import HeldCash, Hold
from account_svc.lookups import (
    MAX_SINGLE_LOOKUPS,
    RECENT_SECONDS,
    REVISIT_SECONDS,
    UNSEEN_SECONDS,
    plan_lookups,
)
from account_svc.order_terms import HoldId
from account_svc.settle import Fate, SettleRules, Sighting

RULES = SettleRules()
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def hold(name: str, *, held_at: datetime = NOON, amount: str = "100", whole_headroom: bool = False) -> Hold:
    return Hold(
        hold_id=HoldId(name),
        account_id="one",
        revision=1,
        fingerprint="f",
        symbol="AAPL",
        amount=Decimal(amount),
        whole_headroom=whole_headroom,
        held_at=held_at,
    )


def seen(fate: Fate, *, known_since: float, looked_at: float | None = None, revision: int = 1) -> Sighting:
    return Sighting(
        revision=revision,
        fate=fate,
        known_since=known_since,
        looked_at=looked_at,
        ended_seen_at=0.0 if fate.has_ended else None,
    )


A = HoldId("a")


def test_without_holds_nothing_is_read() -> None:
    plan = plan_lookups([], {}, now=0.0, rules=RULES)

    assert (plan.newest, plan.single) == (0, ())


def test_one_list_of_the_newest_orders_covers_all_new_holds() -> None:
    plan = plan_lookups([hold(f"h{number}") for number in range(50)], {}, now=0.0, rules=RULES)

    assert plan.newest >= 50
    assert plan.single == ()


def test_a_list_is_never_longer_than_the_broker_allows() -> None:
    plan = plan_lookups([hold(f"h{number}") for number in range(1000)], {}, now=0.0, rules=RULES)

    assert plan.newest == 500


def test_when_a_hold_was_taken_by_the_wall_clock_changes_nothing() -> None:
    """The broker's clock may be hours from ours; a list cut off by ours would hide the order."""
    long_ago = hold("a", held_at=datetime(2000, 1, 1, tzinfo=UTC))

    assert plan_lookups([long_ago], {}, now=0.0, rules=RULES) == plan_lookups(
        [hold("a")], {}, now=0.0, rules=RULES
    )


def test_a_hold_whose_order_is_known_to_have_ended_needs_no_reading() -> None:
    ended = {A: seen(Fate.ENDED_FILLED, known_since=0.0)}

    assert plan_lookups([hold("a")], ended, now=1.0, rules=RULES).newest == 0


def test_an_order_missing_from_the_lists_is_asked_for_by_its_id_now_and_then() -> None:
    missing = {A: seen(Fate.UNSEEN, known_since=0.0)}
    asked = {A: seen(Fate.ABSENT, known_since=0.0, looked_at=UNSEEN_SECONDS)}

    assert plan_lookups([hold("a")], missing, now=UNSEEN_SECONDS - 0.1, rules=RULES).single == ()
    assert plan_lookups([hold("a")], missing, now=UNSEEN_SECONDS, rules=RULES).single == (A,)
    assert plan_lookups([hold("a")], asked, now=UNSEEN_SECONDS + 1, rules=RULES).single == ()


def test_after_the_quarantine_an_absent_order_is_asked_for_once_more_at_once() -> None:
    just_before = {A: seen(Fate.ABSENT, known_since=0.0, looked_at=119.0)}

    assert plan_lookups([hold("a")], just_before, now=119.9, rules=RULES).single == ()
    assert plan_lookups([hold("a")], just_before, now=120.0, rules=RULES).single == (A,)


def test_an_old_open_order_is_asked_for_now_and_then_instead_of_being_listed() -> None:
    just_looked = {A: seen(Fate.OPEN, known_since=0.0, looked_at=RECENT_SECONDS)}

    soon = plan_lookups([hold("a")], just_looked, now=RECENT_SECONDS + 1, rules=RULES)
    later = plan_lookups([hold("a")], just_looked, now=RECENT_SECONDS + REVISIT_SECONDS, rules=RULES)

    assert (soon.newest, soon.single) == (0, ())
    assert (later.newest, later.single) == (0, (A,))


def test_single_lookups_are_few_and_the_longest_unvisited_come_first() -> None:
    names = [f"h{number}" for number in range(10)]
    sightings = {
        HoldId(name): seen(Fate.OPEN, known_since=0.0, looked_at=float(number))
        for number, name in enumerate(names)
    }

    plan = plan_lookups([hold(name) for name in reversed(names)], sightings, now=5_000.0, rules=RULES)

    assert plan.single == tuple(HoldId(name) for name in names[:MAX_SINGLE_LOOKUPS])


def test_what_was_seen_of_an_earlier_authorisation_does_not_count() -> None:
    earlier = {A: seen(Fate.ENDED_FILLED, known_since=0.0, revision=0)}

    assert plan_lookups([hold("a")], earlier, now=1.0, rules=RULES).newest > 0


def test_holds_add_up_and_one_of_unknown_cost_takes_everything() -> None:
    priced = HeldCash.by([hold("a", amount="600"), hold("b", amount="0.10")])
    unpriced = HeldCash.by([hold("a"), hold("b", whole_headroom=True)])

    assert priced == HeldCash(total=Decimal("600.10"), all_headroom_held=False)
    assert unpriced.all_headroom_held
