from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.sell_values import AAPL, ACCOUNT, NOW
from fakes.sell_world import World
from runtime.errors import Unavailable
from sell_svc.exit_chain import MAX_GENERATIONS, Attempt, ExitChains, ExitLost, Link, next_attempt
from sell_svc.exit_key import exit_key, is_exit_key
from sell_svc.observation import AccountId, ClientOrderId
from sell_svc.ports import ExitPhase, ExitReport
from sell_svc.verdict import Hold, Rule, Undecided

TODAY = date(2026, 11, 24)


def key(generation: int, session: date = TODAY) -> ClientOrderId:
    return exit_key(account_id=ACCOUNT, symbol=AAPL, session=session, generation=generation)


def report(
    generation: int,
    phase: ExitPhase = ExitPhase.ENDED,
    *,
    filled: str = "0",
    ended_at: datetime | None = None,
    state: str = "CANCELED",
    is_refusal: bool = False,
) -> ExitReport:
    return ExitReport(
        client_order_id=key(generation),
        order_id=None,
        phase=phase,
        state=state,
        filled_qty=Decimal(filled),
        ended_at=ended_at,
        reason="",
        accepted=True,
        is_refusal=is_refusal,
    )


def link(generation: int, phase: ExitPhase = ExitPhase.ENDED, **more: object) -> Link:
    return Link(generation=generation, report=report(generation, phase, **more))  # type: ignore[arg-type] # passes on


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        pytest.param(None, Attempt(generation=0), id="the first exit of the session"),
        pytest.param(link(0), Attempt(generation=1), id="after one that sold nothing"),
        pytest.param(
            link(4, filled="2", ended_at=NOW - timedelta(seconds=15)),
            Attempt(generation=5),
            id="after a sale that the positions must show by now",
        ),
    ],
)
def test_the_chain_goes_on_after_an_exit_that_ended(newest: Link | None, expected: Attempt) -> None:
    assert next_attempt(AAPL, newest, NOW, is_final=False) == expected


@pytest.mark.parametrize(
    ("newest", "rule"),
    [
        pytest.param(link(0, ExitPhase.OPEN, state="WORKING"), Rule.EXIT_WORKING, id="it works"),
        pytest.param(link(0, ExitPhase.OPEN, state="UNKNOWN"), Rule.EXIT_WORKING, id="its answer was lost"),
        pytest.param(
            link(0, filled="2", ended_at=NOW - timedelta(seconds=14)),
            Rule.EXIT_SETTLING,
            id="the positions may not show the sale yet",
        ),
        pytest.param(link(MAX_GENERATIONS - 1), Rule.EXIT_BACKOFF, id="far too many"),
    ],
)
def test_the_chain_waits(newest: Link, rule: Rule) -> None:
    step = next_attempt(AAPL, newest, NOW, is_final=False)

    assert isinstance(step, Hold)
    assert step.rule is rule


@pytest.mark.parametrize(
    ("is_final", "generation"),
    [
        pytest.param(False, 3, id="a refusal that may not be the last word is repeated, not followed"),
        pytest.param(True, 4, id="one for good is followed"),
    ],
)
def test_a_refused_exit_is_followed_only_once_it_cannot_come_to_life_again(
    is_final: bool, generation: int
) -> None:
    refused = link(3, state="DENIED", is_refusal=True)

    assert next_attempt(AAPL, refused, NOW, is_final=is_final) == Attempt(generation=generation)


def test_a_sale_at_an_unknown_time_is_undecided() -> None:
    step = next_attempt(AAPL, link(0, filled="1", ended_at=None), NOW, is_final=False)

    assert isinstance(step, Undecided)


async def test_the_walk_finds_the_newest_exit_and_remembers_only_where_to_begin() -> None:
    world = World(ACCOUNT)
    for generation in range(3):
        world.exits[key(generation)] = report(generation)
    chains = ExitChains(ACCOUNT, world.orders)

    first = await chains.find_newest(AAPL, TODAY)
    world.exits[key(3)] = report(3, ExitPhase.OPEN)
    second = await chains.find_newest(AAPL, TODAY)

    assert first is not None
    assert second is not None
    assert (first.generation, second.generation) == (2, 3)
    assert world.looked_up == [key(one) for one in (0, 1, 2, 3, 2, 3)]


async def test_nothing_follows_an_open_exit_so_the_walk_ends_there() -> None:
    world = World(ACCOUNT)
    world.exits[key(0)] = report(0, ExitPhase.OPEN)

    await ExitChains(ACCOUNT, world.orders).find_newest(AAPL, TODAY)

    assert world.looked_up == [key(0)]


async def test_each_session_has_a_chain_of_its_own() -> None:
    world = World(ACCOUNT)
    world.exits[key(0)] = report(0)
    chains = ExitChains(ACCOUNT, world.orders)

    await chains.find_newest(AAPL, TODAY)

    assert await chains.find_newest(AAPL, date(2026, 11, 25)) is None


async def test_an_exit_that_disappears_stops_the_chain() -> None:
    world = World(ACCOUNT)
    world.exits.update({key(0): report(0), key(1): report(1)})
    chains = ExitChains(ACCOUNT, world.orders)
    await chains.find_newest(AAPL, TODAY)
    world.exits.clear()

    with pytest.raises(ExitLost):
        await chains.find_newest(AAPL, TODAY)


async def test_a_failed_look_up_is_not_an_absent_exit() -> None:
    world = World(ACCOUNT)
    world.fail("find_exit", Unavailable("down"))

    with pytest.raises(Unavailable):
        await ExitChains(ACCOUNT, world.orders).find_newest(AAPL, TODAY)


texts = st.text(min_size=1, max_size=20)


@settings(deadline=None)
@given(account=texts, symbol=texts, session=st.dates(), generation=st.integers(0, 10**6))
def test_an_exit_id_is_the_same_for_everyone_and_fit_to_send(
    account: str, symbol: str, session: date, generation: int
) -> None:
    ids = {
        exit_key(account_id=AccountId(account), symbol=symbol, session=session, generation=generation)
        for _ in range(2)
    }

    (made,) = ids
    assert is_exit_key(made)
    assert len(made) <= 128
    assert made.isascii()


def test_ids_differ_by_account_symbol_session_and_generation() -> None:
    base = {"account_id": ACCOUNT, "symbol": AAPL, "session": TODAY, "generation": 0}
    others = [
        base,
        {**base, "account_id": AccountId("bob")},
        {**base, "symbol": "X"},
        {**base, "session": date(2026, 11, 25)},
        {**base, "generation": 1},
    ]

    assert len({exit_key(**one) for one in others}) == len(others)  # type: ignore[arg-type] # rows of one shape


def test_the_id_is_pinned_because_a_new_version_must_meet_the_exits_of_the_old_one() -> None:
    assert key(0) == "exit-2ed5cf73c73bd051c54a-0"
    assert not is_exit_key(ClientOrderId("exit-by-hand-0"))
